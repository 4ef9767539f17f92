//! Everything that is not in flight: whether there is something to do, who or what holds it, and what it waits for.

use jiff::Timestamp;

use super::{Effect, Live, Observed, Phase, Reason, Record, Step, fight, flight, fresh, start, undo, wants_revert};
use crate::plan::{Disposition, Held, Plan};
use crate::policy::Mode;
use crate::remediate::suspects::{self, quarantine};
use crate::remediate::{Action, Fate, HANDS_OFF, after, fate};

/// Reverts that end the repairs of a target without a restart; of others one does.
const REVERTS_WITHOUT_RESTART: usize = 3;

/// One step of a target with nothing in flight.
pub(super) fn idle(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    let attempt = record
        .attempt
        .as_ref()
        .filter(|attempt| attempt.target_uid == live.workload.meta.uid);
    if let Some(attempt) = attempt {
        let landed = flight::landed_as(attempt, live).filter(|_| !attempt.is_settled() && !failing_since(record, live));
        if let Some(id) = landed {
            return flight::applied(record, id, now); // its answer was lost, and it landed after all
        }
        let stands = attempt.probation_until.is_some() && attempt.rolled_back_at.is_none();
        if stands && live.fate(attempt, seen.plan) == Fate::Undone {
            return fight(record, seen, live, now);
        }
    }
    // Our own objects were lost, the record on the target was not.
    if record.phase == Phase::New && fate::any_undone(live, seen.plan) {
        return fight(record, seen, live, now);
    }
    if wants_revert(record, seen).is_some() {
        return undo::begin(record, seen, live, now);
    }
    let mut next = record.clone();
    next.forget_old(now);
    let resumed = note_decision(&mut next, seen, live.is_as_left(record), now);
    if record.phase == Phase::Reverted && !resumed {
        return Step::to(record, next, []);
    }
    if failing_since(record, live) && !resumed {
        return Step::to(record, next, []);
    }
    if record.phase == Phase::Succeeded && seen.plan.is_none() && seen.mode >= Mode::Preview {
        return Step::to(record, next, []);
    }
    wait_or_start(record, next, resumed, seen, live, now)
}

/// Held because somebody else's template fails with our fields in it, and still the same.
fn failing_since(record: &Record, live: &Live<'_>) -> bool {
    record.phase == Phase::Held
        && record.reason == Reason::TemplateChanged
        && record
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.template_after == live.workload.template.hash)
}

/// Takes note of a new decision; whether it lets a held or reverted target go on. `as_left`: nobody changed the target since the last attempt, so that what broke
/// it would break it again.
pub(super) fn note_decision(next: &mut Record, seen: &Observed<'_>, as_left: bool, now: Timestamp) -> bool {
    let Some(decision) = fresh(next, seen) else {
        return false;
    };
    next.decided_generation = decision.generation;
    let reason = match decision.action {
        Action::Retry => {
            suspects::retry(&mut next.memory, as_left);
            next.memory.reverts.clear();
            Reason::Retried
        }
        Action::Approve => Reason::Approved,
        Action::Hold => Reason::HeldByHuman,
        Action::Revert => Reason::RevertRequested,
    };
    next.note_as(reason, now, &decision.by);
    undo::resumes(decision.action)
}

fn wait_or_start(
    record: &Record,
    mut next: Record,
    resumed: bool,
    seen: &Observed<'_>,
    live: &Live<'_>,
    now: Timestamp,
) -> Step {
    let plan = match seen.plan {
        Some(plan) if seen.mode >= Mode::Preview => plan,
        _ => return close(record, next, seen, now),
    };
    let shown_before = next.plan.replace(plan.hash.clone());
    if seen.mode == Mode::Preview || plan.preview {
        next.enter(
            Phase::Pending,
            Reason::Preview,
            "shown, not done: the mode is Preview",
            now,
        );
        return Step::to(record, next, []);
    }
    if let Some(message) = standing_fight(&next, Some(plan)) {
        return hold(record, next, Reason::Fight, message, None, now);
    }
    if let Some((message, until)) = held_by_human(&next, seen, now) {
        return hold(record, next, Reason::HeldByHuman, message, Some(until), now);
    }
    if let Some((message, until)) = quarantined(&next, plan, live, now) {
        return hold(record, next, Reason::Quarantined, message, until, now);
    }
    if !resumed && refused_before(record, shown_before.as_ref(), plan, live) {
        return Step::to(record, next, []);
    }
    match &plan.disposition {
        Disposition::Ready => {}
        Disposition::Held(reasons) => {
            let reason = reasons.first().map_or(Reason::Unclear, Reason::from);
            return hold(record, next, reason, sentence(reasons), None, now);
        }
        Disposition::NotRepairable(why) => {
            return hold(record, next, Reason::NotRepairable, why.clone(), None, now);
        }
    }
    let decided = next.last_decided(&[Reason::Approved, Reason::Retried]);
    if let Some(until) = live.hands_off_until(decided).filter(|until| now < *until) {
        let manager = live
            .human
            .as_ref()
            .map_or_else(String::new, |human| human.manager.clone());
        let held = Held::RecentHumanWrite { manager };
        return hold(
            record,
            next,
            Reason::RecentHumanWrite,
            held.to_string(),
            Some(until),
            now,
        );
    }
    start::start(record, next, plan, seen, live, now)
}

