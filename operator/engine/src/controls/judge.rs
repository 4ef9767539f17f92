//! Runs the check and the repair that a control declares. Modes, exceptions, memo and panics are `evaluate`'s; what is done with a proposal is the plan's.

use serde_json::Value;

use super::{
    Check, ContainerScope, Control, ControlId, Edit, Judgement, NamespaceScope, ObjectScope, RepairBy, Risk,
    TemplateEdit, TemplateScope, Verdict, WorkloadScope,
};
use crate::components::ComponentScope;
use crate::model::Kind;
use crate::plan::Held;

/// What a control's repair would change in a template, and what it would not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Proposal {
    /// Wanted changes.
    pub edits: Vec<Edit>,
    /// The repair's own risk, or the highest that the evidence raised it to.
    pub risk: Option<Risk>,
    /// Why, in words.
    pub risk_reasons: Vec<String>,
    /// Containers (or the whole template) that are left alone. Where this is not empty, the edits alone do not make the control pass.
    pub held: Vec<Held>,
}

impl Control {
    /// Judges a workload. A control of namespaces has nothing to say: NotApplicable.
    pub fn judge_workload(&self, at: &WorkloadScope<'_>) -> Judgement {
        match self.check {
            Check::Workload(check) => {
                let mut judgement = Judgement::default();
                if self.exists(at.world.minor, &mut judgement) {
                    check(at, &mut judgement);
                }
                judgement
            }
            Check::Namespace(_) => Judgement::default(),
            Check::Object(..) | Check::Component(..) => {
                let target = at.workload.reference();
                self.judge_object(&ObjectScope {
                    target: &target,
                    world: at.world,
                    now: None,
                    parameters: at.parameters,
                })
            }
            Check::EachContainer(_) | Check::Template(_) => self.judge_template(&at.template()),
        }
    }

    /// Judges a template on its own: the same for equal templates, parameters and server versions. NotApplicable for checks that need more than that.
    pub fn judge_template(&self, at: &TemplateScope<'_>) -> Judgement {
        let mut judgement = Judgement::default();
        if !self.exists(at.minor, &mut judgement) {
            return judgement;
        }
        match self.check {
            Check::EachContainer(check) => at.containers().for_each(|at| {
                judgement.enter_container(&at);
                check(&at, &mut judgement);
            }),
            Check::Template(check) => check(at, &mut judgement),
            Check::Workload(_) | Check::Namespace(_) | Check::Object(..) | Check::Component(..) => {}
        }
        judgement
    }

    /// Judges a namespace. A control of workloads has nothing to say: NotApplicable.
    pub fn judge_namespace(&self, at: &NamespaceScope<'_>) -> Judgement {
        let mut judgement = Judgement::default();
        if let Check::Namespace(check) = self.check
            && self.exists(at.world.minor, &mut judgement)
        {
            check(at, &mut judgement);
        }
        judgement
    }

    /// Judges an object of any kind that is judged on its own, or one that runs or configures a component. A control of other kinds has nothing to say: NotApplicable.
    pub fn judge_object(&self, at: &ObjectScope<'_>) -> Judgement {
        let mut judgement = Judgement::default();
        match self.check {
            Check::Object(kinds, check)
                if kinds.contains(&at.target.kind) && self.exists(at.world.minor, &mut judgement) =>
            {
                check(at, &mut judgement);
            }
            Check::Component(components, check) if at.target.kind == Kind::Component => {
                if let Some(at) = ComponentScope::of_cluster(at, components)
                    && self.exists(at.world.minor, &mut judgement)
                {
                    check(&at, &mut judgement);
                    at.tell_unseen(self.component, &mut judgement);
                }
            }
            Check::Component(components, check) => {
                if let Some(at) = ComponentScope::of(at, components)
                    && self.exists(at.world.minor, &mut judgement)
                {
                    check(&at, &mut judgement);
                }
            }
            _ => {}
        }
        judgement
    }

    /// What the repair would change in the workload's template; `None` for a control whose repair is not an edit of templates. `template` is the template's JSON
    /// form, `beside` the controls whose edits go into the same patch. A workload that does not fail is left alone.
    pub fn propose(&self, at: &WorkloadScope<'_>, template: &Value, beside: &[ControlId]) -> Option<Proposal> {
        let repair = self
            .repair
            .filter(|repair| !matches!(repair.by, RepairBy::NetworkPolicies))?;
        if self.judge_workload(at).verdict() != Verdict::Fail {
            return Some(Proposal::default());
        }
        let mut edit = TemplateEdit::new(template, self.id).beside(beside);
        let held = match repair.by {
            RepairBy::NetworkPolicies => Vec::new(),
            RepairBy::Template(plan) => plan(at, &mut edit).err().into_iter().collect(),
            RepairBy::EachContainer(plan) => at
                .template()
                .declared_containers()
                .filter(|container| self.fails(container))
                .filter_map(|container| plan(&container, at, &mut edit).err())
                .collect(),
        };
        let (edits, raised) = edit.finish();
        Some(Proposal {
            edits,
            risk: raised.iter().map(|(risk, _)| *risk).chain([repair.risk]).max(),
            risk_reasons: raised.into_iter().map(|(_, reason)| reason).collect(),
            held,
        })
    }

    fn fails(&self, at: &ContainerScope<'_>) -> bool {
        let Check::EachContainer(check) = self.check else {
            return true;
        };
        let mut judgement = Judgement::default();
        check(at, &mut judgement);
        judgement.verdict() == Verdict::Fail
    }

    fn exists(&self, minor: u32, judgement: &mut Judgement) -> bool {
        let exists = minor == 0 || minor >= self.since;
        if !exists {
            judgement.not_applicable(&format!("Kubernetes 1.{minor} does not have it; 1.{} does", self.since));
        }
        exists
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controls::{Control, Parameters};
    use crate::model::PodTemplate;
    use serde_json::json;

    #[test]
    fn a_field_that_the_server_does_not_have_is_not_applicable() {
        const CONTROL: Control = Control {
            since: 36,
            check: Check::Template(|_, judgement| judgement.fail("spec.newField", None, "set")),
            ..Control::WORKLOAD
        };
        let template = PodTemplate::decode(&json!({"spec": {"containers": [{"name": "web"}]}}), true).unwrap();
        let verdict = |minor| {
            let judgement = CONTROL.judge_template(&TemplateScope {
                template: &template,
                parameters: &Parameters::default(),
                minor,
            });
            (
                judgement.verdict(),
                judgement.reason_not_applicable().map(str::to_owned),
            )
        };
        assert_eq!(verdict(36), (Verdict::Fail, None));
        assert_eq!(verdict(0), (Verdict::Fail, None), "0 is the newest");
        let (old, why) = verdict(35);
        assert_eq!(old, Verdict::NotApplicable);
        assert!(why.is_some_and(|why| why.contains("1.35") && why.contains("1.36")));
    }
}
