//! The conditions of a policy: each aspect of its state in one word for programs and one sentence for people, without counters and times.

use std::collections::BTreeSet;

use ironside_crds::ConditionStatus;
use ironside_crds::conditions::{Observed, reasons, types};
use ironside_engine::policy::Pause;

use super::policy_status::{Facts, PausedBy};

/// Ids of failing controls that a message names; more would make it unreadable.
const NAMED: usize = 12;

/// What the conditions should say now.
pub(super) fn conditions_of(facts: &Facts<'_>) -> Vec<Observed> {
    let stalled = stalled(facts);
    vec![
        ready(facts, &stalled),
        reconciling(facts, &stalled),
        controls_resolved(facts),
        permissions_granted(facts),
        approval_guarded(facts),
        plans_recorded(facts),
        compliant(facts),
        remediation_stopped(facts),
        paused(facts),
        stalled,
    ]
}

/// Working on this spec; says nothing about whether the cluster complies.
fn ready(facts: &Facts<'_>, stalled: &Observed) -> Observed {
    let (status, reason, message) = if stalled.status == ConditionStatus::True {
        (false, stalled.reason, stalled.message.clone())
    } else if facts.score.is_none() {
        (false, reasons::SYNCING, "reading the cluster".to_owned())
    } else if !facts.stale.is_empty() {
        (
            false,
            reasons::STALE,
            format!("changes do not arrive: {}", list(facts.stale)),
        )
    } else if facts.policy.spec().suspend {
        (
            true,
            reasons::SUSPENDED,
            "nothing is judged and no repair starts because spec.suspend is true".to_owned(),
        )
    } else {
        (true, reasons::RECONCILED, "the policy is in effect".to_owned())
    };
    observed(types::READY, status, reason, message)
}

/// kstatus: in progress. Only while a spec was not processed yet; a policy that waits for something else is not reconciling for ever.
fn reconciling(facts: &Facts<'_>, stalled: &Observed) -> Observed {
    if facts.score.is_none() && stalled.status != ConditionStatus::True {
        return observed(
            types::RECONCILING,
            true,
            reasons::IN_PROGRESS,
            "reading the cluster".to_owned(),
        );
    }
    observed(
        types::RECONCILING,
        false,
        reasons::RECONCILED,
        "this spec has been processed".to_owned(),
    )
}

/// A spec that can never work. A problem of one control or window is not that: the rest works.
fn stalled(facts: &Facts<'_>) -> Observed {
    let fatal = facts
        .problems
        .iter()
        .find(|problem| matches!(problem.reason, reasons::UNKNOWN_PROFILE | reasons::INVALID_SELECTOR));
    match fatal {
        Some(problem) => observed(types::STALLED, true, problem.reason, problem.to_string()),
        None => observed(
            types::STALLED,
            false,
            reasons::RECONCILED,
            "this spec can work".to_owned(),
        ),
    }
}

fn controls_resolved(facts: &Facts<'_>) -> Observed {
    match facts.problems {
        [] => observed(
            types::CONTROLS_RESOLVED,
            true,
            reasons::RESOLVED,
            "every control, parameter, selector and schedule is understood".to_owned(),
        ),
        problems @ [first, ..] => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            observed(types::CONTROLS_RESOLVED, false, first.reason, all.join("; "))
        }
    }
}

fn permissions_granted(facts: &Facts<'_>) -> Observed {
    if facts.missing_permissions.is_empty() {
        return observed(
            types::PERMISSIONS_GRANTED,
            true,
            reasons::GRANTED,
            "the operator may do what the enabled controls need".to_owned(),
        );
    }
    observed(
        types::PERMISSIONS_GRANTED,
        false,
        reasons::PERMISSION_DENIED,
        format!("the operator may not {}", list(facts.missing_permissions)),
    )
}

