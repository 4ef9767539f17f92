//! Between the engine's record and `HardeningRemediation`: the custom resource is a wire format, the record is what decisions are made with.

use std::collections::BTreeSet;

use ironside_crds::conditions::{Observed, set, types};
use ironside_crds::remediation as wire;
use ironside_crds::{ConditionStatus, HardeningRemediation, RemediationStatus, Target, Time};
use ironside_engine::model::{Kind, ObjectRef, TemplateHash};
use ironside_engine::plan::PlanHash;
use ironside_engine::remediate::{
    Action, Attempt, Baseline, Decision, Failure, Memory, Phase, Reason, Record, Revert, Transition,
};
use jiff::Timestamp;

use super::shown::cut;

/// Longest texts that the custom resource takes.
const LONGEST_MESSAGE: usize = 1024;
const LONGEST_SUMMARY: usize = 256;
const LONGEST_NAME: usize = 128;

/// The object that a remediation is about; `None` for kinds that this version does not know.
pub(crate) fn target(remediation: &HardeningRemediation) -> Option<ObjectRef> {
    let Target {
        api_version,
        kind,
        namespace,
        name,
    } = &remediation.spec.target;
    let kind = Kind::from_manifest(api_version, kind)?;
    Some(ObjectRef::new(kind, namespace.as_deref().unwrap_or_default(), name))
}

/// A reference for `spec.target`.
pub(super) fn target_spec(target: &ObjectRef) -> Target {
    Target {
        api_version: target.kind.api_version().to_owned(),
        kind: target.kind.name().to_owned(),
        namespace: (!target.namespace.is_empty()).then(|| target.namespace.to_string()),
        name: target.name.to_string(),
    }
}

/// The human decision.
pub(crate) fn decision(remediation: &HardeningRemediation) -> Option<Decision> {
    let decision = remediation.spec.decision.as_ref()?;
    Some(Decision {
        action: match decision.action {
            wire::DecisionAction::Approve => Action::Approve,
            wire::DecisionAction::Hold => Action::Hold,
            wire::DecisionAction::Retry => Action::Retry,
            wire::DecisionAction::Revert => Action::Revert,
        },
        plan: decision.plan.clone(),
        by: decision.by.clone(),
        reason: decision.reason.clone(),
        generation: remediation.metadata.generation.unwrap_or_default(),
    })
}

/// What is remembered about a target.
pub(crate) fn record(remediation: &HardeningRemediation) -> Record {
    let Some(status) = &remediation.status else {
        return Record::default();
    };
    Record {
        phase: status.phase.map_or(Phase::New, phase),
        reason: Reason::parse(&status.reason),
        message: status.message.clone(),
        plan: status.plan.as_ref().map(|plan| PlanHash(plan.hash.clone())),
        attempt: status.attempt.as_ref().and_then(attempt),
        memory: Memory {
            reverts: status.memory.reverts.iter().map(revert).collect(),
            failures: status.memory.failures.iter().map(failure).collect(),
        },
        history: status.history.iter().map(transition).collect(),
        decided_generation: status.observed_generation.unwrap_or_default(),
    }
}

fn attempt(attempt: &wire::Attempt) -> Option<Attempt> {
    Some(Attempt {
        id: attempt.id,
        epoch: attempt.epoch,
        plan: PlanHash(attempt.plan.clone()),
        controls: attempt.controls.clone(),
        started_at: attempt.started_at.timestamp(),
        target_uid: attempt.target_uid.clone().unwrap_or_default(),
        seen_generation: attempt.target_generation.unwrap_or_default(),
        soak: attempt.soak.to_std(),
        probation: attempt.probation.unwrap_or_default().to_std(),
        deadline: attempt.deadline.map(Time::timestamp),
        ready_since: attempt.ready_since.map(Time::timestamp),
        probation_until: attempt.probation_until.map(Time::timestamp),
        rolled_back_at: attempt.rolled_back_at.map(Time::timestamp),
        template_before: attempt.template_before.as_deref().and_then(TemplateHash::parse),
        template_after: attempt.template_after.as_deref().and_then(TemplateHash::parse)?,
        baseline: Baseline {
            ready: attempt.baseline.ready,
            restarts: attempt.baseline.restarts,
        },
        short: attempt
            .short
            .iter()
            .map(|short| (short.workload.clone(), short.ready))
            .collect(),
    })
}

fn revert(revert: &wire::Revert) -> Revert {
    Revert {
        manager: revert.manager.clone(),
        time: revert.time.timestamp(),
    }
}

fn failure(failure: &wire::Failure) -> Failure {
    Failure {
        controls: failure.controls.clone(),
        image_digest: failure.image_digest.clone(),
        reason: failure.reason.clone(),
        time: failure.time.timestamp(),
    }
}

