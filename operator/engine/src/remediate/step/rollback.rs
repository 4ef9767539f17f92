//! RollingBack, RolledBack and RollbackFailed: the template goes back exactly, the workload must come back too, and what broke it is remembered.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Answer, CountedOutcome, Effect, EventKind, Live, Observed, Phase, Reason, Record, Sent, Step, answer,
    blocked_until, controls_of, count, event, fight, flight, undo, wants_revert,
};
use crate::remediate::{Attempt, FAILURES, Failure, Fate, Signature, Symptom, after, suspects};

/// How often a failed rollback is tried again.
pub(super) const TRY_AGAIN: Duration = Duration::from_mins(1);

/// The rollout broke: remember what is to blame, then take it back.
pub(super) fn begin(record: &Record, failure: &Signature, live: &Live<'_>, now: Timestamp) -> Step {
    let mut next = record.clone();
    let controls = record
        .attempt
        .as_ref()
        .map(|attempt| failure.blamed(&attempt.controls))
        .unwrap_or_default();
    next.memory.failures.push(Failure {
        controls,
        image_digest: suspects::digest(&live.rollout.images),
        reason: failure.symptom.reason().to_owned(),
        time: now,
    });
    let surplus = next.memory.failures.len().saturating_sub(FAILURES);
    next.memory.failures.drain(..surplus);
    let reason = if failure.symptom == Symptom::DeadlineExceeded {
        Reason::DeadlineExceeded
    } else {
        Reason::RolloutFailed
    };
    back(record, next, reason, &failure.message, live, now)
}

/// A human asked to undo what is in flight.
pub(super) fn on_request(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    let exact = record
        .attempt
        .as_ref()
        .is_some_and(|attempt| attempt.template_before.is_some() && live.fate(attempt, seen.plan) == Fate::Intact);
    let Some(decision) = wants_revert(record, seen).filter(|_| exact) else {
        return undo::begin(record, seen, live, now);
    };
    let mut next = record.clone();
    next.decided_generation = decision.generation;
    next.note_as(Reason::RevertRequested, now, &decision.by);
    back(
        record,
        next,
        Reason::RevertRequested,
        "a human asked to undo it",
        live,
        now,
    )
}

fn back(record: &Record, mut next: Record, reason: Reason, why: &str, live: &Live<'_>, now: Timestamp) -> Step {
    let Some(attempt) = &mut next.attempt else {
        return Step::unchanged(record);
    };
    attempt.rolled_back_at = Some(now);
    match undo::exactly(attempt, live) {
        Ok(patch) => {
            next.enter(Phase::RollingBack, reason, why, now);
            Step::to(record, next, [Effect::Undo { patch }])
        }
        Err(problem) => give_up(
            record,
            next,
            &format!("{why}; it cannot be undone: {problem}"),
            live,
            now,
        ),
    }
}

/// RollingBack and RollbackFailed: what the target shows decides what is left to do.
pub(super) fn rolling_back(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    let Some(attempt) = &record.attempt else {
        return Step::unchanged(record);
    };
    let hash = live.workload.template.hash;
    let recorded = live
        .applied
        .iter()
        .flat_map(|applied| &applied.applied)
        .any(|a| a.attempt == attempt.id);
    let before = Some(hash) == attempt.template_before;
    if before && !recorded {
        return recovering(record, attempt, live, now);
    }
    if before || hash != attempt.template_after {
        // Our own undo takes the record along. Where it is still there and the fields are not, somebody else was faster, and would be again. And never a
        // template that is not the one we made: whoever wrote it goes on from here.
        return match live.fate(attempt, seen.plan) {
            Fate::Undone if recorded => fight(record, seen, live, now),
            Fate::Kept if recorded => flight::verify_anew(record, live, now),
            _ => {
                let why = format!(
                    "{} changed the template during the rollback",
                    live.writer_since(Some(attempt))
                );
                rolled_back(record, Reason::Superseded, &why, live, now)
            }
        };
    }
    let failed = record.phase == Phase::RollbackFailed;
    if let Some(outcome) = answer(seen, live, &Sent::Undo) {
        if let Answer::Refused(why) = &outcome.answer {
            if !failed {
                return give_up(record, record.clone(), &format!("undo was refused: {why}"), live, now);
            }
            let again = after(outcome.at, TRY_AGAIN);
            if now < again {
                return Step::wait(record, Some(again));
            }
        }
        if let Some(until) = blocked_until(outcome, now) {
            return overdue(record, attempt, live, until, now);
        }
    }
    match undo::exactly(attempt, live) {
        Ok(patch) => Step::to(record, record.clone(), [Effect::Undo { patch }]),
        Err(_) if failed => Step::unchanged(record),
        Err(problem) => give_up(
            record,
            record.clone(),
            &format!("it cannot be undone: {problem}"),
            live,
            now,
        ),
    }
}

