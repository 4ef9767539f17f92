//! Events, counters and log lines about transitions.

use ironside_crds::HardeningRemediation;
use ironside_engine::model::ObjectRef;
use ironside_engine::remediate::{Count, CountedOutcome, Event, EventKind, NOBODY_NAMED, Record};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;

use crate::metrics::happenings::{Happenings, Outcome, actor_class};
use crate::report::event::{self, EventReason};
use crate::report::{self, Reporter};

/// Sends an event about a target; the remediation is what it is related to.
pub(crate) fn event(
    reporter: &Reporter,
    happening: &Event,
    target: &ObjectRef,
    uid: &str,
    remediation: Option<&HardeningRemediation>,
) {
    let reason = match happening.kind {
        EventKind::Planned => EventReason::RemediationPlanned,
        EventKind::Staged => EventReason::NetworkPolicyStaged,
        EventKind::Applied => EventReason::RemediationApplied,
        EventKind::Skipped => EventReason::RemediationSkipped,
        EventKind::Verified => EventReason::RemediationVerified,
        EventKind::RolledBack | EventKind::RollbackFailed => EventReason::RemediationRolledBack,
        EventKind::Reverted => EventReason::RemediationReverted,
        EventKind::Conflict => EventReason::ReconcileConflict,
    };
    reporter.report(report::Event {
        reason,
        regarding: event::reference(target, uid),
        related: remediation.map(reference),
        note: happening.note.clone(),
    });
}

fn reference(remediation: &HardeningRemediation) -> ObjectReference {
    ObjectReference {
        api_version: Some(HardeningRemediation::api_version(&()).into_owned()),
        kind: Some(HardeningRemediation::kind(&()).into_owned()),
        name: remediation.metadata.name.clone(),
        namespace: remediation.metadata.namespace.clone(),
        uid: remediation.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}

/// Moves counters.
pub(crate) fn count(happenings: &Happenings, what: &Count, record: &Record, now: Timestamp) {
    match what {
        Count::Fight { manager } => {
            happenings.conflicted(actor_class(Some(manager.as_str()).filter(|name| *name != NOBODY_NAMED)));
        }
        Count::Remediation { outcome, controls } => {
            let counted = match outcome {
                CountedOutcome::Applied => Outcome::Applied,
                CountedOutcome::Verified => Outcome::Verified,
                CountedOutcome::RolledBack => Outcome::RolledBack,
                CountedOutcome::Conflict => Outcome::Conflict,
                CountedOutcome::Failed => Outcome::Failed,
            };
            for control in controls {
                happenings.remediated(control, counted);
            }
            let ended = matches!(outcome, CountedOutcome::Verified | CountedOutcome::RolledBack);
            if let (true, Some(attempt)) = (ended, &record.attempt) {
                happenings.remediation_took(now.duration_since(attempt.started_at).unsigned_abs());
            }
        }
    }
}

/// One line for each write of a record.
pub(crate) fn log(target: &ObjectRef, before: &Record, after: &Record) {
    let (phase, reason) = (after.phase.as_str(), after.reason.as_str());
    if before.phase == after.phase {
        tracing::debug!(%target, phase, reason, "{}", after.message);
    } else {
        tracing::info!(%target, phase, reason, from = before.phase.as_str(), "{}", after.message);
    }
}
