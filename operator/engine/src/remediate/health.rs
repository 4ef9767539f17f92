//! How the workloads of a namespace fare while something about the namespace changes that restarts none of them: its network.
//!
//! Each workload is compared with itself before. What could as well come from elsewhere does not count: a pod whose node went away, a pod of a release that
//! came after the change, and pods that fail where pods of other namespaces fail, too.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::deadline::Pace;
use super::signature::{self, Signature, Symptom};
use super::{Attempt, Baseline, after};
use crate::model::{Kind, ObjectRef, Pod, Workload};
use crate::world::Snapshot;

/// Workloads that were short of pods before, at most, that an attempt can remember.
pub const MOST_SHORT: usize = 64;

/// One look at the workloads of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// All pods: what the attempt remembers of them.
    pub baseline: Baseline,
    /// Ready pods of each workload that has fewer than it wants.
    pub short: BTreeMap<String, u32>,
    /// Failures that an attempt is to blame for, as far as can be seen. Empty without an attempt.
    pub failures: Vec<Failing>,
    /// Workloads that have fewer ready pods than before the attempt, whoever is to blame.
    pub below: Vec<String>,
}

/// A workload that fares worse than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    /// What was seen.
    pub signature: Signature,
    /// From when on it counts.
    pub counts_from: Timestamp,
}

impl Health {
    /// Looks at a namespace. With an attempt: compares with what it remembers.
    pub fn of(world: &Snapshot, namespace: &str, attempt: Option<&Attempt>) -> Self {
        let mut health = Self::default();
        let mut others: Option<Elsewhere> = None;
        for workload in workloads(world, namespace) {
            let pods = world.pods_of(&workload);
            let name = format!("{} {}", workload.kind, workload.meta.name);
            let ready = count(pods.iter().filter(|pod| is_up(pod)).count());
            let wanted = wanted(&workload);
            health.baseline.ready += ready;
            health.baseline.restarts += pods.iter().map(|pod| restarts(pod)).sum::<u32>();
            if ready < wanted {
                health.short.insert(key(&workload), ready);
            }
            let Some(attempt) = attempt.filter(|attempt| was_there(&workload, attempt)) else {
                continue;
            };
            let before = attempt.short.get(&key(&workload)).copied().unwrap_or(wanted);
            if ready >= before.min(wanted) {
                continue;
            }
            health.below.push(name.clone());
            let others = others.get_or_insert_with(|| Elsewhere::of(world, namespace, attempt.started_at));
            let failing = pods
                .iter()
                .filter(|pod| pod.metadata.deletion_timestamp.is_none() && !pod.is_ready())
                .filter(|pod| !is_of_a_later_release(world, &workload, pod, attempt.started_at))
                .filter(|pod| !others.fail_too(pod))
                .filter_map(|pod| failing(pod, &workload, &name, attempt.started_at));
            health.failures.extend(failing);
        }
        health
    }

    /// The failure that counts by now and tells most.
    pub fn failed(&self, now: Timestamp) -> Option<&Signature> {
        self.failures
            .iter()
            .filter(|failing| failing.counts_from <= now)
            .map(|failing| &failing.signature)
            .min_by_key(|signature| (signature.symptom, &signature.message))
    }

    /// When a failure that does not count yet will.
    pub fn fails_at(&self, now: Timestamp) -> Option<Timestamp> {
        let times = self.failures.iter().map(|failing| failing.counts_from);
        times.filter(|at| *at > now).min()
    }
}

/// Workloads that are meant to run all the time; bare pods are each their own.
fn workloads(world: &Snapshot, namespace: &str) -> Vec<Arc<Workload>> {
    let runs = |target: &ObjectRef| !matches!(target.kind, Kind::Namespace | Kind::Job | Kind::CronJob);
    world
        .targets_in(namespace)
        .filter(runs)
        .filter_map(|target| world.workload(&target).cloned())
        .collect()
}

fn key(workload: &Workload) -> String {
    format!("{}/{}", workload.kind, workload.meta.name)
}

fn wanted(workload: &Workload) -> u32 {
    workload
        .desired_replicas()
        .map_or(1, |replicas| replicas.try_into().unwrap_or(0))
}