fn transition(entry: &wire::HistoryEntry) -> Transition {
    Transition {
        time: entry.time.timestamp(),
        phase: phase(entry.phase),
        plan: entry.plan.clone().map(PlanHash),
        reason: Reason::parse(&entry.reason),
        by: entry.by.clone(),
    }
}

/// The status that says `record`, with the plan that it names as people read it. `old` is the status before: conditions keep their times.
pub(crate) fn status(record: &Record, shown: Option<wire::Plan>, old: Option<&RemediationStatus>) -> RemediationStatus {
    let shown = shown.filter(|plan| record.plan.as_ref().is_some_and(|hash| hash.0 == plan.hash));
    let kept = || old.and_then(|old| old.plan.clone());
    let plan = match &record.plan {
        None => None,
        // Once it is applied the plan is not recomputed any more; what was shown stays.
        Some(hash) => shown.or_else(|| kept().filter(|plan| plan.hash == hash.0)),
    };
    let controls = match (&plan, &record.attempt) {
        (Some(plan), _) => plan.controls.clone(),
        (None, Some(attempt)) => attempt.controls.clone(),
        (None, None) => BTreeSet::new(),
    };
    let mut status = RemediationStatus {
        observed_generation: Some(record.decided_generation),
        phase: wire_phase(record.phase),
        reason: record.reason.as_str().to_owned(),
        message: cut(&record.message, LONGEST_MESSAGE),
        summary: cut(&controls.into_iter().collect::<Vec<_>>().join(","), LONGEST_SUMMARY),
        plan,
        attempt: record.attempt.as_ref().map(wire_attempt),
        memory: wire::Memory {
            reverts: record.memory.reverts.iter().map(wire_revert).collect(),
            failures: record.memory.failures.iter().map(wire_failure).collect(),
        },
        history: record.history.iter().filter_map(wire_transition).collect(),
        conditions: old.map(|old| old.conditions.clone()).unwrap_or_default(),
    };
    set_conditions(&mut status, record);
    status
}

fn wire_attempt(attempt: &Attempt) -> wire::Attempt {
    let span = |span: std::time::Duration| ironside_crds::Duration::from_secs(span.as_secs());
    wire::Attempt {
        id: attempt.id,
        epoch: attempt.epoch,
        plan: attempt.plan.0.clone(),
        controls: attempt.controls.clone(),
        started_at: attempt.started_at.into(),
        target_uid: Some(attempt.target_uid.clone()),
        target_generation: Some(attempt.seen_generation),
        soak: span(attempt.soak),
        probation: Some(span(attempt.probation)),
        deadline: attempt.deadline.map(Time::new),
        ready_since: attempt.ready_since.map(Time::new),
        probation_until: attempt.probation_until.map(Time::new),
        rolled_back_at: attempt.rolled_back_at.map(Time::new),
        template_before: attempt.template_before.map(|hash| hash.to_string()),
        template_after: Some(attempt.template_after.to_string()),
        baseline: wire::Baseline {
            ready: attempt.baseline.ready,
            restarts: attempt.baseline.restarts,
        },
        short: attempt
            .short
            .iter()
            .map(|(workload, ready)| wire::ShortWorkload {
                workload: workload.clone(),
                ready: *ready,
            })
            .collect(),
    }
}

fn wire_revert(revert: &Revert) -> wire::Revert {
    wire::Revert {
        manager: cut(&revert.manager, LONGEST_NAME),
        time: revert.time.into(),
    }
}

fn wire_failure(failure: &Failure) -> wire::Failure {
    wire::Failure {
        controls: failure.controls.clone(),
        image_digest: failure.image_digest.clone(),
        reason: failure.reason.clone(),
        time: failure.time.into(),
    }
}

fn wire_transition(entry: &Transition) -> Option<wire::HistoryEntry> {
    Some(wire::HistoryEntry {
        time: entry.time.into(),
        phase: wire_phase(entry.phase)?,
        plan: entry.plan.as_ref().map(|plan| plan.0.clone()),
        reason: entry.reason.as_str().to_owned(),
        by: entry.by.clone(),
    })
}

/// Applied, Verified and Held, for `kubectl wait`.
fn set_conditions(status: &mut RemediationStatus, record: &Record) {
    let applied = match record.phase {
        Phase::Verifying | Phase::Probation | Phase::Succeeded => ConditionStatus::True,
        Phase::Applying => ConditionStatus::Unknown,
        _ => ConditionStatus::False,
    };
    let verified = match record.phase {
        Phase::Probation | Phase::Succeeded => ConditionStatus::True,
        Phase::Verifying => ConditionStatus::Unknown,
        _ => ConditionStatus::False,
    };
    let reason = match record.reason.as_str() {
        "" => "Unknown",
        word => word,
    };
    let now = Time::new(record.history.last().map_or_else(Timestamp::now, |entry| entry.time));
    for (type_, holds) in [
        (types::APPLIED, applied),
        (types::VERIFIED, verified),
        (types::HELD, (record.phase == Phase::Held).into()),
    ] {
        let observed = Observed {
            type_,
            status: holds,
            reason,
            message: status.message.clone(),
        };
        set(&mut status.conditions, observed, status.observed_generation, now);
    }
}

