//! A plan as people read it in `status.plan`: what would change, how risky it is, and what was seen. Nothing here is ever read back.

use ironside_crds::remediation as wire;
use ironside_engine::controls::{Evidence, Risk};
use ironside_engine::plan::Plan;
use serde_json::Value;

/// Longest texts that the custom resource takes.
const LONGEST_VALUE: usize = 512;
const LONGEST_LINE: usize = 256;
const LONGEST_NAME: usize = 128;

/// Longest lists that it takes.
const MOST_CHANGES: usize = 64;
const MOST_LINES: usize = 16;

/// Longest observed value within a line of evidence.
const LONGEST_OBSERVED: usize = 64;

/// What `status.plan` says.
pub(super) fn shown_plan(plan: &Plan) -> wire::Plan {
    let lines = |lines: Vec<String>| {
        lines
            .iter()
            .take(MOST_LINES)
            .map(|line| cut(line, LONGEST_LINE))
            .collect::<Vec<_>>()
    };
    wire::Plan {
        hash: plan.hash.0.clone(),
        controls: plan
            .controls
            .iter()
            .map(|control| control.as_str().to_owned())
            .collect(),
        changes: plan.changes.iter().take(MOST_CHANGES).map(shown_change).collect(),
        risk: match plan.risk {
            Risk::Low => wire::Risk::Low,
            Risk::Medium => wire::Risk::Medium,
            Risk::High => wire::Risk::High,
        },
        risk_reasons: lines(plan.risk_reasons.iter().chain(&plan.irreversible).cloned().collect()),
        restart: shown_restart(plan),
        evidence: lines(plan.evidence.iter().map(sentence).collect()),
    }
}

fn shown_change(change: &ironside_engine::plan::Change) -> wire::Change {
    wire::Change {
        path: cut(&change.pointer, LONGEST_VALUE),
        op: if change.from.is_some() {
            wire::ChangeOp::Replace
        } else {
            wire::ChangeOp::Add
        },
        from: change.from.as_ref().map(|value| cut(&value.to_string(), LONGEST_VALUE)),
        to: Some(cut(&change.to.to_string(), LONGEST_VALUE)),
        owner: change.owner.as_ref().map(|owner| cut(&owner.manager, LONGEST_NAME)),
        control: change.controls.first().map_or_else(String::new, ToString::to_string),
    }
}

fn shown_restart(plan: &Plan) -> Option<wire::Restart> {
    let strategy = match plan.restart.strategy {
        "RollingUpdate" => wire::RestartStrategy::RollingUpdate,
        "Recreate" => wire::RestartStrategy::Recreate,
        "OnDelete" => wire::RestartStrategy::OnDelete,
        "NextRun" => wire::RestartStrategy::NextRun,
        _ => return None,
    };
    Some(wire::Restart {
        strategy,
        pods: plan.restart.pods,
    })
}

/// `/spec/replicas: 1, expected 2 (kubectl, 2026-01-01T00:00:00Z)`: who wrote what was seen, and when, where managed fields tell.
fn sentence(evidence: &Evidence) -> String {
    let Evidence {
        pointer,
        container: _, // the pointer names its place
        observed,
        expected,
        owner,
    } = evidence;
    let observed = observed.as_ref().map_or_else(
        || "absent".to_owned(),
        |value: &Value| cut(&value.to_string(), LONGEST_OBSERVED),
    );
    let owner = owner.as_ref().map_or_else(String::new, |owner| match owner.time {
        Some(time) => format!(" ({}, {time})", owner.manager),
        None => format!(" ({})", owner.manager),
    });
    format!("{pointer}: {observed}, expected {expected}{owner}")
}

/// At most so many characters, with an ellipsis where something was left out.
pub(super) fn cut(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(longest - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use ironside_engine::model::FieldOwner;
    use serde_json::json;

    use super::*;

    #[test]
    fn evidence_says_what_was_seen_and_who_wrote_it() {
        let mut evidence = Evidence {
            pointer: "/spec/hostPID".to_owned(),
            container: None,
            observed: Some(json!(true)),
            expected: "false".to_owned(),
            owner: Some(FieldOwner {
                manager: "pipeline".to_owned(),
                apply: false,
                time: Some("2026-01-01T00:00:00Z".parse().unwrap()),
            }),
        };
        assert_eq!(
            sentence(&evidence),
            "/spec/hostPID: true, expected false (pipeline, 2026-01-01T00:00:00Z)"
        );
        evidence.observed = None;
        evidence.owner = None;
        assert_eq!(sentence(&evidence), "/spec/hostPID: absent, expected false");
        evidence.observed = Some(json!("x".repeat(500)));
        assert!(sentence(&evidence).chars().count() < LONGEST_LINE);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("äöüß", 3), "äö…");
    }
}
