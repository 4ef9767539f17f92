//! `stopAfter`: too many rollbacks under a policy, or one that failed, stop its repairs until a human clears it.

use std::time::Duration;

use ironside_crds::conditions::reasons::{ROLLBACK_FAILED, TOO_MANY_ROLLBACKS};
use ironside_engine::model::ObjectRef;
use ironside_engine::plan::Plan;
use ironside_engine::policy::PolicyId;
use ironside_engine::remediate::Record;
use jiff::Timestamp;

use super::observe::enforcing;
use crate::reconcile::View;
use crate::report::Stops;
use crate::report::stops::Stop;

/// Whether a policy that enforces the plan's controls on the target has stopped.
pub(super) fn is_stopped(view: &View, stops: &Stops, target: &ObjectRef, plan: &Plan) -> bool {
    let controls = plan.controls.iter().map(ToString::to_string);
    enforcing(view, target, controls)
        .iter()
        .filter_map(|id| view.declared.policies.get(id))
        .any(|policy| stops.of(policy).is_some())
}

/// A rollback failed: stops the policies behind it at once.
pub(crate) fn rollback_failed(view: &View, stops: &Stops, target: &ObjectRef, record: &Record) {
    for id in behind(view, target, record) {
        let stop = Stop {
            reason: ROLLBACK_FAILED,
            message: format!("the rollback of {target} did not bring it back"),
        };
        trip(view, stops, &id, stop);
    }
}

/// A repair was rolled back: stops the policies behind it that had as many rollbacks as they allow. `others` are the records of all targets.
pub(crate) fn rolled_back<'a>(
    view: &View,
    stops: &Stops,
    target: &ObjectRef,
    record: &Record,
    others: &(impl Iterator<Item = (&'a ObjectRef, &'a Record)> + Clone),
    now: Timestamp,
) {
    for id in behind(view, target, record) {
        let limits = view.policies.limits(&view.world, &target.namespace);
        let since = limits.stop_after.within;
        let rollbacks: usize = others
            .clone()
            .filter(|(other, record)| *other == target || behind(view, other, record).contains(&id))
            .map(|(_, record)| recent(record, since, now))
            .sum();
        if rollbacks >= usize::try_from(limits.stop_after.rollbacks).unwrap_or(usize::MAX) {
            let stop = Stop {
                reason: TOO_MANY_ROLLBACKS,
                message: "as many repairs were rolled back as stopAfter allows; change the policy's spec to go on"
                    .to_owned(),
            };
            trip(view, stops, &id, stop);
        }
    }
}

fn recent(record: &Record, within: Duration, now: Timestamp) -> usize {
    record
        .memory
        .failures
        .iter()
        .filter(|failure| now.duration_since(failure.time).unsigned_abs() <= within)
        .count()
}

fn behind(view: &View, target: &ObjectRef, record: &Record) -> Vec<PolicyId> {
    let controls = record
        .attempt
        .iter()
        .flat_map(|attempt| attempt.controls.iter().cloned());
    enforcing(view, target, controls)
}

fn trip(view: &View, stops: &Stops, id: &PolicyId, stop: Stop) {
    if let Some(policy) = view.declared.policies.get(id) {
        tracing::warn!(policy = %id, reason = stop.reason, "repairs stop: {}", stop.message);
        stops.trip(policy, stop);
    }
}