const fn phase(phase: wire::Phase) -> Phase {
    match phase {
        wire::Phase::Pending => Phase::Pending,
        wire::Phase::Held => Phase::Held,
        wire::Phase::Applying => Phase::Applying,
        wire::Phase::Verifying => Phase::Verifying,
        wire::Phase::Probation => Phase::Probation,
        wire::Phase::RollingBack => Phase::RollingBack,
        wire::Phase::RolledBack => Phase::RolledBack,
        wire::Phase::RollbackFailed => Phase::RollbackFailed,
        wire::Phase::Succeeded => Phase::Succeeded,
        wire::Phase::Reverting => Phase::Reverting,
        wire::Phase::Reverted => Phase::Reverted,
        wire::Phase::Closed => Phase::Closed,
    }
}

const fn wire_phase(phase: Phase) -> Option<wire::Phase> {
    Some(match phase {
        Phase::New => return None,
        Phase::Pending => wire::Phase::Pending,
        Phase::Held => wire::Phase::Held,
        Phase::Applying => wire::Phase::Applying,
        Phase::Verifying => wire::Phase::Verifying,
        Phase::Probation => wire::Phase::Probation,
        Phase::RollingBack => wire::Phase::RollingBack,
        Phase::RolledBack => wire::Phase::RolledBack,
        Phase::RollbackFailed => wire::Phase::RollbackFailed,
        Phase::Succeeded => wire::Phase::Succeeded,
        Phase::Reverting => wire::Phase::Reverting,
        Phase::Reverted => wire::Phase::Reverted,
        Phase::Closed => wire::Phase::Closed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Record {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let hash = TemplateHash::of(&serde_json::json!({"a": 1}));
        Record {
            phase: Phase::Probation,
            reason: Reason::Watching,
            message: "verified".to_owned(),
            plan: None,
            attempt: Some(Attempt {
                id: 3,
                epoch: 7,
                plan: PlanHash("a".repeat(64)),
                controls: BTreeSet::from(["POD-009".to_owned()]),
                started_at: at("2026-01-01T00:00:00Z"),
                target_uid: "u-1".to_owned(),
                seen_generation: 12,
                soak: std::time::Duration::from_mins(10),
                probation: std::time::Duration::from_hours(168),
                deadline: Some(at("2026-01-01T00:15:00Z")),
                ready_since: Some(at("2026-01-01T00:01:00Z")),
                probation_until: Some(at("2026-01-08T00:11:00Z")),
                rolled_back_at: None,
                template_before: None,
                template_after: hash,
                baseline: Baseline { ready: 3, restarts: 1 },
                short: [("Deployment/api".to_owned(), 1)].into(),
            }),
            memory: Memory {
                reverts: vec![Revert {
                    manager: "argocd-controller".to_owned(),
                    time: at("2025-12-01T00:00:00Z"),
                }],
                failures: vec![Failure {
                    controls: BTreeSet::from(["POD-007".to_owned()]),
                    image_digest: Some("web@sha256:1".to_owned()),
                    reason: "RunAsNonRoot".to_owned(),
                    time: at("2025-12-02T00:00:00Z"),
                }],
            },
            history: vec![Transition {
                time: at("2026-01-01T00:00:00Z"),
                phase: Phase::Applying,
                plan: Some(PlanHash("a".repeat(64))),
                reason: Reason::Claimed,
                by: Some("alice@example.com".to_owned()),
            }],
            decided_generation: 2,
        }
    }

    #[test]
    fn a_record_survives_being_stored() {
        let record = full();
        let remediation = HardeningRemediation {
            status: Some(status(&record, None, None)),
            ..HardeningRemediation::default()
        };
        let stored = serde_json::to_value(&remediation).unwrap();
        let read: HardeningRemediation = serde_json::from_value(stored).unwrap();
        assert_eq!(super::record(&read), record);
    }

    #[test]
    fn every_phase_and_reason_survives() {
        for phase in Phase::ALL {
            assert_eq!(wire_phase(phase).map_or(Phase::New, super::phase), phase);
        }
        let valid = |word: &str| word.len() <= 64 && word.chars().all(|c| c.is_ascii_alphanumeric());
        assert!(Reason::ALL.iter().all(|reason| valid(reason.as_str())));
    }

    #[test]
    fn writing_the_same_twice_changes_nothing() {
        let record = full();
        let first = status(&record, None, None);
        assert_eq!(status(&record, None, Some(&first)), first);
    }

    #[test]
    fn long_texts_are_cut() {
        let mut record = full();
        record.message = "ü".repeat(3000);
        assert_eq!(status(&record, None, None).message.chars().count(), LONGEST_MESSAGE);
    }
}
