//! Gates: what must be true before a repair starts. They stop starts only; what has started is always finished.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

use super::{Reason, Rollout, release, room};
use crate::model::Workload;
use crate::plan::Plan;
use crate::policy::{Limits, Pause};
use crate::world::Snapshot;

/// A wait that is shorter is over before somebody reads of it, and writing it down costs the API server as much as any other write.
const BRIEF: Duration = Duration::from_secs(10);

/// A gate that is shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shut {
    /// Which.
    pub reason: Reason,
    /// Why, for people; stable while it stays shut.
    pub message: String,
    /// When it opens by itself, if that is known. Others open by an event that is watched.
    pub opens: Option<Timestamp>,
    /// When it last had a reason to shut, if that is known.
    pub since: Option<Timestamp>,
}

/// What the gates need that is not in the snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// Whether this process may patch the target's kind in its namespace.
    pub permitted: bool,
    /// Pause of everything, of the policies, of the namespace and of the object.
    pub pauses: &'a [Pause],
    /// Whether repairs have stopped after too many rollbacks.
    pub stopped: bool,
    /// Limits of the policies that enforce here.
    pub limits: &'a Limits,
    /// Rollouts of ours in the cluster and in the namespace that are not verified yet.
    pub in_flight: InFlight,
    /// What the owner of the target is in the middle of, where that can be seen.
    pub owner_busy: Option<&'a str>,
}

/// Rollouts of ours that are not verified yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InFlight {
    /// Of all policies.
    pub cluster: u32,
    /// In the target's namespace.
    pub namespace: u32,
}

impl Shut {
    fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            opens: None,
            since: None,
        }
    }

    fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// Until when it is not worth writing down that a repair waits for this: it opens soon, or has only just shut.
    pub fn brief_until(&self, now: Timestamp) -> Option<Timestamp> {
        let soon = super::after(now, BRIEF);
        let opens = self.opens.filter(|opens| *opens <= soon);
        let settles = self.since.map(|since| super::after(since, BRIEF));
        opens.or(settles).filter(|until| now < *until)
    }

    fn until(mut self, opens: Option<Timestamp>) -> Self {
        self.opens = opens;
        self
    }
}

impl fmt::Display for Shut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// The first gate that is shut, in the order that people ask: may it, should it, is it the time, is the target fit, is there room.
pub fn first_shut(
    around: &Surroundings<'_>,
    world: &Snapshot,
    workload: &Workload,
    rollout: &Rollout,
    plan: &Plan,
    now: Timestamp,
) -> Option<Shut> {
    permission(around)
        .or_else(|| stopped(around))
        .or_else(|| paused(around, now))
        .or_else(|| window(around, plan, now))
        .or_else(|| rolling_out(workload, rollout))
        .or_else(|| owner_busy(around))
        .or_else(|| unhealthy(workload, rollout))
        .or_else(|| settling(around, workload, rollout, now))
        .or_else(|| release::in_progress(world, workload, around.limits.settle, now))
        .or_else(|| budget(around))
        .or_else(|| disruption_budget(world, workload))
        .or_else(|| no_room(world, workload))
}

/// The first gate that is shut for the isolation of a namespace's network. `settled_at`: when what its plan rests on will not have changed for `settle`.
pub fn first_shut_of_network(around: &Surroundings<'_>, settled_at: Timestamp, now: Timestamp) -> Option<Shut> {
    let settling = || {
        let message = "what the plan rests on changed less than the settle time ago";
        (now < settled_at).then(|| Shut::new(Reason::Settling, message).until(Some(settled_at)))
    };
    permission(around)
        .or_else(|| stopped(around))
        .or_else(|| paused(around, now))
        .or_else(|| open_window(around, now))
        .or_else(settling)
        .or_else(|| budget(around))
}

fn permission(around: &Surroundings<'_>) -> Option<Shut> {
    (!around.permitted).then(|| {
        Shut::new(
            Reason::PermissionDenied,
            "the operator may not patch this kind in this namespace: install the remediate overlay",
        )
    })
}

fn stopped(around: &Surroundings<'_>) -> Option<Shut> {
    around.stopped.then(|| {
        Shut::new(
            Reason::Stopped,
            "repairs have stopped after too many rollbacks: see condition RemediationStopped of the policy",
        )
    })
}

fn paused(around: &Surroundings<'_>, now: Timestamp) -> Option<Shut> {
    let active: Vec<Pause> = around
        .pauses
        .iter()
        .copied()
        .filter(|pause| pause.is_active(now))
        .collect();
    let ends = active.iter().map(|pause| match pause {
        Pause::Until(until) => Some(*until),
        Pause::Malformed => None,
    });
    let opens = ends.max_by_key(|end| end.unwrap_or(Timestamp::MAX))?;
    Some(match opens {
        Some(_) => Shut::new(Reason::Paused, "paused by annotation pause-until or `ironside pause`").until(opens),
        None => Shut::new(
            Reason::Paused,
            "paused: the time in a pause-until annotation cannot be read",
        ),
    })
}

