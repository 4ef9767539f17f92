//! Fewer pods are available than a rollout of this strategy leaves: from when on that speaks against the repair.
//!
//! Pods go for other reasons, too: a node is drained or lost, a quota is used up, somebody deletes a pod. What comes in their place gets the time that it
//! takes to start, and a cause that may pass by itself the time that it is waited for anyway; then it has a name of its own.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::deadline::Pace;
use super::{after, signature};
use crate::model::{Kind, Pod, Workload};

/// Shortest time that it must last before it counts: endpoints of a pod that is being replaced flap.
const DIP: Duration = Duration::from_secs(30);

/// A pod's first status and its start time are of one moment, in whole seconds.
const ONE_MOMENT: Duration = Duration::from_secs(2);

/// From when on it counts that so many pods too few are available, which began at `since`.
pub(super) fn counts_from(workload: &Workload, pods: &[&Arc<Pod>], missing: u32, since: Timestamp) -> Timestamp {
    let mut excused: Vec<Timestamp> = pods.iter().filter_map(|pod| excused_until(workload, pod)).collect();
    // As long as that many are excused, every missing pod is.
    excused.sort_unstable_by(|one, other| other.cmp(one));
    let all_excused = usize::try_from(missing)
        .ok()
        .and_then(|missing| missing.checked_sub(1))
        .and_then(|last| excused.get(last).copied());
    // Pods that are not even created cannot show why.
    let refused = signature::of_controller(workload)
        .filter(|failure| failure.symptom.is_environmental())
        .and_then(|failure| failure.counts_from());
    let of_causes = [all_excused, refused].into_iter().flatten();
    of_causes.fold(after(since, DIP), Timestamp::max)
}

/// Whether a pod is one that its controller goes on with: it replaces those that ended or are being deleted, except that a StatefulSet waits for the latter.
pub(super) fn is_awaited(workload: &Workload, pod: &Pod) -> bool {
    let leaving = pod.metadata.deletion_timestamp.is_some();
    !pod.has_ended() && (!leaving || workload.kind == Kind::StatefulSet)
}

/// Until when a pod is unavailable for a reason that is nobody's fault. In the past for one that is available.
fn excused_until(workload: &Workload, pod: &Pod) -> Option<Timestamp> {
    if !is_awaited(workload, pod) {
        return None;
    }
    if let Some(lost) = signature::lost_node(pod) {
        return lost.counts_from();
    }
    if let Some(since) = pod.ready_since() {
        let seconds = u64::try_from(workload.spec.min_ready_seconds).unwrap_or(0);
        return Some(after(since, Duration::from_secs(seconds)));
    }
    if pod.metadata.deletion_timestamp.is_some() || was_ready(pod) {
        return None;
    }
    let starts = after(pod.metadata.creation_timestamp?, Pace::of(workload).step);
    let environmental = signature::of_pod(pod, true)
        .into_iter()
        .filter(|failure| failure.symptom.is_environmental())
        .filter_map(|failure| failure.counts_from());
    environmental.chain([starts]).max()
}

/// A pod that is not ready and was before: its status changed after its start.
fn was_ready(pod: &Pod) -> bool {
    let changed = pod.status.conditions.iter().find(|c| c.kind == "Ready");
    let changed = changed.and_then(|condition| condition.last_transition_time);
    let started = pod.status.start_time.or(pod.metadata.creation_timestamp);
    matches!((changed, started), (Some(changed), Some(started)) if changed > after(started, ONE_MOMENT))
}
