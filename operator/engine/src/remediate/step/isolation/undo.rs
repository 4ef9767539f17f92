//! Taking everything of ours away: because a workload fares worse, because a human asked, because nothing asks for it any more.

use jiff::Timestamp;

use super::{REVERTED, blocked_until, of_network, settle, write};
use crate::network::Decision as Wanted;
use crate::remediate::step::{
    Answer, CountedOutcome, Effect, EventKind, Observed, Phase, Reason, Record, Sent, Step, controls_of, count, event,
    flight, wants_revert,
};
use crate::remediate::{Isolation, after};

/// A human asked to take it away.
pub(super) fn revert(record: &Record, mut next: Record, seen: &Observed<'_>, now: Timestamp) -> Step {
    let Some(decision) = wants_revert(record, seen) else {
        return Step::unchanged(record);
    };
    next.decided_generation = decision.generation;
    next.note_as(Reason::RevertRequested, now, &decision.by);
    settle(&mut next, now);
    next.enter(
        Phase::Reverting,
        Reason::RevertRequested,
        "being taken away because a human asked",
        now,
    );
    Step::to(record, next, [])
}

/// To RollingBack. What is deleted follows from the next plan, which knows of it.
pub(super) fn back(record: &Record, mut next: Record, reason: Reason, why: &str, now: Timestamp) -> Step {
    settle(&mut next, now);
    next.enter(Phase::RollingBack, reason, why, now);
    Step::to(record, next, [])
}

/// RollingBack and RollbackFailed: the policies go, the deny first; then the workloads must come back.
pub(super) fn rolling_back(
    record: &Record,
    next: Record,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    let plan = network.plan;
    let failed = record.phase == Phase::RollbackFailed;
    if plan.stands {
        let sent = seen.outcome.filter(|outcome| outcome.sent == Sent::Policies);
        if let (Some(Answer::Refused(why)), false) = (sent.map(|outcome| &outcome.answer), failed) {
            return give_up(
                record,
                next,
                &format!("the policies cannot be deleted: {why}"),
                network,
                now,
            );
        }
        return take_away(record, next, seen, network, now);
    }
    if network.health.failures.is_empty() || record.reason != Reason::RolloutFailed {
        return rolled_back(record, next, network, now);
    }
    let began = record.attempt.as_ref().and_then(|attempt| attempt.rolled_back_at);
    let patience = after(began.unwrap_or(now), flight::LEAST);
    if now >= patience && !failed {
        let why = "a workload did not come back in time after the rollback";
        return give_up(record, next, why, network, now);
    }
    Step::to(record, next, (!failed).then_some(Effect::WakeAt(patience)))
}

/// RolledBack, and at once what follows from it: both in one write.
fn rolled_back(record: &Record, mut next: Record, network: &Isolation<'_>, now: Timestamp) -> Step {
    let why = record.message.clone();
    match record.reason {
        Reason::Denied | Reason::Mutated => {
            next.enter(Phase::Held, record.reason, why, now);
            return Step::to(record, next, []);
        }
        Reason::TargetChanged => {
            next.enter(Phase::Pending, Reason::TargetChanged, why, now);
            return Step::to(record, next, []);
        }
        _ => {}
    }
    next.enter(Phase::RolledBack, record.reason, why.clone(), now);
    let message = format!("rolled back: {why}. Retry tries again");
    next.enter(Phase::Held, Reason::Quarantined, message, now);
    let told = [
        event(
            EventKind::RolledBack,
            of_network(network, &format!("rolled back: {why}")),
        ),
        count(CountedOutcome::RolledBack, controls_of(record)),
    ];
    Step::to(record, next, told)
}

fn give_up(record: &Record, mut next: Record, why: &str, network: &Isolation<'_>, now: Timestamp) -> Step {
    next.enter(Phase::RollbackFailed, record.reason, why, now);
    let told = [
        Effect::Stop,
        event(EventKind::RollbackFailed, of_network(network, why)),
        count(CountedOutcome::Failed, controls_of(record)),
    ];
    Step::to(record, next, told)
}

/// Reverting: until nothing of ours is left.
pub(super) fn reverting(
    record: &Record,
    mut next: Record,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    if network.plan.stands {
        return take_away(record, next, seen, network, now);
    }
    if record.reason == Reason::RevertRequested {
        next.enter(Phase::Reverted, Reason::RevertRequested, REVERTED, now);
    } else {
        next.plan = None;
        next.enter(
            Phase::Closed,
            Reason::PolicyGone,
            "nothing asks for isolation any more",
            now,
        );
    }
    let told = event(EventKind::Reverted, of_network(network, &next.message));
    Step::to(record, next, [told])
}

/// Sends the deletions of the plan, unless the last ones are to be waited for.
pub(super) fn take_away(
    record: &Record,
    next: Record,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    if let Some(until) = blocked_until(seen, now) {
        return Step::to(record, next, [Effect::WakeAt(until)]);
    }
    // A plan that knows nothing of it yet takes nothing away: the next one does.
    let takes = matches!(network.plan.decision, Wanted::Withdraw) && !network.plan.steps.is_empty();
    Step::to(record, next, takes.then(|| write(network)))
}