/// Whether the workload existed when the attempt began.
fn was_there(workload: &Workload, attempt: &Attempt) -> bool {
    workload
        .meta
        .creation_timestamp
        .is_none_or(|at| at < attempt.started_at)
}

/// A pod that serves.
fn is_up(pod: &Pod) -> bool {
    pod.is_ready() && pod.metadata.deletion_timestamp.is_none()
}

/// A pod that was made from a template that came after `since`: what breaks it is the release, as far as anybody can tell.
fn is_of_a_later_release(world: &Snapshot, workload: &Workload, pod: &Pod, since: Timestamp) -> bool {
    workload.kind == Kind::Deployment
        && world.replica_sets_of(workload).iter().any(|set| {
            let made_it = pod.metadata.controller().is_some_and(|owner| owner.uid == set.meta.uid);
            made_it && set.meta.creation_timestamp.is_some_and(|created| created >= since)
        })
}

/// What an unready pod says against the attempt. One that was there before has lost its readiness, since its workload has fewer ready pods than before; one
/// that came later may still be starting.
fn failing(pod: &Pod, workload: &Workload, name: &str, since: Timestamp) -> Option<Failing> {
    let signatures = signature::of_pod(pod, false);
    if signatures.iter().any(|signature| signature.symptom.is_environmental()) {
        return None;
    }
    let seen = signatures.into_iter().min_by_key(|signature| signature.symptom);
    let created = pod.metadata.creation_timestamp;
    let started_later = created.is_some_and(|created| created >= since);
    let (mut signature, counts_from) = match seen {
        Some(signature) => {
            let from = signature.counts_from().unwrap_or(Timestamp::MIN);
            (signature, from)
        }
        None if started_later => {
            let lost = Signature::of_rollout(Symptom::Unavailable, "a pod does not become ready");
            (lost, after(created.unwrap_or(since), Pace::of(workload).step))
        }
        None => {
            let lost = Signature::of_rollout(Symptom::Unavailable, "a pod is not ready any more");
            (lost, Timestamp::MIN)
        }
    };
    signature.message = format!("{name}: {}", signature.message);
    Some(Failing { signature, counts_from })
}

/// Pods of other namespaces that were there before, by node and altogether.
struct Elsewhere {
    by_node: BTreeMap<String, Tally>,
    all: Tally,
}

/// How many pods were ready, and how many of those are not any more.
#[derive(Clone, Copy, Default)]
struct Tally {
    were_ready: u32,
    lost: u32,
}

impl Tally {
    /// Whether at least half have failed. Where nobody else is, nothing speaks for a common cause.
    fn is_common(self) -> bool {
        self.lost > 0 && self.lost * 2 >= self.were_ready
    }
}

impl Elsewhere {
    fn of(world: &Snapshot, namespace: &str, since: Timestamp) -> Self {
        let mut elsewhere = Self {
            by_node: BTreeMap::new(),
            all: Tally::default(),
        };
        let shards = world.shards.iter().filter(|(name, _)| name.as_ref() != namespace);
        for pod in shards.flat_map(|(_, shard)| shard.pods.values()) {
            let old = pod.metadata.creation_timestamp.is_none_or(|created| created < since);
            let lost = lost_since(pod, since);
            if !old || pod.metadata.deletion_timestamp.is_some() || !(lost || pod.is_ready()) {
                continue;
            }
            let node = pod.spec.node_name.clone().unwrap_or_default();
            for tally in [elsewhere.by_node.entry(node).or_default(), &mut elsewhere.all] {
                tally.were_ready += 1;
                tally.lost += u32::from(lost);
            }
        }
        elsewhere
    }

    /// Whether pods of other namespaces fail where this one is, or everywhere.
    fn fail_too(&self, pod: &Pod) -> bool {
        let node = pod.spec.node_name.as_deref().unwrap_or_default();
        self.all.is_common() || self.by_node.get(node).is_some_and(|tally| tally.is_common())
    }
}

fn lost_since(pod: &Pod, since: Timestamp) -> bool {
    pod.status
        .conditions
        .iter()
        .any(|c| c.kind == "Ready" && c.status != "True" && c.last_transition_time.is_some_and(|at| at >= since))
}

fn restarts(pod: &Pod) -> u32 {
    pod.status
        .container_statuses
        .iter()
        .map(|status| count(status.restart_count))
        .sum()
}

fn count(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(0)
}
