//! How a rollout fares: what the pods of the template that is on the target now show, without a request to the API server.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::deadline::{Pace, surge_and_unavailable};
use super::signature::{self, Signature, Symptom};
use super::{Attempt, Phase, PodId, shortage};
use crate::model::{Kind, Pod, Workload};
use crate::world::Snapshot;

/// One look at a workload and its pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// Whether pods of the present template can be expected at all: not with 0 replicas, `paused`, `OnDelete`, a partition, or for a CronJob.
    pub expects_pods: bool,
    /// Pods wanted.
    pub desired: u32,
    /// Pods of the present template that are ready.
    pub ready: u32,
    /// Since when all of them have been ready: when the last of them became ready. `None` unless all that are wanted are.
    pub ready_since: Option<Timestamp>,
    /// Whether the controller has seen the present template, every wanted pod has it, and none of another template is left.
    pub complete: bool,
    /// Available pods, of any template.
    pub available: u32,
    /// Fewest available pods that a rollout of this strategy leaves while it runs.
    pub floor: u32,
    /// From when on it speaks against the repair that fewer than that are available; `None` unless they are.
    pub below_counts_from: Option<Timestamp>,
    /// Last time that a pod of the present template came forward.
    pub progressed_at: Option<Timestamp>,
    /// Failures of pods of the present template.
    pub failures: Vec<Signature>,
    /// Pods of a template that is no longer on the target, which are not ready and which their controller waits for all the same: an ordered
    /// StatefulSet does (kubernetes#67250).
    pub stuck: Vec<PodId>,
    /// Whether pods were asked for from the template that the attempt makes: its patch landed, even if nothing on the target says so any more.
    pub began: bool,
    /// Container restarts of all pods.
    pub restarts: u32,
    /// Digests of the images that pods of the present template run, sorted.
    pub images: Vec<String>,
    /// Pace of this workload.
    pub pace: Pace,
    /// How long the last rollout took, if that can be seen.
    pub last_rollout: Option<Duration>,
}

impl Rollout {
    /// Looks at a workload. `attempt` and `phase` say what counts as unusual.
    pub fn of(world: &Snapshot, workload: &Workload, attempt: Option<&Attempt>, phase: Phase) -> Self {
        let desired = count(workload.desired_replicas().unwrap_or(0));
        let pods = world.pods_of(workload);
        let present: Vec<&Pod> = pods
            .iter()
            .map(AsRef::as_ref)
            .filter(|pod| is_present(world, workload, pod, attempt))
            .collect();
        let live: Vec<&Pod> = present
            .iter()
            .copied()
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .collect();
        let ready: Vec<&Pod> = live.iter().copied().filter(|pod| pod.is_ready()).collect();
        let usual_restarts = phase == Phase::Probation || attempt.is_some_and(|a| a.baseline.restarts > 0);
        let complete = is_complete(workload, desired);
        let mut failures: Vec<Signature> = live
            .iter()
            // What is left of a pod that ended says nothing any more once another has taken its place.
            .filter(|pod| !(complete && pod.has_ended()))
            .flat_map(|pod| signature::of_pod(pod, usual_restarts))
            .collect();
        failures.extend(signature::of_controller(workload));
        // A node takes pods of any template with it.
        let others = pods
            .iter()
            .filter(|pod| !live.iter().any(|it| it.metadata.uid == pod.metadata.uid));
        failures.extend(
            others
                .filter(|pod| shortage::is_awaited(workload, pod))
                .filter_map(|pod| signature::lost_node(pod)),
        );
        let available = count(workload.status.available_replicas);
        let (_, unavailable) = surge_and_unavailable(workload, desired);
        // Pods that were asked for since (an autoscaler's) may still be starting.
        let before = attempt.map_or(desired, |attempt| attempt.baseline.ready);
        let floor = desired.min(before).saturating_sub(unavailable);
        Self {
            expects_pods: expects_pods(workload, desired),
            desired,
            ready: count(ready.len()),
            ready_since: (desired > 0 && count(ready.len()) >= desired)
                .then(|| ready.iter().filter_map(|pod| pod.ready_since()).max())
                .flatten(),
            complete,
            available,
            floor,
            below_counts_from: (available < floor)
                .then(|| below_since(workload, &pods))
                .flatten()
                .map(|since| shortage::counts_from(workload, &pods, floor - available, since)),
            progressed_at: ready
                .iter()
                .filter_map(|pod| pod.ready_since())
                .chain(live.iter().filter_map(|pod| pod.metadata.creation_timestamp))
                .max(),
            failures,
            stuck: stuck(workload, &pods),
            began: attempt.is_some_and(|attempt| began(world, workload, attempt)),
            restarts: pods.iter().map(|pod| restarts(pod)).sum(),
            images: images(&live),
            pace: Pace::of(workload),
            last_rollout: last_rollout(world, workload),
        }
    }

    /// The failure that counts by now and tells most: the repair's own before environmental ones, in the order of [`Symptom`].
    pub fn failed(&self, now: Timestamp) -> Option<&Signature> {
        self.failures
            .iter()
            .filter(|signature| signature.counts_from().is_some_and(|from| from <= now))
            .min_by_key(|signature| (signature.symptom, &signature.message))
    }