fn window(around: &Surroundings<'_>, plan: &Plan, now: Timestamp) -> Option<Shut> {
    let windows = &around.limits.windows;
    if let Some(why) = &plan.restart.only_in_window
        && windows.is_always()
    {
        let message = format!("{why}: it is restarted in a maintenance window only, and the policy has none");
        return Some(Shut::new(Reason::OutsideWindow, message));
    }
    open_window(around, now)
}

fn open_window(around: &Surroundings<'_>, now: Timestamp) -> Option<Shut> {
    let windows = &around.limits.windows;
    (!windows.is_open(now))
        .then(|| Shut::new(Reason::OutsideWindow, "no maintenance window is open").until(windows.next_opening(now)))
}

/// Also refuses a target that its controller has not seen yet: the record of the repair needs the annotations that a Deployment gets then.
fn rolling_out(workload: &Workload, rollout: &Rollout) -> Option<Shut> {
    let fresh = workload.meta.annotations.is_empty();
    let rolling = rollout.expects_pods && workload.status.updated_replicas < replicas(rollout);
    let unseen = workload.status.observed_generation < workload.meta.generation;
    (fresh || rolling || unseen || leftover(workload, rollout))
        .then(|| Shut::new(Reason::RollingOut, "a rollout is under way").since(settled_since(workload, rollout)))
}

fn owner_busy(around: &Surroundings<'_>) -> Option<Shut> {
    around
        .owner_busy
        .map(|what| Shut::new(Reason::OwnerBusy, format!("its owner is busy: {what}")))
}

/// Story 19: without health before there is nothing to compare with.
fn unhealthy(workload: &Workload, rollout: &Rollout) -> Option<Shut> {
    let failing = rollout.failures.first();
    let short = rollout.expects_pods && (rollout.available < rollout.desired || rollout.ready < rollout.desired);
    match failing {
        Some(failure) => Some(Shut::new(
            Reason::Unhealthy,
            format!("not healthy before the repair: {}", failure.message),
        )),
        None if short => {
            Some(Shut::new(Reason::Unhealthy, "not all pods are available").since(settled_since(workload, rollout)))
        }
        None => None,
    }
}

/// Unchanged, rolled out and healthy for `settle`.
fn settling(around: &Surroundings<'_>, workload: &Workload, rollout: &Rollout, now: Timestamp) -> Option<Shut> {
    let since = settled_since(workload, rollout)?;
    let opens = super::after(since, around.limits.settle);
    (now < opens).then(|| {
        Shut::new(
            Reason::Settling,
            "it changed, rolled out or became healthy less than the settle time ago",
        )
        .until(Some(opens))
    })
}

/// When the target last changed: its creation, any write to its spec, the end of its last rollout, the last pod that became ready.
fn settled_since(workload: &Workload, rollout: &Rollout) -> Option<Timestamp> {
    let writes = workload
        .meta
        .managed_fields
        .iter()
        .filter(|entry| entry.subresource.is_empty())
        .filter_map(|entry| entry.time);
    let conditions = workload
        .status
        .conditions
        .iter()
        .filter(|c| c.kind == "Available" || c.kind == "Progressing")
        .filter_map(|c| c.last_transition_time.max(c.last_update_time));
    writes
        .chain(conditions)
        .chain(workload.meta.creation_timestamp)
        .chain(rollout.ready_since)
        .max()
}

fn budget(around: &Surroundings<'_>) -> Option<Shut> {
    let limits = around.limits;
    if around.in_flight.cluster >= limits.max_concurrent {
        return Some(Shut::new(
            Reason::Budget,
            "as many repairs are in flight as maxConcurrent allows",
        ));
    }
    (around.in_flight.namespace >= limits.max_concurrent_per_namespace).then(|| {
        Shut::new(
            Reason::Budget,
            "as many repairs are in flight in the namespace as maxConcurrentPerNamespace allows",
        )
    })
}

/// Story 21: a rollout is not limited by a budget, so it does not start where the budget has nothing to give.
fn disruption_budget(world: &Snapshot, workload: &Workload) -> Option<Shut> {
    let shard = world.shard(&workload.meta.namespace)?;
    let labels = &workload.template.labels;
    shard
        .disruption_budgets
        .values()
        .filter(|budget| budget.spec.selector.as_ref().is_some_and(|s| s.matches(labels)))
        .find(|budget| budget.status.disruptions_allowed < 1)
        .map(|budget| {
            let name = &budget.metadata.name;
            Shut::new(
                Reason::DisruptionBudget,
                format!("PodDisruptionBudget {name} allows no disruption"),
            )
        })
}

/// Story 18: a rollout that finds no room is stuck, and the wrong control would be blamed.
fn no_room(world: &Snapshot, workload: &Workload) -> Option<Shut> {
    let (quota, of) = room::first_full(world, workload)?;
    let message = format!("ResourceQuota {quota} has no room for the pods that the rollout adds ({of})");
    Some(Shut::new(Reason::NoRoom, message))
}

fn replicas(rollout: &Rollout) -> i32 {
    i32::try_from(rollout.desired).unwrap_or(i32::MAX)
}

/// Pods of an older template that are still counted.
fn leftover(workload: &Workload, rollout: &Rollout) -> bool {
    rollout.expects_pods && workload.status.replicas > workload.status.updated_replicas
}
