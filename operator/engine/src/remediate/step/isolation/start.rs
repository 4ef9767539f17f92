//! From a plan to policies that stand: what it waits for, the question to the API server, the claim, and the writes, until the deny is there.

use jiff::Timestamp;

use super::undo::{back, revert};
use super::{again_at, blocked_until, close, held, of_network, sentence, settle, write};
use crate::model::TemplateHash;
use crate::network::{Decision as Wanted, generate};
use crate::plan::{Disposition, Held};
use crate::remediate::step::{
    Answer, CountedOutcome, Effect, EventKind, Observed, Phase, Reason, Record, Sent, Step, controls_of, count, event,
    idle, start, wants_revert,
};
use crate::remediate::{Attempt, Failure, Isolation, MOST_SHORT, Symptom, elapsed};

const CLAIMED: &str = "applying the policies";
const WATCHED: &str = "the policies stand; every workload of the namespace is watched for the soak time";

/// Our deny stands and no record says so: the record was lost, or this is a new one. From here on it is watched as if it had just been applied.
pub(super) fn adopt(
    record: &Record,
    mut next: Record,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    if record.attempt.as_ref().is_none_or(Attempt::is_settled) {
        next.attempt = Some(attempt(record, seen, network, now));
    }
    applied(record, next, network, now)
}

pub(super) fn may_start(
    record: &Record,
    mut next: Record,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    let plan = network.plan;
    let shown_before = next.plan.replace(plan.hash.clone());
    if plan.preview {
        next.enter(
            Phase::Pending,
            Reason::Preview,
            "shown, not done: the mode is Preview",
            now,
        );
        return staged(record, next, network);
    }
    if let Some(failure) = next.memory.failures.iter().rev().find(|failure| blames(failure)) {
        if record.phase == Phase::Held && record.reason == Reason::Quarantined {
            return Step::to(record, next, []); // it says already what was seen
        }
        let controls = generate::CONTROL.to_owned();
        let message = format!(
            "{} ({}). Retry tries again",
            Held::Quarantined { controls },
            failure.reason
        );
        return idle::hold(record, next, Reason::Quarantined, message, None, now);
    }
    if let Some((message, until)) = idle::held_by_human(&next, seen, now) {
        return idle::hold(record, next, Reason::HeldByHuman, message, Some(until), now);
    }
    let refused = record.phase == Phase::Held && matches!(record.reason, Reason::Mutated | Reason::Denied);
    if refused && shown_before.as_ref() == Some(&plan.hash) {
        return Step::to(record, next, []);
    }
    if let Disposition::Held(reasons) = &plan.disposition {
        let reason = reasons.first().map_or(Reason::Unclear, Reason::from);
        next.enter(Phase::Held, reason, sentence(&plan.disposition), now);
        return staged(record, next, network);
    }
    if let Err(message) = approval(record, &next, seen, network) {
        next.enter(Phase::Pending, Reason::AwaitingApproval, message, now);
        return staged(record, next, network);
    }
    if let Some(shut) = &seen.shut {
        let phase = if shut.reason == Reason::Stopped {
            Phase::Held
        } else {
            Phase::Pending
        };
        next.enter(phase, shut.reason, shut.message.clone(), now);
        let mut step = staged(record, next, network);
        step.effects.extend(shut.opens.map(Effect::WakeAt));
        return step;
    }
    if network.health.short.len() > MOST_SHORT {
        let message = format!("more than {MOST_SHORT} workloads of the namespace are not healthy");
        next.enter(Phase::Pending, Reason::Unhealthy, message, now);
        return staged(record, next, network);
    }
    try_and_claim(record, next, seen, network, now)
}

/// The first time that a plan is shown is told.
fn staged(record: &Record, next: Record, network: &Isolation<'_>) -> Step {
    let first = matches!(record.phase, Phase::New | Phase::Closed);
    let note = of_network(network, &next.message);
    let kind = if next.phase == Phase::Held {
        EventKind::Skipped
    } else {
        EventKind::Staged
    };
    let told = first.then(|| event(kind, note));
    Step::to(record, next, told)
}

/// An approval is used up by the isolation that it started: after somebody took the deny away it takes another one.
fn approval(record: &Record, next: &Record, seen: &Observed<'_>, network: &Isolation<'_>) -> Result<(), String> {
    let plan = network.plan;
    start::approval(&plan.hash, plan.risk, seen)?;
    if seen.limits.auto_approve.covers(plan.risk) {
        return Ok(());
    }
    let used = record.attempt.as_ref().is_some_and(|attempt| {
        let approved = next.last_decided(&[Reason::Approved]);
        attempt.is_settled() && approved.is_none_or(|approved| approved <= attempt.started_at)
    });
    if used {
        return Err(format!(
            "plan {} needs another approval: the last one was used",
            plan.hash.short()
        ));
    }
    Ok(())
}