    /// When a failure that does not count yet will.
    pub fn fails_at(&self, now: Timestamp) -> Option<Timestamp> {
        let of_signatures = self.failures.iter().filter_map(Signature::counts_from);
        of_signatures.chain(self.below_counts_from).filter(|at| *at > now).min()
    }

    /// Whether too few pods have been available for too long.
    pub fn is_below(&self, now: Timestamp) -> bool {
        self.below_counts_from.is_some_and(|from| from <= now)
    }

    /// What to say when time runs out: an environmental cause that was seen, else the time itself.
    pub fn cause_of_delay(&self) -> Signature {
        self.failures
            .iter()
            .min_by_key(|signature| (signature.symptom, &signature.message))
            .cloned()
            .unwrap_or_else(|| Signature::of_rollout(Symptom::DeadlineExceeded, "the rollout did not finish in time"))
    }
}

/// Whether a pod is of the template that is on the target now.
fn is_present(world: &Snapshot, workload: &Workload, pod: &Pod, attempt: Option<&Attempt>) -> bool {
    match workload.kind {
        Kind::Deployment => world
            .new_replica_set(workload)
            .is_some_and(|set| pod.metadata.controller().is_some_and(|owner| owner.uid == set.meta.uid)),
        Kind::StatefulSet => {
            let revision = pod.metadata.labels.get("controller-revision-hash");
            revision.is_some() && revision == workload.status.update_revision.as_deref()
        }
        // A DaemonSet's status does not name its revision: pods of an earlier one are older than the attempt.
        Kind::DaemonSet => attempt.is_none_or(|attempt| pod.metadata.creation_timestamp > Some(attempt.started_at)),
        _ => false,
    }
}

fn stuck(workload: &Workload, pods: &[&Arc<Pod>]) -> Vec<PodId> {
    let seen = workload.status.observed_generation >= workload.meta.generation;
    if workload.kind != Kind::StatefulSet || !seen || workload.status.update_revision.is_none() {
        return Vec::new();
    }
    pods.iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && !pod.is_ready())
        .filter(|pod| pod.metadata.labels.get("controller-revision-hash") != workload.status.update_revision.as_deref())
        .map(|pod| PodId {
            name: pod.metadata.name.clone(),
            uid: pod.metadata.uid.clone(),
        })
        .collect()
}

fn expects_pods(workload: &Workload, desired: u32) -> bool {
    let on_delete = workload
        .spec
        .update_strategy
        .as_ref()
        .is_some_and(|strategy| strategy.kind == "OnDelete");
    let partition = workload
        .spec
        .update_strategy
        .as_ref()
        .and_then(|strategy| strategy.rolling_update.as_ref())
        .and_then(|parameters| parameters.partition)
        .unwrap_or(0);
    desired > 0 && !workload.spec.paused && !on_delete && partition == 0 && workload.desired_replicas().is_some()
}

/// Times of objects have whole seconds.
fn began(world: &Snapshot, workload: &Workload, attempt: &Attempt) -> bool {
    world.replica_sets_of(workload).iter().any(|set| {
        set.template.hash == attempt.template_after
            && set
                .meta
                .creation_timestamp
                .is_some_and(|created| created.as_second() >= attempt.started_at.as_second())
    })
}

/// As `kubectl rollout status` decides it.
fn is_complete(workload: &Workload, desired: u32) -> bool {
    let status = &workload.status;
    let seen = status.observed_generation >= workload.meta.generation;
    let updated = count(status.updated_replicas) >= desired;
    match workload.kind {
        Kind::Deployment => {
            seen && updated
                && count(status.replicas) <= count(status.updated_replicas)
                && count(status.available_replicas) >= desired
        }
        _ => seen && updated && count(status.available_replicas) >= desired,
    }
}

/// The Deployment's own word where it gives one, else the last pod that stopped being ready.
fn below_since(workload: &Workload, pods: &[&Arc<Pod>]) -> Option<Timestamp> {
    let condition = workload.condition("Available").filter(|c| c.status == "False");
    condition.and_then(|c| c.last_transition_time).or_else(|| {
        pods.iter()
            .flat_map(|pod| &pod.status.conditions)
            .filter(|c| c.kind == "Ready" && c.status == "False")
            .filter_map(|c| c.last_transition_time)
            .max()
    })
}

/// From the creation of the present ReplicaSet to the Deployment's last progress.
fn last_rollout(world: &Snapshot, workload: &Workload) -> Option<Duration> {
    let started = world.new_replica_set(workload)?.meta.creation_timestamp?;
    let ended = workload
        .condition("Progressing")
        .filter(|c| c.reason == "NewReplicaSetAvailable")?
        .last_update_time?;
    Duration::try_from(ended.duration_since(started)).ok()
}

fn restarts(pod: &Pod) -> u32 {
    pod.status
        .container_statuses
        .iter()
        .map(|status| count(status.restart_count))
        .sum()
}

fn images(pods: &[&Pod]) -> Vec<String> {
    let mut images: Vec<String> = pods
        .iter()
        .flat_map(|pod| &pod.status.container_statuses)
        .map(|status| status.image_id.to_string())
        .filter(|image| !image.is_empty())
        .collect();
    images.sort();
    images.dedup();
    images
}

fn count(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(0)
}
