//! Emergency stops: after too many rollbacks, repairs under a policy stop until a human clears it.
//!
//! The memory of a stop is the condition `RemediationStopped` of the policy itself, so it survives a restart. A human clears it by changing the policy's spec
//! (for example setting `suspend` or a lower `autoApprove`): the condition is about one generation of the spec. A stop that was just tripped and is not in
//! the stored status yet is kept here.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_crds::conditions::{get, types};
use ironside_crds::{Condition, ConditionStatus};
use ironside_engine::policy::PolicyId;
use parking_lot::Mutex;

use crate::reconcile::Policy;

/// A stop: why, for programs and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// [`ironside_crds::conditions::reasons::TOO_MANY_ROLLBACKS`] or [`ironside_crds::conditions::reasons::ROLLBACK_FAILED`].
    pub reason: &'static str,
    /// Sentence for people, without counters and times.
    pub message: String,
}

/// Stops tripped by this process, by policy and generation of its spec. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Stops(Arc<Mutex<BTreeMap<PolicyId, (i64, Stop)>>>);

impl Stops {
    /// Stops repairs under this version of the policy.
    pub fn trip(&self, policy: &Policy, stop: Stop) {
        self.0.lock().insert(policy.id(), (generation(policy), stop));
    }

    /// The stop that holds for the policy as it is now: tripped by this process, or remembered in its status.
    pub fn of(&self, policy: &Policy) -> Option<Stop> {
        let generation = generation(policy);
        let tripped = self.0.lock().get(&policy.id()).cloned();
        tripped
            .filter(|(at, _)| *at == generation)
            .map(|(_, stop)| stop)
            .or_else(|| remembered(policy, generation))
    }
}

fn remembered(policy: &Policy, generation: i64) -> Option<Stop> {
    let condition = get(&policy.status()?.conditions, types::REMEDIATION_STOPPED)?;
    let holds = condition.status == ConditionStatus::True && condition.observed_generation == Some(generation);
    holds.then(|| Stop {
        reason: reason(condition),
        message: condition.message.clone(),
    })
}

fn reason(condition: &Condition) -> &'static str {
    use ironside_crds::conditions::reasons::{ROLLBACK_FAILED, TOO_MANY_ROLLBACKS};
    if condition.reason == ROLLBACK_FAILED {
        ROLLBACK_FAILED
    } else {
        TOO_MANY_ROLLBACKS
    }
}

fn generation(policy: &Policy) -> i64 {
    policy.meta().generation.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use ironside_crds::conditions::{Observed, reasons, set};
    use ironside_crds::{HardeningPolicy, HardeningPolicySpec, PolicyStatus};

    use super::*;

    fn policy(generation: i64, stopped_at: Option<i64>) -> Policy {
        let mut policy = HardeningPolicy::new("team", HardeningPolicySpec::default());
        policy.metadata.namespace = Some("shop".to_owned());
        policy.metadata.generation = Some(generation);
        let mut status = PolicyStatus::default();
        if let Some(generation) = stopped_at {
            let observed = Observed {
                type_: types::REMEDIATION_STOPPED,
                status: ConditionStatus::True,
                reason: reasons::ROLLBACK_FAILED,
                message: "web did not come back".to_owned(),
            };
            set(
                &mut status.conditions,
                observed,
                Some(generation),
                jiff::Timestamp::UNIX_EPOCH.into(),
            );
        }
        policy.status = Some(status);
        Policy::Namespaced(Box::new(policy))
    }

    #[test]
    fn a_stop_survives_a_restart_and_ends_with_a_new_spec() {
        let stops = Stops::default();
        assert_eq!(stops.of(&policy(3, None)), None);
        assert_eq!(stops.of(&policy(3, Some(3))).unwrap().reason, reasons::ROLLBACK_FAILED);
        assert_eq!(stops.of(&policy(4, Some(3))), None);
    }

    #[test]
    fn a_stop_holds_at_once() {
        let stops = Stops::default();
        let stop = Stop {
            reason: reasons::TOO_MANY_ROLLBACKS,
            message: "two repairs were rolled back".to_owned(),
        };
        stops.trip(&policy(3, None), stop.clone());
        assert_eq!(stops.of(&policy(3, None)), Some(stop));
        assert_eq!(stops.of(&policy(4, None)), None);
    }
}
