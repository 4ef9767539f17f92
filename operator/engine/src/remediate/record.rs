//! What is remembered about one repair target: the engine's form of `HardeningRemediation` (status and decision).
//!
//! Display and memory only. What is executed is recomputed from live objects, and what was changed is recorded on the target itself.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::Reason;
use crate::model::TemplateHash;
use crate::plan::PlanHash;

/// Entries of [`Record::history`] that are kept.
pub const HISTORY: usize = 10;

/// Entries of [`Memory::reverts`] that are kept.
pub const REVERTS: usize = 5;

/// Entries of [`Memory::failures`] that are kept.
pub const FAILURES: usize = 10;

/// How long a revert or a failure is remembered (`product.md`: 90 days with memory).
pub const MEMORY: Duration = Duration::from_hours(90 * 24);

/// Where a repair stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing was written about this target yet.
    #[default]
    New,
    /// Planned; it waits for what the reason names.
    Pending,
    /// Not done; it waits for a human or for the reason's input to change.
    Held,
    /// Claimed: the patch is about to be sent, or was sent and its outcome is not known.
    Applying,
    /// Applied; pods of the new template are watched until they have been ready for the soak time.
    Verifying,
    /// Verified; still watched for late failures.
    Probation,
    /// Being undone.
    RollingBack,
    /// Undone, and the workload is as available as before.
    RolledBack,
    /// Not undone, or the workload did not come back in time.
    RollbackFailed,
    /// Kept.
    Succeeded,
    /// All repairs of the target are being undone because a human asked.
    Reverting,
    /// Undone because a human asked. Left only by a human's Retry or Approve.
    Reverted,
    /// Nothing left to do: target, finding or policy is gone.
    Closed,
}

impl Phase {
    /// Every phase.
    pub const ALL: [Self; 13] = [
        Self::New,
        Self::Pending,
        Self::Held,
        Self::Applying,
        Self::Verifying,
        Self::Probation,
        Self::RollingBack,
        Self::RolledBack,
        Self::RollbackFailed,
        Self::Succeeded,
        Self::Reverting,
        Self::Reverted,
        Self::Closed,
    ];

    /// Name in status, events and metrics; empty for [`Phase::New`].
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "",
            Self::Pending => "Pending",
            Self::Held => "Held",
            Self::Applying => "Applying",
            Self::Verifying => "Verifying",
            Self::Probation => "Probation",
            Self::RollingBack => "RollingBack",
            Self::RolledBack => "RolledBack",
            Self::RollbackFailed => "RollbackFailed",
            Self::Succeeded => "Succeeded",
            Self::Reverting => "Reverting",
            Self::Reverted => "Reverted",
            Self::Closed => "Closed",
        }
    }

    /// Whether a repair is under way that must be finished whatever the policy says by now.
    pub const fn in_flight(self) -> bool {
        matches!(
            self,
            Self::Applying
                | Self::Verifying
                | Self::Probation
                | Self::RollingBack
                | Self::RollbackFailed
                | Self::Reverting
        )
    }
}

/// Everything that is remembered about one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Where the repair stands.
    pub phase: Phase,
    /// Why it stands there.
    pub reason: Reason,
    /// Why, for people. Without counters or times, so that it is stable while nothing changes.
    pub message: String,
    /// Hash of the plan that is shown.
    pub plan: Option<PlanHash>,
    /// The repair in flight, or the last one.
    pub attempt: Option<Attempt>,
    /// What must not be forgotten.
    pub memory: Memory,
    /// The last transitions, oldest first.
    pub history: Vec<Transition>,
    /// Generation of the object whose decision was taken note of; the object's spec changes with the decision only.
    pub decided_generation: i64,
}

