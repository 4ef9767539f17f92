//! Which objects of the manifests fail what, and the repair of some of it: the operator's evaluation and plan, with everything asked for in mode Preview.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_crds::{ClusterHardeningPolicy, ControlMode, ControlOverride, HardeningPolicy, Mode, PolicySpec};
use ironside_engine::controls::{CONTROLS, Control, ControlId, Risk, WorkloadScope};
use ironside_engine::evaluate::{Evaluation, evaluate};
use ironside_engine::model::ObjectRef;
use ironside_engine::plan::{Plan, plan_source};
use ironside_engine::policy::{ExceptionSet, OwnerRoutes, PolicySet, Route};
use ironside_engine::world::Snapshot;

use crate::cli::manifest::Source;

/// Plans repairs of manifests. Who owns the object in a cluster does not matter here: this is the owner's own text.
#[derive(Debug)]
pub(in crate::cli) struct Fixer {
    pub(in crate::cli) world: Arc<Snapshot>,
    pub(in crate::cli) sources: BTreeMap<ObjectRef, Source>,
    pub(in crate::cli) cluster_policies: Vec<ClusterHardeningPolicy>,
    pub(in crate::cli) policies: Vec<HardeningPolicy>,
    pub(in crate::cli) exceptions: ExceptionSet,
    pub(in crate::cli) now: jiff::Timestamp,
}

/// A control that fails and can be repaired.
#[derive(Debug)]
pub(in crate::cli) struct Repairable {
    /// The control.
    pub control: &'static Control,
    /// How likely the repair is to break this workload.
    pub risk: Risk,
    /// Why.
    pub reasons: Vec<String>,
}

impl Fixer {
    /// Every workload, in the order of the files.
    pub(super) fn targets(&self) -> Vec<(&Source, &ObjectRef)> {
        let workloads = self
            .sources
            .iter()
            .filter(|(target, _)| self.world.workload(target).is_some());
        let mut targets: Vec<_> = workloads.map(|(target, source)| (source, target)).collect();
        targets.sort();
        targets
    }

    /// The controls that a workload fails and that have a repair, with what the repair risks for this workload. Nothing runs here that could show whether it
    /// needs what is taken away, so repairs that rest on such evidence have the risk of not knowing.
    pub(in crate::cli) fn repairable(&self, target: &ObjectRef) -> Vec<Repairable> {
        let Some(workload) = self.world.workload(target) else {
            return Vec::new();
        };
        let policies = PolicySet::compile(&self.cluster_policies, &self.policies, "");
        let evaluation = self.evaluate(&policies, target);
        let failures: Vec<_> = evaluation
            .findings
            .iter()
            .filter(|finding| finding.is_failure() && finding.control.repair.is_some())
            .collect();
        let beside: Vec<ControlId> = failures.iter().map(|finding| finding.control.id).collect();
        let template = workload.template.json();
        let repairable = failures.into_iter().filter_map(|finding| {
            let scope = WorkloadScope {
                workload,
                world: &self.world,
                parameters: &finding.parameters,
            };
            let proposal = finding.control.propose(&scope, &template, &beside)?;
            Some(Repairable {
                control: finding.control,
                risk: proposal.risk.unwrap_or(Risk::High),
                reasons: proposal.risk_reasons,
            })
        });
        repairable.collect()
    }

    /// The repair of these controls alone.
    pub(super) fn plan(&self, target: &ObjectRef, wanted: &[ControlId]) -> Option<Plan> {
        let ask = |spec: &mut PolicySpec| {
            spec.mode = Mode::Preview;
            for control in CONTROLS {
                let wanted = wanted.contains(&control.id);
                match spec.controls.iter_mut().find(|own| own.id == control.id.as_str()) {
                    // A policy that withdraws its vote for a control keeps doing so.
                    Some(own) if own.mode == Some(ControlMode::Disabled) => {}
                    Some(own) => {
                        own.mode = Some(if wanted {
                            ControlMode::Preview
                        } else {
                            ControlMode::Disabled
                        });
                    }
                    None if !wanted => spec.controls.push(ControlOverride {
                        id: control.id.to_string(),
                        mode: Some(ControlMode::Disabled),
                        ..ControlOverride::default()
                    }),
                    None => {}
                }
            }
        };
        let (mut cluster, mut namespaced) = (self.cluster_policies.clone(), self.policies.clone());
        let specs = cluster.iter_mut().map(|policy| &mut policy.spec.0);
        for spec in specs.chain(namespaced.iter_mut().map(|policy| &mut policy.spec.0)) {
            ask(spec);
        }
        let policies = PolicySet::compile(&cluster, &namespaced, "");
        let evaluation = self.evaluate(&policies, target);
        let mut limits = policies.limits(&self.world, &target.namespace);
        limits.owners = OwnerRoutes {
            argo_cd: Route::Cooperate,
            flux: Route::Cooperate,
            helm: Route::Cooperate,
            controller: Route::Cooperate,
        };
        plan_source(&self.world, &evaluation, &limits, self.now)
    }

    fn evaluate(&self, policies: &PolicySet, target: &ObjectRef) -> Evaluation {
        evaluate(&self.world, policies, &self.exceptions, target, self.now)
    }
}
