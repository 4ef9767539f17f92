//! The network of a namespace: the same phases, with our own policies in place of a patch, and the health of every workload of the namespace in place of one
//! rollout.
//!
//! Policies are several objects, so an isolation is not one request. What was begun is finished or taken away by whoever leads next, and every request can be
//! repeated. What is to be written follows from the plan, made anew for each step from what is there ([`crate::network`]); a step decides whether it is.

mod standing;
mod start;
mod undo;

use jiff::{SignedDuration, Timestamp};

use super::{Answer, Effect, EventKind, Observed, Phase, Reason, Record, Sent, Step, event, fresh, idle, rollback};
use crate::network::restore::{HOLD, Hold, HoldReason, Memory, Revert};
use crate::network::{Decision as Wanted, Start};
use crate::plan::Disposition;
use crate::remediate::{Action, Attempt, Isolation, Outcome, after};

use standing::standing;
use start::{adopt, applying, may_start};
use undo::{revert, reverting, rolling_back, take_away};

/// Pause before the same policies are written once more when nobody knows what became of the last request.
const AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// What the plan has to remember of a record.
pub fn network_memory(record: &Record) -> Memory {
    Memory {
        closed: matches!(record.phase, Phase::Verifying | Phase::Probation | Phase::Succeeded),
        hold: hold_of(record),
        reverts: record
            .memory
            .reverts
            .iter()
            .map(|revert| Revert {
                manager: revert.manager.clone(),
                time: revert.time,
            })
            .collect(),
    }
}

/// Whether a record wants everything of ours taken away, whatever the policies ask.
pub fn takes_away(record: &Record) -> bool {
    matches!(
        record.phase,
        Phase::RollingBack | Phase::RolledBack | Phase::RollbackFailed | Phase::Reverting | Phase::Reverted
    ) || (record.phase == Phase::Held
        && matches!(record.reason, Reason::Quarantined | Reason::Denied | Reason::Mutated))
}

fn hold_of(record: &Record) -> Option<Hold> {
    if record.phase != Phase::Held {
        return None;
    }
    let last = record.memory.reverts.last().map(|revert| revert.manager.clone());
    let manager = || last.unwrap_or_default();
    let why = match record.reason {
        Reason::DenyDeleted => HoldReason::DenyDeleted,
        Reason::DenyAltered => HoldReason::DenyAltered(manager()),
        Reason::Fight => HoldReason::Fight(manager()),
        _ => return None,
    };
    let mut entries = record.history.iter().rev();
    let since = entries.find(|entry| entry.phase == Phase::Held && entry.reason == record.reason)?;
    Some(Hold {
        until: since.time.checked_add(HOLD).unwrap_or(Timestamp::MAX),
        why,
    })
}

/// One step of a namespace.
pub(super) fn step(record: &Record, seen: &Observed<'_>, network: &Isolation<'_>, now: Timestamp) -> Step {
    let anew = |attempt: &Attempt| attempt.target_uid != network.plan.uid;
    if record.phase.in_flight() && record.attempt.as_ref().is_some_and(anew) {
        return super::gone(record, now);
    }
    let mut next = record.clone();
    note_reverts(&mut next, network);
    match record.phase {
        Phase::Applying => applying(record, next, seen, network, now),
        Phase::Verifying | Phase::Probation | Phase::Succeeded => standing(record, next, seen, network, now),
        Phase::RollingBack | Phase::RollbackFailed => rolling_back(record, next, seen, network, now),
        Phase::Reverting => reverting(record, next, seen, network, now),
        Phase::New | Phase::Pending | Phase::Held | Phase::RolledBack | Phase::Reverted | Phase::Closed => {
            resting(record, next, seen, network, now)
        }
    }
}

/// Changes of our policies by others, as the plan counts them.
fn note_reverts(next: &mut Record, network: &Isolation<'_>) {
    let reverts = network.plan.memory.reverts.iter();
    next.memory.reverts = reverts
        .map(|revert| crate::remediate::Revert {
            manager: revert.manager.clone(),
            time: revert.time,
        })
        .collect();
}