/// A repair in flight, with the settings it started under: it finishes by them even when the policy is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Number of the attempt on this target, from 1.
    pub id: i64,
    /// Leadership term of the operator that started it.
    pub epoch: i64,
    /// The plan that is applied.
    pub plan: PlanHash,
    /// Ids of the controls that it serves.
    pub controls: BTreeSet<String>,
    /// When it was claimed.
    pub started_at: Timestamp,
    /// UID of the target: an object of the same name that was created anew is another target.
    pub target_uid: String,
    /// Newest generation of the target that this record was written from. Another process whose view is older than that knows less than the record and keeps
    /// still until it has caught up.
    pub seen_generation: i64,
    /// How long pods of the new template must be ready.
    pub soak: Duration,
    /// How long it is watched after verification.
    pub probation: Duration,
    /// When the rollout counts as failed unless it progresses. `None` while no pod of the new template can be expected.
    pub deadline: Option<Timestamp>,
    /// Since when all expected pods of the new template have been ready.
    pub ready_since: Option<Timestamp>,
    /// When probation ends. Set exactly when verification passed.
    pub probation_until: Option<Timestamp>,
    /// When the rollback started.
    pub rolled_back_at: Option<Timestamp>,
    /// Template before. `None` when another writer changed the template since: then the whole is no longer ours and is never rolled back.
    pub template_before: Option<TemplateHash>,
    /// Template that is verified; of a namespace: a hash of what is written.
    pub template_after: TemplateHash,
    /// Health before; of a namespace: of all its pods.
    pub baseline: Baseline,
    /// Of a namespace: ready pods of each workload (`Deployment/web`) that had fewer than it wanted already before.
    pub short: BTreeMap<String, u32>,
}

impl Attempt {
    /// Whether it is known how the attempt ended: it passed verification or was rolled back.
    pub const fn is_settled(&self) -> bool {
        self.probation_until.is_some() || self.rolled_back_at.is_some()
    }
}

/// A workload's health before a repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    /// Pods that were ready.
    pub ready: u32,
    /// Container restarts of its pods.
    pub restarts: u32,
}

/// What must not be forgotten about a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Who undid a repair, oldest first.
    pub reverts: Vec<Revert>,
    /// Repairs that broke the workload, oldest first.
    pub failures: Vec<Failure>,
}

impl Memory {
    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.reverts.is_empty() && self.failures.is_empty()
    }
}

/// Somebody undid a repair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// The field manager that did.
    pub manager: String,
    /// When it was seen.
    pub time: Timestamp,
}

/// A repair broke the workload, or could not be rolled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Ids of the controls that are suspected: those that the signature points at, else all of the attempt.
    pub controls: BTreeSet<String>,
    /// Digest of the image that failed.
    pub image_digest: Option<String>,
    /// What was seen: [`super::Signature::reason`].
    pub reason: String,
    /// When.
    pub time: Timestamp,
}

/// One transition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// When.
    pub time: Timestamp,
    /// The phase that began.
    pub phase: Phase,
    /// The plan at that time.
    pub plan: Option<PlanHash>,
    /// Why.
    pub reason: Reason,
    /// Who decided; `None` for the operator.
    pub by: Option<String>,
}

/// The human decision, as it stands in the spec.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What.
    pub action: Action,
    /// The plan that is approved: at least 12 characters of its hash.
    pub plan: Option<String>,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Generation of the object that carries it.
    pub generation: i64,
}

/// What a human decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Do the repair that `plan` names.
    Approve,
    /// Do not start it.
    Hold,
    /// Try again after a hold or a failure.
    Retry,
    /// Undo what was repaired.
    Revert,
}

impl Record {
    /// Notes a transition, dropping the oldest beyond [`HISTORY`].
    pub(super) fn note(&mut self, now: Timestamp, by: Option<&str>) {
        self.history.push(Transition {
            time: now,
            phase: self.phase,
            plan: self.plan.clone(),
            reason: self.reason,
            by: by.map(str::to_owned),
        });
        let surplus = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..surplus);
    }

    /// When a human last decided something for one of these reasons.
    pub(super) fn last_decided(&self, reasons: &[Reason]) -> Option<Timestamp> {
        self.history
            .iter()
            .rev()
            .find(|entry| entry.by.is_some() && reasons.contains(&entry.reason))
            .map(|entry| entry.time)
    }

    /// Forgets what is older than [`MEMORY`].
    pub(super) fn forget_old(&mut self, now: Timestamp) {
        self.memory
            .reverts
            .retain(|revert| !super::elapsed(revert.time, MEMORY, now));
        self.memory
            .failures
            .retain(|failure| !super::elapsed(failure.time, MEMORY, now));
    }
}
