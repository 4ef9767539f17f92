//! Applying, Verifying and Probation: from the claim to a proven repair, under the settings of the attempt.

use std::time::Duration;

use jiff::Timestamp;

use super::{
    Answer, CountedOutcome, Effect, EventKind, Live, Observed, Phase, Reason, Record, Sent, Step, controls_of, count,
    event, fight, rollback, wants_revert,
};
use crate::remediate::verify::{Verdict, judge, judge_late};
use crate::remediate::{Attempt, Fate, Signature, after, fate};

/// How long a claim without a known outcome is given for its patch to show. A patch that lands still later is recognised by its record.
const GRACE: Duration = Duration::from_secs(5);

/// Least time for a rollout that was not started under a policy's setting: a rollback, or somebody else's template. `minDeadline`'s own default.
pub(super) const LEAST: Duration = Duration::from_mins(15);

/// Applying: did the patch land? The target knows; the phase does not.
pub(super) fn applying(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    let Some(attempt) = &record.attempt else {
        return planned_anew(record, "the claim names no attempt", now);
    };
    if let Some(id) = landed_as(attempt, live) {
        return applied(record, id, now);
    }
    let outcome = seen.outcome.filter(|outcome| outcome.sent == Sent::Patch(attempt.id));
    match outcome.map(|outcome| &outcome.answer) {
        Some(Answer::Done) => applied(record, attempt.id, now),
        Some(Answer::Changed(_)) => planned_anew(record, "the target changed meanwhile", now),
        Some(Answer::Later(_)) => planned_anew(record, "the API server was busy", now),
        Some(Answer::Refused(why) | Answer::Differs(why)) => {
            let mut next = record.clone();
            next.attempt
                .as_mut()
                .map(|attempt| attempt.rolled_back_at.get_or_insert(now));
            next.enter(Phase::Held, Reason::Denied, format!("refused: {why}"), now);
            Step::to(record, next, [count(CountedOutcome::Failed, controls_of(record))])
        }
        Some(Answer::Unknown) | None => {
            let sent = outcome.map_or(attempt.started_at, |outcome| outcome.at);
            let until = after(sent, GRACE);
            if now < until {
                return Step::wait(record, Some(until));
            }
            planned_anew(record, "the repair did not reach the target", now)
        }
    }
}

/// The number under which the target carries what this attempt was to write, if it does: its patch landed, whatever became of its fields since. An earlier
/// claim of the same plan, whose request was late, counts as well where its fields stand.
pub(super) fn landed_as(attempt: &Attempt, live: &Live<'_>) -> Option<i64> {
    if live.rollout.began {
        return Some(attempt.id);
    }
    let newest = live.applied.as_ref()?.newest()?;
    let same = newest.attempt == attempt.id || fate::stands(live.workload, newest);
    (same && newest.plan == attempt.plan).then_some(newest.attempt)
}

/// The patch is on the target, under this number.
pub(super) fn applied(record: &Record, id: i64, now: Timestamp) -> Step {
    let mut next = record.clone();
    if let Some(attempt) = &mut next.attempt {
        attempt.id = id;
    }
    next.enter(
        Phase::Verifying,
        Reason::Progressing,
        "applied; pods of the new template are watched",
        now,
    );
    Step::to(record, next, [count(CountedOutcome::Applied, controls_of(record))])
}

fn planned_anew(record: &Record, why: &str, now: Timestamp) -> Step {
    let mut next = record.clone();
    next.enter(
        Phase::Pending,
        Reason::TargetChanged,
        format!("{why}: it is planned anew"),
        now,
    );
    Step::to(record, next, [])
}

/// Verifying and Probation.
pub(super) fn watching(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    let Some(attempt) = &record.attempt else {
        return planned_anew(record, "the record names no attempt", now);
    };
    if wants_revert(record, seen).is_some() {
        return rollback::on_request(record, seen, live, now);
    }
    match live.fate(attempt, seen.plan) {
        Fate::Undone => return fight(record, seen, live, now),
        Fate::Dropped => {
            let mut next = record.clone();
            next.attempt
                .as_mut()
                .map(|attempt| attempt.rolled_back_at.get_or_insert(now));
            let why = "its containers were replaced: it is planned anew";
            next.enter(Phase::Pending, Reason::TargetChanged, why, now);
            return Step::to(record, next, []);
        }
        Fate::Kept => return verify_anew(record, live, now),
        Fate::Intact => {}
    }
    if record.phase == Phase::Probation {
        probation(record, attempt, live, now)
    } else {
        verifying(record, attempt, live, now)
    }
}

