//! Releases in progress: Helm, Argo CD and Flux change the parts of a release one after the other, and a failure of any part takes back or fails the whole.
//!
//! Their own state (release Secrets, Applications) is not readable in the default install. What is visible is enough to keep out of their way: a part of the
//! same release that changed a short time ago, or rolls out.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::gates::Shut;
use super::{FIELD_MANAGER, Reason};
use crate::model::{Kind, Workload};
use crate::plan::releases_of;
use crate::world::Snapshot;

/// A part that rolls out for longer is stuck, and nobody waits for it any more. Helm waits five minutes unless told otherwise.
const LONGEST: Duration = Duration::from_hours(1);

/// When to look again at a part that rolls out: its changes are not the target's, so none of them wakes it.
const AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// Shut while another part of the target's release changed less than `settle` ago, or rolls out.
pub(super) fn in_progress(world: &Snapshot, workload: &Workload, settle: Duration, now: Timestamp) -> Option<Shut> {
    let releases = releases_of(workload);
    if releases.is_empty() {
        return None;
    }
    let parts = world.shard(&workload.meta.namespace)?.workloads.values();
    let others = parts.filter(|part| part.meta.uid != workload.meta.uid && part.meta.controller().is_none());
    others
        .filter_map(|part| {
            let wrote = last_foreign_write(part)?;
            let settles = super::after(last_progress(part).map_or(wrote, |at| at.max(wrote)), settle);
            let rolls = is_rolling_out(part) && !super::elapsed(wrote, LONGEST, now);
            let opens = match (now < settles, rolls) {
                (false, false) => return None,
                (true, false) => settles,
                (_, true) => settles.max(now.checked_add(AGAIN).unwrap_or(Timestamp::MAX)),
            };
            let release = releases_of(part).into_iter().find(|it| releases.contains(it))?;
            Some((opens, release, part))
        })
        .max_by_key(|(opens, ..)| *opens)
        .map(|(opens, release, part)| Shut {
            reason: Reason::OwnerBusy,
            message: format!("{release} is in progress: {} changed or rolls out", part.reference()),
            opens: Some(opens),
            since: None,
        })
}

/// When somebody else last changed the spec. A rollout of ours that came later is no release.
fn last_foreign_write(part: &Workload) -> Option<Timestamp> {
    let writes = part.meta.managed_fields.iter();
    let last = writes
        .filter(|entry| entry.subresource.is_empty() && entry.owns(&["spec"]))
        .max_by_key(|entry| entry.time)?;
    (last.manager != FIELD_MANAGER).then_some(last.time).flatten()
}

/// When its rollout last came forward or ended.
fn last_progress(part: &Workload) -> Option<Timestamp> {
    let conditions = part.status.conditions.iter();
    conditions
        .filter(|c| c.kind == "Available" || c.kind == "Progressing")
        .filter_map(|c| c.last_transition_time.max(c.last_update_time))
        .max()
}

fn is_rolling_out(part: &Workload) -> bool {
    let status = &part.status;
    let desired = part.desired_replicas().unwrap_or(0);
    let unseen = status.observed_generation < part.meta.generation;
    match part.kind {
        Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet => unseen || status.updated_replicas < desired,
        _ => false,
    }
}
