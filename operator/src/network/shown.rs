//! A network plan as people read it before they approve: what is written, what stays open, what is cut.

use ironside_crds::remediation::{Change, ChangeOp, Plan, Risk};
use ironside_engine::controls::Risk as EngineRisk;
use ironside_engine::network::{Decision, NetworkPlan, Step, generate};

// Bounds of the status' schema.
const MOST_CHANGES: usize = 64;
const MOST_LINES: usize = 16;
const LONGEST_LINE: usize = 256;
const LONGEST_VALUE: usize = 512;

/// The plan for the status of the remediation.
pub(super) fn shown(plan: &NetworkPlan) -> Plan {
    let written: Vec<Change> = match &plan.decision {
        // What is approved and kept, whether or not something has to be written for it now.
        Decision::Isolate | Decision::Keep => plan
            .wanted
            .iter()
            .map(|policy| Change {
                path: path(&policy.name),
                op: ChangeOp::Add,
                from: None,
                to: Some(short(&policy.object["spec"].to_string(), LONGEST_VALUE)),
                owner: None,
                control: generate::CONTROL.to_owned(),
            })
            .collect(),
        _ => plan.steps.iter().map(removed).collect(),
    };
    Plan {
        hash: plan.hash.0.clone(),
        controls: [generate::CONTROL.to_owned()].into(),
        changes: written.into_iter().take(MOST_CHANGES).collect(),
        risk: match plan.risk {
            EngineRisk::Low => Risk::Low,
            EngineRisk::Medium => Risk::Medium,
            EngineRisk::High => Risk::High,
        },
        risk_reasons: lines(plan.risk_reasons.iter().cloned()),
        restart: None,
        evidence: lines(plan.exposures.iter().map(ToString::to_string)),
    }
}

fn removed(step: &Step) -> Change {
    Change {
        path: path(step.name()),
        op: match step {
            Step::Apply(_) => ChangeOp::Replace,
            Step::Delete { .. } => ChangeOp::Remove,
        },
        from: None,
        to: None,
        owner: None,
        control: generate::CONTROL.to_owned(),
    }
}

fn path(policy: &str) -> String {
    format!("/networkpolicies/{policy}")
}

fn lines(lines: impl Iterator<Item = String>) -> Vec<String> {
    lines.take(MOST_LINES).map(|line| short(&line, LONGEST_LINE)).collect()
}

/// The beginning of a text, at most so many characters.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}
