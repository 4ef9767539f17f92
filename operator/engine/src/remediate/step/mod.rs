//! One step of one target: which phase decides, and what all of them share.

mod flight;
mod idle;
mod isolation;
mod rollback;
mod start;
mod undo;

pub use isolation::{network_memory, takes_away};

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Action, Answer, Count, CountedOutcome, Decision, Effect, Event, EventKind, Live, Observed, Outcome, Phase, REVERTS,
    Reason, Record, Revert, Sent, Step, Target,
};

/// How long an answer that settles nothing keeps the same request from being sent again, unless the target changes first.
const AGAIN: Duration = Duration::from_secs(10);

/// Decides what to remember and what to do next. Pure and idempotent: with the same arguments it says the same, and when nothing changed since the last
/// step it asks for nothing but to be woken.
pub fn step(record: &Record, seen: &Observed<'_>, now: Timestamp) -> Step {
    if seen.leader.is_none() {
        return Step::unchanged(record);
    }
    let live = match &seen.target {
        Target::Unseen => return Step::unchanged(record),
        Target::Gone => return gone(record, now),
        Target::Network(network) => return isolation::step(record, seen, network, now),
        Target::Live(live) => live.as_ref(),
    };
    let seen_generation = live.workload.meta.generation;
    if let Some(attempt) = &record.attempt {
        let same_object = attempt.target_uid == live.workload.meta.uid;
        if record.phase.in_flight() && !same_object {
            return gone(record, now);
        }
        if same_object && seen_generation < attempt.seen_generation {
            return Step::unchanged(record); // whoever wrote the record had seen more
        }
    }
    let mut step = match record.phase {
        Phase::Applying => flight::applying(record, seen, live, now),
        Phase::Verifying | Phase::Probation => flight::watching(record, seen, live, now),
        Phase::RollingBack | Phase::RollbackFailed => rollback::rolling_back(record, seen, live, now),
        Phase::Reverting => undo::reverting(record, seen, live, now),
        Phase::New
        | Phase::Pending
        | Phase::Held
        | Phase::RolledBack
        | Phase::Succeeded
        | Phase::Reverted
        | Phase::Closed => idle::idle(record, seen, live, now),
    };
    if let (Some(Effect::Persist), Some(attempt)) = (step.effects.first(), &mut step.record.attempt)
        && attempt.target_uid == live.workload.meta.uid
    {
        attempt.seen_generation = seen_generation;
    }
    step
}

/// Nothing is left of the target, so nothing can be verified or undone.
fn gone(record: &Record, now: Timestamp) -> Step {
    if matches!(record.phase, Phase::New | Phase::Closed) {
        return Step::unchanged(record);
    }
    let mut next = record.clone();
    next.enter(
        Phase::Closed,
        Reason::TargetGone,
        "the target is gone, or was created anew",
        now,
    );
    Step::to(record, next, [])
}

/// Somebody took our fields away: they win. Ends the attempt; repairs of this target stop, or for targets without a restart after a third time.
fn fight(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    let mut next = record.clone();
    let manager = live.writer_since(record.attempt.as_ref()).to_owned();
    next.memory.reverts.push(Revert {
        manager: manager.clone(),
        time: now,
    });
    let surplus = next.memory.reverts.len().saturating_sub(REVERTS);
    next.memory.reverts.drain(..surplus);
    if let Some(attempt) = &mut next.attempt {
        attempt.rolled_back_at.get_or_insert(now);
    }
    let note = format!("{manager} undid a repair of {}", live.workload.reference());
    match idle::standing_fight(&next, seen.plan) {
        Some(message) => next.enter(Phase::Held, Reason::Fight, message, now),
        None => next.enter(Phase::Pending, Reason::TargetChanged, "it is planned anew", now),
    }
    let controls = controls_of(record);
    Step::to(
        record,
        next,
        [
            event(EventKind::Conflict, note),
            Effect::Count(Count::Fight { manager }),
            count(CountedOutcome::Conflict, controls),
        ],
    )
}

impl Record {
    /// Moves to a phase; a change of phase becomes part of the history.
    fn enter(&mut self, phase: Phase, reason: Reason, message: impl Into<String>, now: Timestamp) {
        let moved = self.phase != phase;
        self.phase = phase;
        self.reason = reason;
        self.message = message.into();
        if moved {
            self.note(now, None);
        }
    }

    /// Makes a human's decision part of the history.
    fn note_as(&mut self, reason: Reason, now: Timestamp, by: &str) {
        let stands_for = std::mem::replace(&mut self.reason, reason);
        self.note(now, Some(by));
        self.reason = stands_for;
    }
}

/// The decision, if it was not taken note of yet.
fn fresh<'a>(record: &Record, seen: &Observed<'a>) -> Option<&'a Decision> {
    seen.decision
        .filter(|decision| decision.generation > record.decided_generation)
}

/// A human's wish to undo, not taken note of yet.
fn wants_revert<'a>(record: &Record, seen: &Observed<'a>) -> Option<&'a Decision> {
    fresh(record, seen).filter(|decision| decision.action == Action::Revert)
}

/// The answer to a request of this kind that was made for the target as it still is.
fn answer<'a>(seen: &Observed<'a>, live: &Live<'_>, sent: &Sent) -> Option<&'a Outcome> {
    seen.outcome
        .filter(|outcome| outcome.sent == *sent && outcome.generation == live.workload.meta.generation)
}

/// Until when a request like the answered one must not be sent again, although it was not done as far as is known.
fn blocked_until(outcome: &Outcome, now: Timestamp) -> Option<Timestamp> {
    let until = match outcome.answer {
        Answer::Later(until) => until,
        Answer::Changed(_) | Answer::Unknown | Answer::Done => super::after(outcome.at, AGAIN),
        Answer::Differs(_) | Answer::Refused(_) => return None,
    };
    (now < until).then_some(until)
}

fn controls_of(record: &Record) -> Vec<String> {
    record
        .attempt
        .as_ref()
        .map(|attempt| attempt.controls.iter().cloned().collect())
        .unwrap_or_default()
}

fn event(kind: EventKind, note: String) -> Effect {
    Effect::Event(Event { kind, note })
}

fn count(outcome: CountedOutcome, controls: Vec<String>) -> Effect {
    Effect::Count(Count::Remediation { outcome, controls })
}
