//! Conditions: the type, the names and reasons that Ironside uses, and the one way to set one.
//!
//! Rules (Kubernetes API conventions, kstatus): `lastTransitionTime` moves only when `status` flips; messages carry no counters and no times, so
//! that an unchanged world writes nothing.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Time;

/// One aspect of an object's state, with the JSON shape of `metav1.Condition`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// The aspect, such as Ready.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub type_: String,
    /// Whether it holds: True, False or Unknown.
    pub status: ConditionStatus,
    /// The generation of the spec that this is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// When status last changed.
    pub last_transition_time: Time,
    /// Why, in one CamelCase word for programs.
    #[schemars(
        length(min = 1, max = 128),
        regex(pattern = "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    )]
    pub reason: String,
    /// Why, for people.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// It cannot be told.
    #[default]
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// What a condition should say now, without the time at which it began to say so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Observed {
    /// The aspect, one of [`types`].
    pub type_: &'static str,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, one of [`reasons`].
    pub reason: &'static str,
    /// Why, for people: no counters, no times.
    pub message: String,
}

/// Sets the condition of `observed`'s type and returns whether anything changed. `now` becomes `lastTransitionTime` only when the status flips or
/// the condition is new. New conditions are inserted in the order of their type, so that the list does not depend on the order of calls.
pub fn set(conditions: &mut Vec<Condition>, observed: Observed, generation: Option<i64>, now: Time) -> bool {
    let Observed {
        type_,
        status,
        reason,
        message,
    } = observed;
    let Some(condition) = conditions.iter_mut().find(|condition| condition.type_ == type_) else {
        let position = conditions.partition_point(|condition| condition.type_.as_str() < type_);
        let condition = Condition {
            type_: type_.to_owned(),
            status,
            observed_generation: generation,
            last_transition_time: now,
            reason: reason.to_owned(),
            message,
        };
        conditions.insert(position, condition);
        return true;
    };
    let updated = Condition {
        type_: type_.to_owned(),
        status,
        observed_generation: generation,
        last_transition_time: if condition.status == status {
            condition.last_transition_time
        } else {
            now
        },
        reason: reason.to_owned(),
        message,
    };
    let changed = *condition != updated;
    *condition = updated;
    changed
}

/// Removes the condition of this type and returns whether there was one.
pub fn remove(conditions: &mut Vec<Condition>, type_: &str) -> bool {
    let before = conditions.len();
    conditions.retain(|condition| condition.type_ != type_);
    conditions.len() != before
}

/// The condition of this type.
pub fn get<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Whether the condition of this type holds. Absent and Unknown do not.
pub fn is_true(conditions: &[Condition], type_: &str) -> bool {
    get(conditions, type_).is_some_and(|condition| condition.status == ConditionStatus::True)
}

/// Condition types.
pub mod types {
    /// Policy: Ironside has processed this spec and works on it. Not: the cluster is compliant.
    pub const READY: &str = "Ready";
    /// Policy: every control id, parameter, selector and schedule of the spec is understood.
    pub const CONTROLS_RESOLVED: &str = "ControlsResolved";
    /// Policy: the operator may read and write what the enabled controls need.
    pub const PERMISSIONS_GRANTED: &str = "PermissionsGranted";
    /// Policy: the admission policy that guards approvals is in place. Without it human approvals are ignored.
    pub const APPROVAL_GUARDED: &str = "ApprovalGuarded";
    /// Policy: every plan is shown by a remediation; there is a limit on their number.
    pub const PLANS_RECORDED: &str = "PlansRecorded";
    /// Policy: every control passes.
    pub const COMPLIANT: &str = "Compliant";
    /// Policy: repairs have stopped after too many rollbacks, until a human clears it.
    pub const REMEDIATION_STOPPED: &str = "RemediationStopped";
    /// Policy: repairs do not start because of an annotation or `ironside pause`.
    pub const PAUSED: &str = "Paused";
    /// Policy: this spec can never work (kstatus: Failed).
    pub const STALLED: &str = "Stalled";
    /// Policy: this spec is being processed (kstatus: InProgress).
    pub const RECONCILING: &str = "Reconciling";
    /// Remediation: the planned change is on the target.
    pub const APPLIED: &str = "Applied";
    /// Remediation: the change proved not to break the target.
    pub const VERIFIED: &str = "Verified";
    /// Remediation: the repair is not done; the reason says why.
    pub const HELD: &str = "Held";
    /// Exception: it counts.
    pub const EFFECTIVE: &str = "Effective";
}

