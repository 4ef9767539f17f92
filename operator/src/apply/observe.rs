//! From the view to what a step may look at.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ironside_engine::controls::find;
use ironside_engine::model::{Kind, ObjectRef, Workload};
use ironside_engine::plan::{Disposition, Plan, plan_without};
use ironside_engine::policy::{Limits, Mode, Pause, PausedBy, PolicyId};
use ironside_engine::remediate::{
    Decision, InFlight, Observed, Phase, Record, Rollout, Shut, Surroundings, Target, first_shut, quarantine,
};
use jiff::Timestamp;

use super::entry::Entry;
use super::stopping;
use crate::cluster::permissions::{Missing, Right};
use crate::cluster::{Source, Standing};
use crate::reconcile::{Outcome, View};
use crate::report::Stops;

/// Everything around a target that is not the target's own.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) view: &'a View,
    pub(super) missing: &'a Missing,
    pub(super) stops: &'a Stops,
    pub(super) leader: Option<i64>,
    pub(super) in_flight: InFlight,
    pub(super) now: Timestamp,
}

/// What was put together for one step; [`Seen::observed`] lends it out.
pub(super) struct Seen<'a> {
    around: Around<'a>,
    entry: &'a Entry,
    pub(super) workload: Option<Arc<Workload>>,
    pub(super) plan: Option<Cow<'a, Plan>>,
    limits: Arc<Limits>,
    mode: Mode,
    decision: Option<Decision>,
}

impl<'a> Seen<'a> {
    /// Looks at a target.
    pub(super) fn of(around: Around<'a>, target: &ObjectRef, entry: &'a Entry) -> Self {
        let view = around.view;
        let outcome = view.results.get(target);
        let plan = outcome.and_then(|outcome| plan(around, target, entry, outcome));
        let limits = match outcome {
            Some(outcome) => Arc::clone(&outcome.limits),
            None => Arc::new(view.policies.limits(&view.world, &target.namespace)),
        };
        let mode = match outcome {
            Some(outcome) if outcome.plan.is_some() => outcome.mode,
            _ => asked_for(view, target, &entry.record),
        };
        Self {
            around,
            entry,
            workload: view.world.workload(target).cloned(),
            plan,
            limits,
            mode,
            decision: entry.stored.as_deref().and_then(super::convert::decision),
        }
    }

    /// What the step may look at.
    pub(super) fn observed(&self, target: &ObjectRef) -> Observed<'_> {
        let Around { view, leader, now, .. } = self.around;
        let record = &self.entry.record;
        let there = self.workload.as_deref().filter(|_| !is_terminating(view, target));
        let seen = if is_watched(view, target) {
            Target::of(
                &view.world,
                there,
                record.attempt.as_ref(),
                record.phase,
                there.and_then(|workload| self.entry.written_to(&workload.meta.uid)),
            )
        } else {
            Target::Unseen
        };
        Observed {
            leader,
            decision: self.decision.as_ref(),
            approvals_guarded: view.declared.approval_guarded(),
            mode: self.mode,
            limits: &self.limits,
            plan: self.plan.as_deref(),
            target: seen,
            shut: self.shut(target, now),
            outcome: self.entry.outcome.as_ref(),
        }
    }

    fn shut(&self, target: &ObjectRef, now: Timestamp) -> Option<Shut> {
        let (workload, plan) = (self.workload.as_deref()?, self.plan.as_deref()?);
        let view = self.around.view;
        let pauses: Vec<Pause> = pauses(view, target, now);
        let surroundings = Surroundings {
            permitted: is_permitted(self.around.missing, target),
            pauses: &pauses,
            stopped: stopping::is_stopped(view, self.around.stops, target, plan),
            limits: &self.limits,
            in_flight: self.around.in_flight,
            owner_busy: None, // Applications and release Secrets are not read
        };
        let rollout = Rollout::of(&view.world, workload, None, Phase::Pending);
        first_shut(&surroundings, &view.world, workload, &rollout, plan, now)
    }
}