fn approval_guarded(facts: &Facts<'_>) -> Observed {
    if facts.approval_guarded {
        return observed(
            types::APPROVAL_GUARDED,
            true,
            reasons::GUARDED,
            "only users with the verb approve can decide on repairs".to_owned(),
        );
    }
    observed(
        types::APPROVAL_GUARDED,
        false,
        reasons::UNGUARDED,
        "ValidatingAdmissionPolicy ironside-approval or its binding is missing or was changed; approvals are ignored (apply config/admission/approval)"
            .to_owned(),
    )
}

/// The limits keep the number of objects bounded; what they leave out must not look as if it did not exist.
fn plans_recorded(facts: &Facts<'_>) -> Observed {
    if facts.unrecorded {
        return observed(
            types::PLANS_RECORDED,
            false,
            reasons::LIMIT_REACHED,
            "there are as many HardeningRemediations as may be; `ironside plan` prints the plans without one"
                .to_owned(),
        );
    }
    observed(
        types::PLANS_RECORDED,
        true,
        reasons::RECORDED,
        "every plan has a HardeningRemediation".to_owned(),
    )
}

fn compliant(facts: &Facts<'_>) -> Observed {
    let unknown = |message: &str| Observed {
        type_: types::COMPLIANT,
        status: ConditionStatus::Unknown,
        reason: reasons::INCOMPLETE,
        message: message.to_owned(),
    };
    let Some(score) = &facts.score else {
        return unknown("the cluster has not been read yet");
    };
    let total = score.findings;
    if !facts.failing.is_empty() {
        observed(
            types::COMPLIANT,
            false,
            reasons::CONTROLS_FAILED,
            format!("failing: {}", list(&facts.failing)),
        )
    } else if total.unknown > 0 {
        unknown("nothing fails, but not everything could be looked at")
    } else if facts.policy.spec().suspend {
        unknown("nothing is judged because spec.suspend is true")
    } else if total.passed + total.excepted == 0 {
        unknown("nothing was judged: no object is covered by an enabled control")
    } else {
        observed(
            types::COMPLIANT,
            true,
            reasons::ALL_PASSED,
            "every control passes or is excepted".to_owned(),
        )
    }
}

fn remediation_stopped(facts: &Facts<'_>) -> Observed {
    match &facts.stop {
        Some(stop) => observed(types::REMEDIATION_STOPPED, true, stop.reason, stop.message.clone()),
        None => observed(
            types::REMEDIATION_STOPPED,
            false,
            reasons::RUNNING,
            "repairs were not stopped".to_owned(),
        ),
    }
}

fn paused(facts: &Facts<'_>) -> Observed {
    let Some((pause, by)) = facts.paused else {
        return observed(
            types::PAUSED,
            false,
            reasons::RUNNING,
            "repairs are not paused".to_owned(),
        );
    };
    match (pause, by) {
        (Pause::Malformed, _) => observed(
            types::PAUSED,
            true,
            reasons::MALFORMED_PAUSE,
            "pause-until is not an RFC 3339 time, which counts as paused".to_owned(),
        ),
        (Pause::Until(until), PausedBy::Annotation) => observed(
            types::PAUSED,
            true,
            reasons::PAUSED_BY_ANNOTATION,
            format!("repairs do not start before {until}"),
        ),
        (Pause::Until(until), PausedBy::Command) => observed(
            types::PAUSED,
            true,
            reasons::PAUSED_BY_COMMAND,
            format!("all repairs are paused until {until} (ironside pause)"),
        ),
    }
}

fn observed(type_: &'static str, status: bool, reason: &'static str, message: String) -> Observed {
    Observed {
        type_,
        status: status.into(),
        reason,
        message: shortened(message),
    }
}

/// The definition allows 4,096 characters.
fn shortened(message: String) -> String {
    const LONGEST: usize = 2000;
    if message.chars().count() <= LONGEST {
        return message;
    }
    message.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// The first few, in order, so that the text does not change with the order of what was found.
fn list(items: &BTreeSet<String>) -> String {
    let named: Vec<&str> = items.iter().take(NAMED).map(String::as_str).collect();
    let rest = if items.len() > NAMED { " and others" } else { "" };
    format!("{}{rest}", named.join(", "))
}
