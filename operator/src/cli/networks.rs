//! Plans for the networks of namespaces as `ironside plan` shows them: which policies would be written, what stays open, what is cut, or why it is held.

use std::collections::BTreeMap;
use std::io::Write;

use ironside_crds::HardeningRemediation;
use ironside_engine::model::Kind;
use ironside_engine::network::{Decision, Generated, NetworkPlan, Step, generate};
use ironside_engine::plan::Disposition;
use ironside_engine::remediate::{Phase, Record};
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::style::Style;
use crate::apply::convert;

/// The plan of one namespace, and what the operator remembers of it.
pub(super) struct Network {
    pub(super) plan: NetworkPlan,
    pub(super) record: Record,
}

/// What the operator remembers of the networks of namespaces; nothing where remediations cannot be read.
pub(super) async fn records(client: &Client, namespace: Option<&str>) -> BTreeMap<String, Record> {
    let api: Api<HardeningRemediation> = match namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let Ok(stored) = api.list(&ListParams::default()).await else {
        return BTreeMap::new();
    };
    let of_networks = stored.items.iter().filter_map(|remediation| {
        let target = convert::target(remediation).filter(|target| target.kind == Kind::Namespace)?;
        Some((target.name.to_string(), convert::record(remediation)))
    });
    of_networks.collect()
}

impl Network {
    /// Whether there is anything to tell: a namespace that is isolated, and stays as it is, is not worth a line.
    pub(super) fn is_news(&self) -> bool {
        match self.plan.decision {
            Decision::Leave => false,
            Decision::Keep => !self.plan.steps.is_empty(),
            Decision::Isolate | Decision::Withdraw | Decision::Hold(_) => true,
        }
    }

    /// Why it is not done, where that is decided.
    fn held(&self) -> Vec<(&'static str, String)> {
        if self.record.phase == Phase::Held {
            return vec![(self.record.reason.as_str(), self.record.message.clone())];
        }
        match &self.plan.disposition {
            Disposition::Held(reasons) => reasons.iter().map(|held| (held.reason(), held.to_string())).collect(),
            _ => Vec::new(),
        }
    }

    pub(super) fn is_held(&self) -> bool {
        !self.held().is_empty()
    }

    pub(super) fn write(&self, brief: bool, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
        let plan = &self.plan;
        let title = style.bold(&format!("Namespace {}", plan.namespace.name));
        let held = self.held();
        let hash = plan.hash.short();
        if held.is_empty() {
            let mode = if plan.preview { ", Preview" } else { "" };
            let risk = style.risk(plan.risk);
            writeln!(
                out,
                "{title}  default-deny ingress: risk {risk}, restarts nothing, plan {hash}{mode}"
            )?;
        } else {
            writeln!(out, "{title}  default-deny ingress: held ({})", generate::CONTROL)?;
            for (reason, message) in &held {
                writeln!(out, "  {reason}: {message}")?;
            }
        }
        if brief {
            return Ok(());
        }
        for step in &plan.steps {
            writeln!(out, "  {}  {}", generate::CONTROL, sentence(step))?;
        }
        for exposure in &plan.exposures {
            writeln!(out, "  {exposure}")?;
        }
        if held.is_empty() {
            for reason in &plan.risk_reasons {
                writeln!(out, "  {} {reason}", style.faint("risk:"))?;
            }
        }
        writeln!(out)
    }

    pub(super) fn as_json(&self) -> Value {
        let plan = &self.plan;
        let held = self.held();
        json!({
            "target": {"apiVersion": "v1", "kind": "Namespace", "namespace": "", "name": &*plan.namespace.name},
            "disposition": if held.is_empty() { "Ready" } else { "Held" },
            "hash": plan.hash.to_string(),
            "controls": [generate::CONTROL],
            "risk": plan.risk.as_str(),
            "riskReasons": plan.risk_reasons,
            "restart": {"strategy": "None", "pods": 0},
            "changes": plan.steps.iter().map(change).collect::<Vec<_>>(),
            "reach": plan.exposures.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "held": held.iter().map(|(reason, message)| json!({"reason": reason, "message": message})).collect::<Vec<_>>(),
        })
    }
}

fn sentence(step: &Step) -> String {
    match step {
        Step::Delete { name, .. } => format!("NetworkPolicy {name} goes"),
        Step::Apply(policy) => format!("NetworkPolicy {}{}", policy.name, because(policy)),
    }
}

/// From what it is known that it is needed.
fn because(policy: &Generated) -> String {
    if policy.why.is_empty() {
        return String::new();
    }
    let why: Vec<&str> = policy.why.iter().map(String::as_str).collect();
    format!(" ({})", why.join(", "))
}

fn change(step: &Step) -> Value {
    let to = match step {
        Step::Apply(policy) => policy.object["spec"].clone(),
        Step::Delete { .. } => Value::Null,
    };
    json!({"path": format!("/networkpolicies/{}", step.name()), "to": to, "controls": [generate::CONTROL]})
}