/// The plan; without the controls that broke this target before, where something is left that can be done without them.
fn plan<'a>(around: Around<'a>, target: &ObjectRef, entry: &Entry, outcome: &'a Outcome) -> Option<Cow<'a, Plan>> {
    let whole = outcome.plan.as_ref()?;
    let world = &around.view.world;
    let workload = world
        .workload(target)
        .filter(|_| !entry.record.memory.failures.is_empty());
    let Some(workload) = workload else {
        return Some(Cow::Borrowed(whole));
    };
    let rollout = Rollout::of(world, workload, None, Phase::Pending);
    let (broke, _) = quarantine(&entry.record, whole, &rollout, around.now);
    if broke.is_empty() {
        return Some(Cow::Borrowed(whole));
    }
    let without = || plan_without(world, &outcome.evaluation, &outcome.limits, around.now, &broke);
    // A bug in planning costs this plan, not the executor.
    let rest = catch_unwind(AssertUnwindSafe(without)).ok().flatten();
    let rest = rest.filter(|rest| rest.disposition == Disposition::Ready && !rest.changes.is_empty());
    Some(rest.map_or(Cow::Borrowed(whole), Cow::Owned))
}

/// What policies ask for here, when nothing fails at the moment: about the controls of the repair, else about any.
fn asked_for(view: &View, target: &ObjectRef, record: &Record) -> Mode {
    let about = view.policies.about(&view.world, target);
    match &record.attempt {
        Some(attempt) => attempt
            .controls
            .iter()
            .filter_map(|id| find(id))
            .map(|control| about.mode(control.id))
            .max()
            .unwrap_or_default(),
        None => about
            .votes()
            .map(|(_, votes)| votes.iter().map(|vote| vote.mode).max().unwrap_or_default())
            .max()
            .unwrap_or_default(),
    }
}

fn pauses(view: &View, target: &ObjectRef, now: Timestamp) -> Vec<Pause> {
    let by = view.policies.paused_by(&view.world, target, now).map(|by| match by {
        PausedBy::Policy(_, pause) | PausedBy::Namespace(pause) | PausedBy::Object(pause) => pause,
    });
    view.declared.pause.into_iter().chain(by).collect()
}

fn is_permitted(missing: &Missing, target: &ObjectRef) -> bool {
    let needed = Right {
        verb: "patch",
        group: target.kind.group(),
        resource: target.kind.plural(),
    };
    !missing
        .get(&*target.namespace)
        .is_some_and(|rights| rights.contains(&needed))
}

fn is_terminating(view: &View, target: &ObjectRef) -> bool {
    view.world
        .namespace(&target.namespace)
        .is_some_and(|namespace| namespace.is_terminating())
}

/// Whether changes of the target, its pods and its record arrive at the moment. A rollout must not be judged by what it looked like before a watch broke.
fn is_watched(view: &View, target: &ObjectRef) -> bool {
    let needed = [
        Source::Cluster(target.kind),
        Source::Cluster(Kind::ReplicaSet),
        Source::Cluster(Kind::Pod),
        Source::Remediation,
    ];
    view.standings
        .iter()
        .filter(|(source, scope, _)| {
            needed.contains(source) && scope.as_deref().is_none_or(|scope| scope == &*target.namespace)
        })
        .all(|(.., standing)| standing == Standing::Live)
}

/// The policies that vote Enforce on a control of the plan here.
pub(super) fn enforcing(view: &View, target: &ObjectRef, controls: impl IntoIterator<Item = String>) -> Vec<PolicyId> {
    let about = view.policies.about(&view.world, target);
    let mut policies: Vec<PolicyId> = controls
        .into_iter()
        .filter_map(|id| find(&id))
        .flat_map(|control| about.votes_on(control.id))
        .filter(|vote| vote.mode == Mode::Enforce)
        .map(|vote| vote.policy.clone())
        .collect();
    policies.sort();
    policies.dedup();
    policies
}
