//! Why a repair stands where it stands: one CamelCase word from a closed set, for status, events and metrics.

use crate::plan::Held;

macro_rules! reasons {
    ($($(#[$doc:meta])+ $name:ident),+ $(,)?) => {
        /// Reason of a phase.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            /// None was given.
            #[default]
            None,
            $($(#[$doc])+ $name),+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[Self::None, $(Self::$name),+];

            /// The word; empty for [`Reason::None`].
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::None => "",
                    $(Self::$name => stringify!($name)),+
                }
            }
        }
    };
}

reasons! {
    // Pending
    /// The policy's mode is Preview.
    Preview,
    /// A human must approve the plan.
    AwaitingApproval,
    /// The operator may not write to targets of this kind here.
    PermissionDenied,
    /// The object, its namespace, its policy or everything is paused.
    Paused,
    /// No window is open.
    OutsideWindow,
    /// The target changed, or became healthy, not long ago.
    Settling,
    /// A rollout that is not ours is under way.
    RollingOut,
    /// Its owner is in the middle of an operation.
    OwnerBusy,
    /// The target is not healthy, so a failure could not be told from before.
    Unhealthy,
    /// Enough repairs are in flight.
    Budget,
    /// A PodDisruptionBudget allows no disruption.
    DisruptionBudget,
    /// No room for the pods that a rollout adds.
    NoRoom,
    /// All gates are open: about to start.
    Ready,
    /// The target changed while the repair was being sent; it is planned anew.
    TargetChanged,
    /// A human approved the plan.
    Approved,
    /// A human asked for another try.
    Retried,

    // Held
    /// Somebody else manages the object.
    OwnedBy,
    /// Somebody else states a field of the plan.
    FieldOwned,
    /// The API server refuses the combination.
    RefusedByApiServer,
    /// Evidence says that it would break.
    WouldBreak,
    /// A restart is not safe.
    RestartUnsafe,
    /// It could not be undone.
    Irreversible,
    /// Applicability is not clear.
    Unclear,
    /// An exception withholds the repair.
    Exception,
    /// Two controls want different values.
    Contradiction,
    /// The namespace is not repaired.
    SystemNamespace,
    /// The API server would store something else than planned.
    Mutated,
    /// The API server or an admission policy refuses the change.
    Denied,
    /// Somebody undid a repair.
    Fight,
    /// It broke the workload before.
    Quarantined,
    /// It could not be rolled out for a cause that is not the repair's: image pull, no node, quota, node lost.
    Environment,
    /// A human said Hold.
    HeldByHuman,
    /// A human wrote to the target a short time ago.
    RecentHumanWrite,
    /// Nothing that may be changed would repair it.
    NotRepairable,
    /// Repairs of the policy have stopped after too many rollbacks.
    Stopped,
    /// Somebody deleted the default deny of the namespace: the network stays open for a day.
    DenyDeleted,
    /// Somebody changed the default deny of the namespace.
    DenyAltered,
    /// The API server calls a Service of the namespace.
    CalledByApiServer,
    /// Generated network policies would let through what is refused now.
    WouldOpen,
    /// An object that is not Ironside's has a name that it needs.
    NameTaken,

    // In flight
    /// The patch is being sent.
    Claimed,
    /// Pods of the new template are on their way.
    Progressing,
    /// All pods of the new template are ready and are watched for the soak time.
    Soaking,
    /// No pod of the new template can be expected yet.
    NoPodsYet,
    /// Another writer changed the template and kept our fields; it is verified anew.
    TemplateChanged,
    /// Verified, watched for late failures.
    Watching,
    /// The rollout broke or lost availability; the message says how.
    RolloutFailed,
    /// The rollout did not finish in time.
    DeadlineExceeded,
    /// A human asked to undo it.
    RevertRequested,
    /// The template is back, the pods are not yet.
    Recovering,
    /// Another writer changed the template during the rollback.
    Superseded,

    // Ended
    /// Watched long enough.
    Verified,
    /// The target is gone or was created anew.
    TargetGone,
    /// Nothing fails any more.
    FindingGone,
    /// No policy asks for it any more.
    PolicyGone,
}

impl Reason {
    /// Reads what [`Reason::as_str`] writes; an unknown word (a newer operator's) reads as none.
    pub fn parse(text: &str) -> Self {
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == text)
            .unwrap_or_default()
    }
}

impl From<&Held> for Reason {
    fn from(held: &Held) -> Self {
        match held.reason() {
            "ByHuman" => Self::HeldByHuman,
            "PreviewOnly" => Self::Preview,
            word => Self::parse(word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.as_str()), *reason);
        }
        assert_eq!(Reason::parse("FromTheFuture"), Reason::None);
    }
}
