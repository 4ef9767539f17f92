//! Our policies stand: they are kept as they should be, and until they are proven every workload of the namespace is watched.

use jiff::Timestamp;

use super::undo::{back, revert, take_away};
use super::{GOING, blocked_until, earliest, held, of_network, settle, write};
use crate::network::{Decision as Wanted, Start, generate};
use crate::remediate::step::{
    CountedOutcome, Effect, EventKind, Observed, Phase, Reason, Record, Step, controls_of, count, event, fresh, idle,
    wants_revert,
};
use crate::remediate::{FAILURES, Failure, Isolation, Signature, after};

const PROVEN: &str = "no workload of the namespace fares worse for the soak time; late failures still undo it";
const KEPT: &str = "ingress is denied by default, and what is known to be needed is allowed";

/// Verifying, Probation and Succeeded: our policies stand.
pub(super) fn standing(
    record: &Record,
    mut next: Record,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    let plan = network.plan;
    if wants_revert(record, seen).is_some() {
        return revert(record, next, seen, now);
    }
    if fresh(record, seen).is_some() {
        idle::note_decision(&mut next, seen, false, now);
    }
    match &plan.decision {
        Wanted::Hold(hold) => return held(record, next, hold, seen, network, now),
        Wanted::Withdraw if network.paused => return Step::unchanged(record),
        Wanted::Withdraw => {
            settle(&mut next, now);
            next.enter(Phase::Reverting, Reason::PolicyGone, GOING, now);
            return take_away(record, next, seen, network, now);
        }
        // Suspended, or on its way out: what stands stays.
        Wanted::Leave => return Step::unchanged(record),
        Wanted::Isolate => {
            settle(&mut next, now);
            next.enter(
                Phase::Pending,
                Reason::TargetChanged,
                "the policies are gone: it is planned anew",
                now,
            );
            return Step::to(record, next, []);
        }
        Wanted::Keep => {}
    }
    if let (true, Some(failure)) = (record.phase != Phase::Succeeded, network.health.failed(now)) {
        return failed(record, next, failure, now);
    }
    next.plan = Some(plan.hash.clone());
    let mut effects = Vec::new();
    let mut wake = progress(&mut next, network, &mut effects, now);
    let urgent = plan.start == Start::AtOnce;
    if !plan.steps.is_empty() && !network.paused {
        if urgent || now >= network.settled_at {
            match blocked_until(seen, now) {
                Some(until) => wake = earliest(wake, Some(until)),
                // An allow that is put back cannot wait for the record; it needs none.
                None if urgent => return urgently(record, next, write(network), effects),
                None => effects.push(write(network)),
            }
        } else {
            wake = earliest(wake, Some(network.settled_at));
        }
    }
    effects.extend(wake.map(Effect::WakeAt));
    Step::to(record, next, effects)
}

fn urgently(record: &Record, next: Record, first: Effect, then: Vec<Effect>) -> Step {
    let mut step = Step::to(record, next, then);
    step.effects.insert(0, first);
    step
}

/// Verifying to Probation to Succeeded, as time goes by in which nothing fails. Returns when to look again.
fn progress(
    next: &mut Record,
    network: &Isolation<'_>,
    effects: &mut Vec<Effect>,
    now: Timestamp,
) -> Option<Timestamp> {
    let controls = controls_of(next);
    let attempt = next.attempt.as_mut()?;
    let soon = network.health.fails_at(now);
    if next.phase == Phase::Verifying {
        if !network.health.below.is_empty() {
            attempt.ready_since = None; // it begins anew when all are back
            return soon;
        }
        let since = *attempt.ready_since.get_or_insert(now);
        let passes = after(since, attempt.soak);
        if now < passes {
            return earliest(soon, Some(passes));
        }
        attempt.probation_until = Some(after(now, attempt.probation));
        next.enter(Phase::Probation, Reason::Watching, PROVEN, now);
        effects.push(event(EventKind::Verified, of_network(network, PROVEN)));
        effects.push(count(CountedOutcome::Verified, controls));
    }
    if next.phase == Phase::Probation {
        let until = next.attempt.as_ref()?.probation_until.unwrap_or(now);
        if now < until {
            return earliest(soon, Some(until));
        }
        next.enter(Phase::Succeeded, Reason::Verified, KEPT, now);
    }
    None
}

/// A workload fares worse: everything that the attempt wrote goes.
fn failed(record: &Record, mut next: Record, failure: &Signature, now: Timestamp) -> Step {
    next.memory.failures.push(Failure {
        controls: [generate::CONTROL.to_owned()].into(),
        image_digest: None,
        reason: failure.symptom.reason().to_owned(),
        time: now,
    });
    let surplus = next.memory.failures.len().saturating_sub(FAILURES);
    next.memory.failures.drain(..surplus);
    back(record, next, Reason::RolloutFailed, &failure.message, now)
}