fn try_and_claim(
    record: &Record,
    mut next: Record,
    seen: &Observed<'_>,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    let plan = network.plan;
    let question = Step {
        record: record.clone(),
        effects: vec![Effect::TryPolicies {
            plan: plan.hash.clone(),
            steps: plan.steps.clone(),
        }],
    };
    let asked = Sent::DryRun(plan.hash.clone());
    let Some(outcome) = seen.outcome.filter(|outcome| outcome.sent == asked) else {
        return question;
    };
    match &outcome.answer {
        Answer::Done if !elapsed(outcome.at, start::DRY_RUN_HOLDS, now) => {}
        Answer::Differs(what) => {
            let pointer = what.clone();
            let message = Held::Mutated { pointer }.to_string();
            return idle::hold(record, next, Reason::Mutated, message, None, now);
        }
        Answer::Refused(message) => {
            let message = message.clone();
            let message = Held::Denied { message }.to_string();
            return idle::hold(record, next, Reason::Denied, message, None, now);
        }
        _ => {
            return match again_at(outcome, now) {
                Some(until) => Step::wait(record, Some(until)),
                None => question,
            };
        }
    }
    next.attempt = Some(attempt(record, seen, network, now));
    next.enter(Phase::Applying, Reason::Claimed, CLAIMED, now);
    Step::to(record, next, [write(network)])
}

fn attempt(record: &Record, seen: &Observed<'_>, network: &Isolation<'_>, now: Timestamp) -> Attempt {
    let plan = network.plan;
    let objects: Vec<_> = plan.wanted.iter().map(|policy| policy.object.clone()).collect();
    Attempt {
        id: record
            .attempt
            .as_ref()
            .map_or(0, |attempt| attempt.id)
            .saturating_add(1),
        epoch: seen.leader.unwrap_or_default(),
        plan: plan.hash.clone(),
        controls: [generate::CONTROL.to_owned()].into(),
        started_at: now,
        target_uid: plan.uid.clone(),
        seen_generation: 0,
        soak: seen.limits.soak,
        probation: seen.limits.probation,
        deadline: None,
        ready_since: None,
        probation_until: None,
        rolled_back_at: None,
        template_before: None,
        template_after: TemplateHash::of(&objects.into()),
        baseline: network.health.baseline,
        short: network.health.short.clone(),
    }
}

/// Claimed. The deny comes last: where it stands all is done.
pub(super) fn applying(
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
    match &plan.decision {
        Wanted::Keep => applied(record, next, network, now),
        Wanted::Hold(hold) => held(record, next, hold, seen, network, now),
        Wanted::Withdraw => {
            let why = format!("not finished: {}", sentence(&plan.disposition));
            back(record, next, Reason::TargetChanged, &why, now)
        }
        Wanted::Leave => close(record, next, now),
        Wanted::Isolate => {
            let sent = seen.outcome.filter(|outcome| outcome.sent == Sent::Policies);
            if let Some(Answer::Refused(why)) = sent.map(|outcome| &outcome.answer) {
                let why = format!("refused: {why}");
                return refused(record, next, Reason::Denied, why, network, now);
            }
            if let Some(Answer::Differs(what)) = sent.map(|outcome| &outcome.answer) {
                let pointer = what.clone();
                let why = Held::Mutated { pointer }.to_string();
                return refused(record, next, Reason::Mutated, why, network, now);
            }
            if let Some(until) = blocked_until(seen, now) {
                return Step::wait(record, Some(until));
            }
            // Whoever goes on with what another process began says so first, and loses the swap if somebody else does.
            if let (Some(attempt), Some(epoch)) = (&mut next.attempt, seen.leader) {
                attempt.epoch = epoch;
            }
            next.plan = Some(plan.hash.clone());
            Step::to(record, next, [write(network)])
        }
    }
}

fn refused(
    record: &Record,
    mut next: Record,
    reason: Reason,
    why: String,
    network: &Isolation<'_>,
    now: Timestamp,
) -> Step {
    let counted = count(CountedOutcome::Failed, controls_of(record));
    if network.plan.stands {
        let mut step = back(record, next, reason, &why, now);
        step.effects.push(counted);
        return step;
    }
    settle(&mut next, now);
    next.enter(Phase::Held, reason, why, now);
    Step::to(record, next, [counted])
}

fn applied(record: &Record, mut next: Record, network: &Isolation<'_>, now: Timestamp) -> Step {
    next.plan = Some(network.plan.hash.clone());
    if let Some(attempt) = &mut next.attempt {
        attempt.ready_since = Some(now);
    }
    next.enter(Phase::Verifying, Reason::Soaking, WATCHED, now);
    let controls = controls_of(&next);
    let told = [
        event(EventKind::Applied, of_network(network, WATCHED)),
        count(CountedOutcome::Applied, controls),
    ];
    Step::to(record, next, told)
}

fn blames(failure: &Failure) -> bool {
    failure.controls.contains(generate::CONTROL)
        && Symptom::parse(&failure.reason).is_none_or(|symptom| !symptom.is_environmental())
}