/// The template is back; the workload must be, too.
fn recovering(record: &Record, attempt: &Attempt, live: &Live<'_>, now: Timestamp) -> Step {
    let rollout = &live.rollout;
    let wanted = attempt.baseline.ready.min(rollout.desired);
    if rollout.available >= wanted && rollout.stuck.is_empty() {
        let why = record.message.clone();
        return rolled_back(record, record.reason, &why, live, now);
    }
    let mut step = overdue(record, attempt, live, Timestamp::MAX, now);
    if !rollout.stuck.is_empty() {
        step.effects.push(Effect::DeletePods(rollout.stuck.clone()));
    }
    step
}

/// Waits until `until`, or gives up when the rollback took as long as the rollout was allowed to and does not come forward.
fn overdue(record: &Record, attempt: &Attempt, live: &Live<'_>, until: Timestamp, now: Timestamp) -> Step {
    if record.phase == Phase::RollbackFailed {
        return Step::wait(record, (until < Timestamp::MAX).then_some(until));
    }
    let started = attempt.rolled_back_at.unwrap_or(now);
    let deadline = flight::deadline(live, flight::LEAST, started).unwrap_or(Timestamp::MAX);
    let patience = live
        .rollout
        .progressed_at
        .map_or(deadline, |at| deadline.max(after(at, live.rollout.pace.step)));
    if now >= patience {
        let why = "the workload did not come back in time after the rollback";
        return give_up(record, record.clone(), why, live, now);
    }
    Step::wait(record, Some(until.min(patience)))
}

/// RolledBack, and at once what follows from it: both in one write.
fn rolled_back(record: &Record, reason: Reason, why: &str, live: &Live<'_>, now: Timestamp) -> Step {
    let mut next = record.clone();
    let requested = record.reason == Reason::RevertRequested;
    let target = live.workload.reference();
    if requested {
        let message = "undone because a human asked; only Retry or Approve starts again";
        next.enter(Phase::Reverted, Reason::RevertRequested, message, now);
        let note = format!("repair of {target} was undone on request: {why}");
        return Step::to(record, next, [event(EventKind::Reverted, note)]);
    }
    next.enter(Phase::RolledBack, reason, why, now);
    let environment = next
        .memory
        .failures
        .last()
        .and_then(|failure| Symptom::parse(&failure.reason))
        .is_some_and(Symptom::is_environmental);
    if environment {
        let message =
            format!("rolled back: {why}. The repair is not to blame; Retry, or a changed target, tries again");
        next.enter(Phase::Held, Reason::Environment, message, now);
    } else {
        let message = format!("rolled back: {why}. {}", suspects::offer(&next.memory, true));
        next.enter(Phase::Held, Reason::Quarantined, message, now);
    }
    Step::to(
        record,
        next,
        [
            event(
                EventKind::RolledBack,
                format!("repair of {target} was rolled back: {why}"),
            ),
            count(CountedOutcome::RolledBack, controls_of(record)),
        ],
    )
}

/// RollbackFailed: a human must look. All repairs of the policies behind it stop.
fn give_up(record: &Record, mut next: Record, why: &str, live: &Live<'_>, now: Timestamp) -> Step {
    next.enter(Phase::RollbackFailed, next.reason, why, now);
    let note = format!("rollback of {} failed: {why}", live.workload.reference());
    Step::to(
        record,
        next,
        [
            Effect::Stop,
            event(EventKind::RollbackFailed, note),
            count(CountedOutcome::Failed, controls_of(record)),
        ],
    )
}
