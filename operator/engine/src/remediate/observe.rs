//! Everything that a step may look at. Put together by the executor from one snapshot; a step asks nobody else.

use std::time::Duration;

use jiff::Timestamp;

use super::{Attempt, Phase, Record};
use super::{Decision, Fate, Health, Outcome, Rollout, Shut, fate};
use crate::model::{FieldOwner, ManagedFields, Workload};
use crate::network::NetworkPlan;
use crate::plan::{ANNOTATION, Applied, Plan, parse_annotation};
use crate::policy::{Limits, Mode};
use crate::world::Snapshot;

/// Field manager of all our changes to foreign objects.
pub const FIELD_MANAGER: &str = "ironside/workload";

/// Stands for a writer whose name is not known.
pub const NOBODY_NAMED: &str = "somebody";

/// How long a target is left alone after a human wrote to it, and how long a human's Hold lasts.
pub const HANDS_OFF: Duration = Duration::from_hours(24);

/// One look at a target and everything around it.
#[derive(Clone, Debug)]
pub struct Observed<'a> {
    /// The leadership term of this process; `None` while it must not write.
    pub leader: Option<i64>,
    /// The human decision in the spec.
    pub decision: Option<&'a Decision>,
    /// Whether the admission policy is in place that makes sure that approvals come from who may approve. Without it they are ignored.
    pub approvals_guarded: bool,
    /// Highest mode that policies vote on the findings of the target.
    pub mode: Mode,
    /// Limits of the policies that enforce here.
    pub limits: &'a Limits,
    /// The plan, recomputed from the same snapshot; `None` when nothing fails that has a repair.
    pub plan: Option<&'a Plan>,
    /// The target.
    pub target: Target<'a>,
    /// The first gate that keeps a repair from starting. It says nothing about repairs that have started.
    pub shut: Option<Shut>,
    /// Result of the last request about the target that this process sent.
    pub outcome: Option<&'a Outcome>,
}

/// The target, as far as it can be seen.
#[derive(Clone, Debug)]
pub enum Target<'a> {
    /// It does not exist, or is being deleted.
    Gone,
    /// The snapshot is older than what is known to have been written: nothing can be said yet.
    Unseen,
    /// It exists.
    Live(Box<Live<'a>>),
    /// It is a Namespace, and what is repaired is its network.
    Network(Box<Isolation<'a>>),
}

/// A Namespace whose network is isolated, or is to be.
#[derive(Clone, Debug)]
pub struct Isolation<'a> {
    /// The plan, made from the same snapshot with what the record remembers ([`super::network_memory`], [`super::takes_away`]).
    pub plan: &'a NetworkPlan,
    /// How its workloads fare, beside what the attempt remembers.
    pub health: Health,
    /// Whether repairs are paused here: nothing of what stands is changed either.
    pub paused: bool,
    /// From when on allows that nothing needs any more may go: what the plan rests on has not changed for a while then.
    pub settled_at: Timestamp,
}

/// A target that exists.
#[derive(Clone, Debug)]
pub struct Live<'a> {
    /// The object.
    pub workload: &'a Workload,
    /// Its rollout.
    pub rollout: Rollout,
    /// Our record on it; `None` if there is none that can be read.
    pub applied: Option<Applied>,
    /// The latest other writer of its spec.
    pub writer: Option<FieldOwner>,
    /// The latest human writer of its spec.
    pub human: Option<FieldOwner>,
}

impl<'a> Target<'a> {
    /// Looks at a target. `written` is the generation that the API server answered to our last write.
    pub fn of(
        world: &'a Snapshot,
        workload: Option<&'a Workload>,
        attempt: Option<&Attempt>,
        phase: Phase,
        written: Option<i64>,
    ) -> Self {
        let Some(workload) = workload.filter(|workload| workload.meta.deletion_timestamp.is_none()) else {
            return Self::Gone;
        };
        if written.is_some_and(|generation| workload.meta.generation < generation) {
            return Self::Unseen;
        }
        Self::Live(Box::new(Live {
            rollout: Rollout::of(world, workload, attempt, phase),
            applied: workload
                .meta
                .annotations
                .get(ANNOTATION)
                .and_then(|text| parse_annotation(text).ok())
                .filter(|applied| applied.uid == workload.meta.uid),
            writer: latest_writer(workload, |entry| entry.manager != FIELD_MANAGER),
            human: latest_writer(workload, is_human),
            workload,
        }))
    }
}

impl Live<'_> {
    /// What became of the fields of an attempt.
    pub fn fate(&self, attempt: &Attempt, plan: Option<&Plan>) -> Fate {
        fate::of(self, attempt, plan)
    }

    /// Whether nobody changed the template since the last attempt: it is what the attempt made, or what its rollback restored.
    pub fn is_as_left(&self, record: &Record) -> bool {
        let hash = self.workload.template.hash;
        record
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.template_after == hash || attempt.template_before == Some(hash))
    }

    /// Who changed the spec since the attempt began. Whoever only takes fields away leaves no name: `kubectl rollout undo` does.
    pub fn writer_since(&self, attempt: Option<&Attempt>) -> &str {
        let since = attempt.map(|attempt| attempt.started_at);
        self.writer
            .as_ref()
            .filter(|writer| since.is_none_or(|since| writer.time.is_some_and(|time| time >= since)))
            .map_or(NOBODY_NAMED, |writer| writer.manager.as_str())
    }

    /// Until when it is left alone because of a human's write, unless a human decided something about the repair since.
    pub fn hands_off_until(&self, decided: Option<Timestamp>) -> Option<Timestamp> {
        let wrote = self.human.as_ref()?.time?;
        (decided.is_none_or(|decided| decided < wrote)).then(|| super::after(wrote, HANDS_OFF))
    }
}

/// Managers that people work with by hand. `kubectl apply` and `kubectl create` are not among them: pipelines use them as well.
fn is_human(entry: &ManagedFields) -> bool {
    const BY_HAND: [&str; 8] = [
        "kubectl-edit",
        "kubectl-patch",
        "kubectl-set",
        "kubectl-rollout",
        "kubectl-replace",
        "k9s",
        "lens",
        "openlens",
    ];
    BY_HAND.contains(&entry.manager.to_lowercase().as_str())
}

/// The entry that changed the spec last. Writes through a subresource (status, scale) are not about the template.
fn latest_writer(workload: &Workload, counts: impl Fn(&ManagedFields) -> bool) -> Option<FieldOwner> {
    workload
        .meta
        .managed_fields
        .iter()
        .filter(|entry| entry.subresource.is_empty() && entry.owns(&["spec"]) && counts(entry))
        .max_by_key(|entry| entry.time)
        .map(|entry| FieldOwner {
            manager: entry.manager.clone(),
            apply: entry.is_apply(),
            time: entry.time,
        })
}