/// Nothing of ours should be there, or nothing is known about it yet.
fn resting(record: &Record, mut next: Record, seen: &Observed<'_>, network: &Isolation<'_>, now: Timestamp) -> Step {
    let plan = network.plan;
    next.forget_old(now);
    if let Some(decision) = fresh(record, seen) {
        let leaves = matches!(
            (decision.action, record.phase),
            (Action::Retry, _) | (Action::Approve, Phase::Reverted)
        );
        if decision.action == Action::Revert && plan.stands {
            return revert(record, next, seen, now);
        }
        idle::note_decision(&mut next, seen, false, now);
        if decision.action == Action::Revert {
            next.enter(Phase::Reverted, Reason::RevertRequested, REVERTED, now);
        } else if leaves {
            next.enter(Phase::Pending, Reason::Retried, "a human asked to go on", now);
        }
        return Step::to(record, next, []); // what follows is decided with a plan that knows of it
    }
    if takes_away(record) {
        if plan.stands {
            return take_away(record, next, seen, network, now); // a request that was late
        }
        if record.phase == Phase::Reverted {
            return Step::to(record, next, []);
        }
    }
    match &plan.decision {
        Wanted::Hold(hold) => held(record, next, hold, seen, network, now),
        Wanted::Withdraw if network.paused => Step::unchanged(record),
        Wanted::Withdraw => {
            next.enter(Phase::Reverting, Reason::PolicyGone, GOING, now);
            take_away(record, next, seen, network, now)
        }
        Wanted::Leave => close(record, next, now),
        Wanted::Keep => adopt(record, next, seen, network, now),
        Wanted::Isolate => may_start(record, next, seen, network, now),
    }
}

const GOING: &str = "taking the default deny away, then the allows";

const REVERTED: &str = "nothing that Ironside wrote is left; only a human's Retry or Approve starts again";

fn close(record: &Record, mut next: Record, now: Timestamp) -> Step {
    if matches!(record.phase, Phase::New | Phase::Closed) {
        return Step::unchanged(record);
    }
    next.plan = None;
    next.enter(
        Phase::Closed,
        Reason::PolicyGone,
        "nothing asks for isolation any more",
        now,
    );
    Step::to(record, next, [])
}

/// Hands off; where the deny was deleted our allows go, too.
fn held(
    record: &Record,
    mut next: Record,
    hold: &Hold,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    let reason = match hold.why {
        HoldReason::DenyDeleted => Reason::DenyDeleted,
        HoldReason::DenyAltered(_) => Reason::DenyAltered,
        HoldReason::Fight(_) => Reason::Fight,
    };
    settle(&mut next, now);
    let message = sentence(&network.plan.disposition);
    let moved = record.phase != Phase::Held || record.reason != reason;
    next.enter(Phase::Held, reason, message.clone(), now);
    if moved && record.phase == Phase::Held {
        next.note(now, None); // its time begins now
    }
    let mut effects = Vec::new();
    if moved {
        let kind = if reason == Reason::Fight {
            EventKind::Conflict
        } else {
            EventKind::Skipped
        };
        effects.push(event(kind, of_network(network, &message)));
    }
    let plan = network.plan;
    let mut wake = hold.until;
    if plan.start == Start::AtOnce && !plan.steps.is_empty() && !network.paused {
        match blocked_until(seen, now) {
            Some(until) => wake = wake.min(until),
            None => effects.push(write(network)),
        }
    }
    effects.push(Effect::WakeAt(wake));
    Step::to(record, next, effects)
}

/// When a request like the answered one may be sent again, if not now.
fn again_at(outcome: &Outcome, now: Timestamp) -> Option<Timestamp> {
    let until = match outcome.answer {
        Answer::Later(until) => until,
        Answer::Changed(_) | Answer::Unknown => outcome.at.checked_add(AGAIN).unwrap_or(now),
        Answer::Refused(_) => after(outcome.at, rollback::TRY_AGAIN),
        Answer::Done | Answer::Differs(_) => return None,
    };
    (now < until).then_some(until)
}

/// Until when no policies are to be written, because of what became of the last ones.
fn blocked_until(seen: &Observed<'_>, now: Timestamp) -> Option<Timestamp> {
    seen.outcome
        .filter(|outcome| outcome.sent == Sent::Policies)
        .and_then(|outcome| again_at(outcome, now))
}

/// It is known how the attempt ended.
fn settle(next: &mut Record, now: Timestamp) {
    if let Some(attempt) = &mut next.attempt {
        attempt.rolled_back_at.get_or_insert(now);
    }
}

fn write(network: &Isolation<'_>) -> Effect {
    Effect::WritePolicies {
        steps: network.plan.steps.clone(),
    }
}

fn sentence(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Held(reasons) => idle::sentence(reasons),
        _ => String::new(),
    }
}

fn of_network(network: &Isolation<'_>, what: &str) -> String {
    format!("network of namespace {}: {what}", network.plan.namespace.name)
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}
