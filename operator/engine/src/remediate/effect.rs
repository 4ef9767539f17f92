//! What a step asks for, and what became of it.

use jiff::Timestamp;
use json_patch::Patch;

use super::Record;
use crate::network;
use crate::plan::PlanHash;

/// The result of one step: what is to be remembered from now on, and what is to be done about it, in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The record after the step; equal to the one before unless the first effect is [`Effect::Persist`].
    pub record: Record,
    /// To be done in order. When one fails, those after it are dropped and the next step decides anew.
    pub effects: Vec<Effect>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write the record with a compare-and-swap. Always comes before the effects that it announces: who loses the swap does nothing.
    Persist,
    /// Ask the API server what it would store.
    DryRun {
        /// The plan.
        plan: PlanHash,
        /// Exactly what would be sent.
        patch: Patch,
    },
    /// Change the target.
    Patch {
        /// The attempt that was persisted before.
        attempt: i64,
        /// Guarded by `test` operations.
        patch: Patch,
    },
    /// Take a change back.
    Undo {
        /// Guarded by `test` operations.
        patch: Patch,
    },
    /// Ask the API server what it would store of the policies that these steps apply.
    TryPolicies {
        /// The plan.
        plan: PlanHash,
        /// Exactly what would be sent.
        steps: Vec<network::Step>,
    },
    /// Write our own policies, in this order. Each step can be repeated: what is applied is applied whole, what is deleted is deleted as it was seen.
    WritePolicies {
        /// The steps.
        steps: Vec<network::Step>,
    },
    /// Delete pods of the failed template that their controller would wait for for ever (kubernetes#67250).
    DeletePods(Vec<PodId>),
    /// Tell people, once for each transition.
    Event(Event),
    /// Move a counter.
    Count(Count),
    /// The rollback failed: repairs of the policies behind it stop at once.
    Stop,
    /// Nothing will be seen before this time that could change the decision: look again then.
    WakeAt(Timestamp),
}

/// A pod, exactly this one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodId {
    /// Name.
    pub name: String,
    /// UID: a pod of the same name that replaced it is left alone.
    pub uid: String,
}

/// What people are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Which.
    pub kind: EventKind,
    /// Sentence.
    pub note: String,
}

/// Reasons of events, as `conventions.md` names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum EventKind {
    Planned,
    Staged,
    Applied,
    Skipped,
    Verified,
    RolledBack,
    RollbackFailed,
    Reverted,
    Conflict,
}

impl EventKind {
    /// `reason` of the event.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Planned => "RemediationPlanned",
            Self::Staged => "NetworkPolicyStaged",
            Self::Applied => "RemediationApplied",
            Self::Skipped => "RemediationSkipped",
            Self::Verified => "RemediationVerified",
            Self::RolledBack => "RemediationRolledBack",
            Self::RollbackFailed => "RemediationRollbackFailed",
            Self::Reverted => "RemediationReverted",
            Self::Conflict => "ReconcileConflict",
        }
    }

    /// Whether somebody should do something.
    pub const fn warns(self) -> bool {
        matches!(self, Self::RolledBack | Self::RollbackFailed | Self::Conflict)
    }
}

/// Counters that a step moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Count {
    /// `ironside_remediations_total`, once for each control of the attempt.
    Remediation {
        /// Outcome.
        outcome: CountedOutcome,
        /// Controls.
        controls: Vec<String>,
    },
    /// `ironside_conflicts_total`: somebody undid a repair.
    Fight {
        /// Field manager.
        manager: String,
    },
}

/// Label `outcome` of `ironside_remediations_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum CountedOutcome {
    Applied,
    Verified,
    RolledBack,
    Conflict,
    Failed,
}

impl CountedOutcome {
    /// Label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Verified => "verified",
            Self::RolledBack => "rolled_back",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
        }
    }
}

/// What became of the last request about the target that this process sent. Lost in a crash, so a step never relies on having one.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What was sent.
    pub sent: Sent,
    /// Generation of the target that it was made for.
    pub generation: i64,
    /// When the answer came, or was given up.
    pub at: Timestamp,
    /// The answer.
    pub answer: Answer,
}

/// Which request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// [`Effect::DryRun`] or [`Effect::TryPolicies`] of this plan.
    DryRun(PlanHash),
    /// [`Effect::Patch`] of this attempt.
    Patch(i64),
    /// [`Effect::Undo`].
    Undo,
    /// [`Effect::WritePolicies`].
    Policies,
}

/// How the API server answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// As asked; for a dry run: it would store exactly the plan.
    Done,
    /// A dry run only: it would store something else; the first differing field.
    Differs(String),
    /// A test failed or the object was written at the same time (422 with a failed test, 409): the target is not what the request was made for.
    Changed(String),
    /// Refused for good: 403 that lasts, 422, or an admission policy.
    Refused(String),
    /// Certainly not done, but may be tried again at this time: 429, a 403 shortly after a reconnect.
    Later(Timestamp),
    /// Nobody knows whether it was done: time-out, lost connection, 5xx. Look at the target; never send again blindly.
    Unknown,
}

impl Step {
    /// Nothing to do.
    pub(super) fn unchanged(record: &Record) -> Self {
        Self {
            record: record.clone(),
            effects: Vec::new(),
        }
    }

    /// Nothing to do before this time.
    pub(super) fn wait(record: &Record, until: Option<Timestamp>) -> Self {
        Self {
            record: record.clone(),
            effects: until.map(Effect::WakeAt).into_iter().collect(),
        }
    }

    /// Persists `next` if it says something else than `record`, then does the rest. A record that is merely older is not worth a write.
    pub(super) fn to(record: &Record, next: Record, then: impl IntoIterator<Item = Effect>) -> Self {
        let mut effects = Vec::new();
        if next != *record {
            effects.push(Effect::Persist);
        }
        effects.extend(then);
        Self { record: next, effects }
    }
}