fn close(record: &Record, mut next: Record, seen: &Observed<'_>, now: Timestamp) -> Step {
    if matches!(record.phase, Phase::New | Phase::Closed) {
        return Step::unchanged(record);
    }
    let (reason, message) = if seen.mode >= Mode::Preview {
        (Reason::FindingGone, "nothing that can be repaired fails any more")
    } else {
        (Reason::PolicyGone, "no policy asks for repairs here any more")
    };
    next.plan = None;
    next.enter(Phase::Closed, reason, message, now);
    Step::to(record, next, [])
}

pub(super) fn hold(
    record: &Record,
    mut next: Record,
    reason: Reason,
    message: impl Into<String>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Step {
    next.enter(Phase::Held, reason, message, now);
    Step::to(record, next, until.map(Effect::WakeAt))
}

/// Somebody undid a repair of this target and nobody asked to try again: the sentence that says so.
pub(super) fn standing_fight(record: &Record, plan: Option<&Plan>) -> Option<String> {
    let allowed = match plan.map(|plan| plan.restart.strategy) {
        Some("None") => REVERTS_WITHOUT_RESTART,
        _ => 1,
    };
    let reverts = &record.memory.reverts;
    let last = reverts.last().filter(|_| reverts.len() >= allowed)?;
    let manager = last.manager.clone();
    Some(format!("{}. Retry tries again", Held::Fight { manager }))
}

/// A Hold counts for a day from when it was seen.
pub(super) fn held_by_human(record: &Record, seen: &Observed<'_>, now: Timestamp) -> Option<(String, Timestamp)> {
    let decision = seen.decision.filter(|decision| decision.action == Action::Hold)?;
    let until = after(record.last_decided(&[Reason::HeldByHuman])?, HANDS_OFF);
    (now < until).then(|| {
        let by = format!("{}: {}", decision.by, decision.reason);
        (Held::ByHuman { by }.to_string(), until)
    })
}

/// The plan is held while a control in it broke the target before.
fn quarantined(record: &Record, plan: &Plan, live: &Live<'_>, now: Timestamp) -> Option<(String, Option<Timestamp>)> {
    let (controls, lifts) = quarantine(record, plan, &live.rollout, now);
    if controls.is_empty() {
        return None;
    }
    let cause = record
        .memory
        .failures
        .last()
        .map_or("", |failure| failure.reason.as_str());
    let controls = controls.iter().map(|control| control.as_str()).collect::<Vec<_>>();
    let controls = controls.join(", ");
    let offer = suspects::offer(&record.memory, live.is_as_left(record));
    let message = format!("{} ({cause}). {offer}", Held::Quarantined { controls });
    Some((message, lifts))
}

/// Holds that only a human, or a changed input, ends: the API server's refusal of this very plan, the environment's of this very template.
fn refused_before(record: &Record, shown_before: Option<&crate::plan::PlanHash>, plan: &Plan, live: &Live<'_>) -> bool {
    if record.phase != Phase::Held {
        return false;
    }
    match record.reason {
        Reason::Mutated | Reason::Denied => shown_before == Some(&plan.hash),
        Reason::Environment => record
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.template_before == Some(live.workload.template.hash)),
        _ => false,
    }
}

pub(super) fn sentence(reasons: &[Held]) -> String {
    reasons.iter().map(Held::to_string).collect::<Vec<_>>().join("; ")
}