/// Another writer changed the template and our fields are still in it: what runs now was never verified, and is not ours to roll back.
pub(super) fn verify_anew(record: &Record, live: &Live<'_>, now: Timestamp) -> Step {
    let mut next = record.clone();
    if let Some(attempt) = &mut next.attempt {
        attempt.template_after = live.workload.template.hash;
        attempt.template_before = None;
        attempt.ready_since = None;
        attempt.probation_until = None;
        attempt.rolled_back_at = None;
        attempt.deadline = deadline(live, LEAST, now);
    }
    let message = format!(
        "{} changed the template and kept the repair: verified anew",
        live.writer_since(record.attempt.as_ref())
    );
    next.enter(Phase::Verifying, Reason::TemplateChanged, message, now);
    Step::to(record, next, [])
}

fn verifying(record: &Record, attempt: &Attempt, live: &Live<'_>, now: Timestamp) -> Step {
    match judge(attempt, &live.rollout, now) {
        Verdict::Wait(reason, until) => {
            let mut next = record.clone();
            if let Some(attempt) = &mut next.attempt {
                if !live.rollout.expects_pods {
                    attempt.deadline = None;
                } else if attempt.deadline.is_none() {
                    attempt.deadline = deadline(live, LEAST, now);
                }
            }
            // Progress and soaking are told by the pods themselves; writing each change down would cost a request and say nothing new.
            match (reason, record.reason) {
                (Reason::NoPodsYet, _) => {
                    let message = "no pod of the new template can be expected yet; the undo is armed";
                    next.enter(Phase::Verifying, Reason::NoPodsYet, message, now);
                }
                (_, Reason::NoPodsYet) => {
                    let message = "pods of the new template are watched";
                    next.enter(Phase::Verifying, Reason::Progressing, message, now);
                }
                _ => {}
            }
            Step::to(record, next, until.map(Effect::WakeAt))
        }
        Verdict::Passed(since) => passed(record, since, live, now),
        Verdict::Failed(failure) => failed(record, attempt, &failure, live, now),
    }
}

fn passed(record: &Record, since: Timestamp, live: &Live<'_>, now: Timestamp) -> Step {
    let mut next = record.clone();
    let mut until = now;
    if let Some(attempt) = &mut next.attempt {
        until = after(now, attempt.probation);
        attempt.ready_since = Some(since);
        attempt.probation_until = Some(until);
    }
    let message = "all pods of the new template were ready for the soak time; late failures still undo it";
    next.enter(Phase::Probation, Reason::Watching, message, now);
    let mut effects = vec![
        event(
            EventKind::Verified,
            format!(
                "repair of {} verified: {}",
                live.workload.reference(),
                controls_of(record).join(", ")
            ),
        ),
        count(CountedOutcome::Verified, controls_of(record)),
    ];
    if until <= now {
        succeed(&mut next, now);
    } else {
        effects.push(Effect::WakeAt(until));
    }
    Step::to(record, next, effects)
}

fn probation(record: &Record, attempt: &Attempt, live: &Live<'_>, now: Timestamp) -> Step {
    if let Some(failure) = judge_late(&live.rollout, now) {
        return failed(record, attempt, &failure, live, now);
    }
    let until = attempt.probation_until.unwrap_or(now);
    if now < until {
        let wake = live.rollout.fails_at(now).map_or(until, |at| at.min(until));
        return Step::wait(record, Some(wake));
    }
    let mut next = record.clone();
    succeed(&mut next, now);
    Step::to(record, next, [])
}

fn succeed(next: &mut Record, now: Timestamp) {
    next.enter(
        Phase::Succeeded,
        Reason::Verified,
        "verified, and no late failure was seen",
        now,
    );
}

fn failed(record: &Record, attempt: &Attempt, failure: &Signature, live: &Live<'_>, now: Timestamp) -> Step {
    if attempt.template_before.is_some() {
        return rollback::begin(record, failure, live, now);
    }
    let mut next = record.clone();
    let message = format!(
        "{} changed the template after the repair, and now it fails ({}): not rolled back, because it is not what was repaired. \
         Revert undoes the repair",
        live.writer_since(record.attempt.as_ref()),
        failure.message
    );
    next.enter(Phase::Held, Reason::TemplateChanged, message, now);
    Step::to(record, next, [])
}

/// When a rollout that starts now counts as failed, at the earliest.
pub(super) fn deadline(live: &Live<'_>, least: Duration, now: Timestamp) -> Option<Timestamp> {
    let rollout = &live.rollout;
    rollout
        .expects_pods
        .then(|| after(now, rollout.pace.limit(least, rollout.last_rollout)))
}