/// Reasons of the conditions of policies and exceptions. Those of a remediation are the reasons of its phases, which the engine's state machine owns.
pub mod reasons {
    /// The spec has been processed.
    pub const RECONCILED: &str = "Reconciled";
    /// The spec is being processed.
    pub const IN_PROGRESS: &str = "InProgress";
    /// Watches are not complete yet.
    pub const SYNCING: &str = "Syncing";
    /// `spec.suspend` is true.
    pub const SUSPENDED: &str = "Suspended";
    /// Every control is understood.
    pub const RESOLVED: &str = "Resolved";
    /// A control id is unknown.
    pub const UNKNOWN_CONTROL: &str = "UnknownControl";
    /// A parameter's name or value is not valid.
    pub const INVALID_PARAMETER: &str = "InvalidParameter";
    /// A selector cannot match or cannot be parsed.
    pub const INVALID_SELECTOR: &str = "InvalidSelector";
    /// A window's cron expression or time zone is not valid.
    pub const INVALID_SCHEDULE: &str = "InvalidSchedule";
    /// The profile is unknown at this version.
    pub const UNKNOWN_PROFILE: &str = "UnknownProfile";
    /// All permissions are there.
    pub const GRANTED: &str = "Granted";
    /// A permission is missing; the message names it.
    pub const PERMISSION_DENIED: &str = "PermissionDenied";
    /// The admission policy is in place.
    pub const GUARDED: &str = "Guarded";
    /// The admission policy is missing or was changed.
    pub const UNGUARDED: &str = "Unguarded";
    /// Every plan has a remediation.
    pub const RECORDED: &str = "Recorded";
    /// There are as many remediations as the limits allow.
    pub const LIMIT_REACHED: &str = "LimitReached";
    /// Every control passes.
    pub const ALL_PASSED: &str = "AllPassed";
    /// A control fails.
    pub const CONTROLS_FAILED: &str = "ControlsFailed";
    /// No control fails, but not everything could be looked at.
    pub const INCOMPLETE: &str = "Incomplete";
    /// Too many rollbacks within the span of `stopAfter`.
    pub const TOO_MANY_ROLLBACKS: &str = "TooManyRollbacks";
    /// A rollback did not bring the workload back.
    pub const ROLLBACK_FAILED: &str = "RollbackFailed";
    /// Repairs may start.
    pub const RUNNING: &str = "Running";
    /// The annotation `pause-until` names a time that has not come.
    pub const PAUSED_BY_ANNOTATION: &str = "PausedByAnnotation";
    /// The annotation `pause-until` cannot be read, which counts as paused.
    pub const MALFORMED_PAUSE: &str = "MalformedPause";
    /// `ironside pause` is in effect.
    pub const PAUSED_BY_COMMAND: &str = "PausedByCommand";
    /// A watch is stale: results may be out of date.
    pub const STALE: &str = "Stale";
    /// Exception: in effect.
    pub const IN_EFFECT: &str = "InEffect";
    /// Exception: in effect, and it ends within seven days.
    pub const EXPIRING: &str = "Expiring";
    /// Exception: no cluster policy delegates it.
    pub const NOT_DELEGATED: &str = "NotDelegated";
    /// Exception: it ends later than the delegation allows.
    pub const TOO_LONG: &str = "TooLong";
    /// Exception: it has ended.
    pub const EXPIRED: &str = "Expired";
    /// Exception: it matches no finding.
    pub const NO_MATCH: &str = "NoMatch";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Time {
        jiff::Timestamp::from_second(second).unwrap().into()
    }

    fn ready(status: ConditionStatus, message: &str) -> Observed {
        Observed {
            type_: types::READY,
            status,
            reason: reasons::RECONCILED,
            message: message.to_owned(),
        }
    }

    #[test]
    fn transition_time_moves_only_when_the_status_flips() {
        let mut conditions = Vec::new();
        assert!(set(&mut conditions, ready(ConditionStatus::True, "a"), Some(1), at(10)));
        assert!(
            !set(&mut conditions, ready(ConditionStatus::True, "a"), Some(1), at(20)),
            "nothing changed"
        );
        assert!(
            set(&mut conditions, ready(ConditionStatus::True, "b"), Some(1), at(30)),
            "message changed"
        );
        assert!(
            set(&mut conditions, ready(ConditionStatus::True, "b"), Some(2), at(40)),
            "generation changed"
        );
        assert_eq!(conditions[0].last_transition_time, at(10));
        assert!(set(
            &mut conditions,
            ready(ConditionStatus::False, "b"),
            Some(2),
            at(50)
        ));
        assert_eq!(conditions[0].last_transition_time, at(50));
        assert_eq!(conditions.len(), 1);
    }

    #[test]
    fn the_order_does_not_depend_on_the_order_of_calls() {
        let observed = |type_| Observed {
            type_,
            ..ready(ConditionStatus::True, "")
        };
        let mut one = Vec::new();
        let mut other = Vec::new();
        for type_ in [types::READY, types::COMPLIANT, types::PAUSED] {
            set(&mut one, observed(type_), None, at(0));
        }
        for type_ in [types::PAUSED, types::READY, types::COMPLIANT] {
            set(&mut other, observed(type_), None, at(0));
        }
        assert_eq!(one, other);
        assert!(is_true(&one, types::COMPLIANT));
        assert!(remove(&mut one, types::COMPLIANT));
        assert!(!remove(&mut one, types::COMPLIANT));
        assert!(!is_true(&one, types::COMPLIANT));
    }
}
