//! From Pending to Applying: approval, gates, dry run, claim.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use json_patch::Patch;

use super::{
    Action, Answer, Effect, Live, Observed, Phase, Reason, Record, Sent, Step, answer, blocked_until, flight, idle,
    undo,
};
use crate::controls::Risk;
use crate::plan::{self, Held, Plan, PlanHash};
use crate::remediate::{Attempt, Baseline};

/// Shortest part of a plan's hash that approves it.
const SHORTEST_APPROVAL: usize = 12;

/// Story 16: without a readiness probe "ready" says little, so it is watched longer.
const SOAK_WITHOUT_PROBE: u32 = 3;

/// A dry run that is older is asked for again: webhooks may have changed.
pub(super) const DRY_RUN_HOLDS: Duration = Duration::from_mins(1);

/// A plan that nothing holds: waits, asks for a dry run, or starts.
pub(super) fn start(
    record: &Record,
    mut next: Record,
    plan: &Plan,
    seen: &Observed<'_>,
    live: &Live<'_>,
    now: Timestamp,
) -> Step {
    if let Err(message) = approval(&plan.hash, plan.risk, seen) {
        next.enter(Phase::Pending, Reason::AwaitingApproval, message, now);
        return Step::to(record, next, []);
    }
    if let Some(shut) = &seen.shut {
        let decided = next.decided_generation != record.decided_generation;
        if let Some(until) = shut.brief_until(now).filter(|_| !decided) {
            return Step::wait(record, Some(until));
        }
        let phase = if shut.reason == Reason::Stopped {
            Phase::Held
        } else {
            Phase::Pending
        };
        next.enter(phase, shut.reason, shut.message.clone(), now);
        return Step::to(record, next, shut.opens.map(Effect::WakeAt));
    }
    if plan.template != live.workload.template.hash || plan.generation != live.workload.meta.generation {
        return Step::unchanged(record); // planned on another view than this one
    }
    let open = open_claim(record, plan);
    let id = open.map_or_else(|| next_attempt(record, live), |attempt| attempt.id);
    let patch = plan::with_annotation(plan, id, &undo::object(live.workload));
    let Some(outcome) = answer(seen, live, &Sent::DryRun(plan.hash.clone())) else {
        return dry_run(record, plan, patch);
    };
    match &outcome.answer {
        Answer::Done if !super::super::elapsed(outcome.at, DRY_RUN_HOLDS, now) => {
            claim(record, next, id, patch, plan, seen, live, now)
        }
        Answer::Differs(pointer) => {
            let pointer = pointer.clone();
            idle::hold(
                record,
                next,
                Reason::Mutated,
                Held::Mutated { pointer }.to_string(),
                None,
                now,
            )
        }
        Answer::Refused(message) => {
            let message = message.clone();
            idle::hold(
                record,
                next,
                Reason::Denied,
                Held::Denied { message }.to_string(),
                None,
                now,
            )
        }
        _ => match blocked_until(outcome, now) {
            Some(until) => Step::wait(record, Some(until)),
            None => dry_run(record, plan, patch),
        },
    }
}

/// Who approves: the policy, for risks that it covers, or a human, for exactly this plan.
pub(super) fn approval(hash: &PlanHash, risk: Risk, seen: &Observed<'_>) -> Result<(), String> {
    if seen.limits.auto_approve.covers(risk) {
        return Ok(());
    }
    let wanted = format!("plan {} of risk {} needs an approval", hash.short(), risk.as_str());
    let Some(decision) = seen.decision.filter(|decision| decision.action == Action::Approve) else {
        return Err(wanted);
    };
    let approved = decision.plan.as_deref().unwrap_or_default();
    if approved.len() < SHORTEST_APPROVAL || !hash.0.starts_with(approved) {
        return Err(format!("{wanted}: the approval by {} was for another one", decision.by));
    }
    if !seen.approvals_guarded {
        return Err(format!(
            "{wanted}: the one by {} is ignored while the admission policy that guards approvals is missing (ApprovalGuarded)",
            decision.by
        ));
    }
    Ok(())
}

/// Asks without writing anything down: an answer that is lost costs only the question.
fn dry_run(record: &Record, plan: &Plan, patch: Patch) -> Step {
    Step {
        record: record.clone(),
        effects: vec![Effect::DryRun {
            plan: plan.hash.clone(),
            patch,
        }],
    }
}

/// Writes the claim and then the target. Whoever loses the compare-and-swap of the claim sends nothing.
#[allow(clippy::too_many_arguments)] // each is a different thing that the claim is made of
fn claim(
    record: &Record,
    mut next: Record,
    id: i64,
    patch: Patch,
    plan: &Plan,
    seen: &Observed<'_>,
    live: &Live<'_>,
    now: Timestamp,
) -> Step {
    let template_after = match undo::patched_template(live.workload, &undo::object(live.workload), &patch) {
        Ok(hash) => hash,
        Err(why) => {
            return idle::hold(
                record,
                next,
                Reason::Unclear,
                format!("the plan does not apply: {why}"),
                None,
                now,
            );
        }
    };
    let limits = seen.limits;
    let unprobed = live
        .workload
        .template
        .spec
        .containers
        .iter()
        .any(|c| c.readiness_probe.is_none());
    next.attempt = Some(Attempt {
        id,
        epoch: seen.leader.unwrap_or_default(),
        plan: plan.hash.clone(),
        controls: plan
            .controls
            .iter()
            .map(|control| control.as_str().to_owned())
            .collect(),
        started_at: open_claim(record, plan).map_or(now, |attempt| attempt.started_at),
        target_uid: live.workload.meta.uid.clone(),
        seen_generation: live.workload.meta.generation,
        soak: limits.soak * if unprobed { SOAK_WITHOUT_PROBE } else { 1 },
        probation: limits.probation,
        deadline: flight::deadline(live, limits.min_deadline, now),
        ready_since: None,
        probation_until: None,
        rolled_back_at: None,
        template_before: Some(plan.template),
        template_after,
        baseline: Baseline {
            ready: live.rollout.ready,
            restarts: live.rollout.restarts,
        },
        short: BTreeMap::new(),
    });
    next.enter(Phase::Applying, Reason::Claimed, "the repair is being sent", now);
    Step::to(record, next, [Effect::Patch { attempt: id, patch }])
}

/// An earlier claim of this plan of which nobody knows whether its request was done. The next one is the same attempt: should the request show up late, or
/// only its traces, it is recognised.
fn open_claim<'a>(record: &'a Record, plan: &Plan) -> Option<&'a Attempt> {
    record
        .attempt
        .as_ref()
        .filter(|attempt| !attempt.is_settled() && attempt.plan == plan.hash && attempt.target_uid == plan.uid)
}

/// Numbers go on from what is remembered here and on the target, so no attempt is mistaken for another.
fn next_attempt(record: &Record, live: &Live<'_>) -> i64 {
    let recorded = live
        .applied
        .iter()
        .flat_map(|applied| &applied.applied)
        .map(|a| a.attempt);
    recorded
        .chain(record.attempt.iter().map(|attempt| attempt.id))
        .max()
        .unwrap_or(0)
        .saturating_add(1)
}
