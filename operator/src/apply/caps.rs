//! How many remediations there may be, and when one has had its time.

use ironside_engine::plan::{Disposition, Plan};
use ironside_engine::remediate::{Phase, Record};
use jiff::{SignedDuration, Timestamp};

/// Remediations in a namespace, and in the cluster. Half of them are for what can be repaired: what is only shown must not keep a repair from starting.
const IN_NAMESPACE: usize = 20;
const IN_CLUSTER: usize = 500;

/// How long an idle one is kept; longer where something must not be forgotten.
const IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
const WITH_MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Whether there is room for one more, for this plan.
pub(super) fn room(plan: &Plan, in_namespace: usize, in_cluster: usize) -> bool {
    let share = if plan.disposition == Disposition::Ready { 1 } else { 2 };
    in_namespace < IN_NAMESPACE / share && in_cluster < IN_CLUSTER / share
}

/// Whether nothing has happened for so long that the remediation can go.
pub(super) fn has_had_its_time(record: &Record, created: Option<Timestamp>, now: Timestamp) -> bool {
    let resting = matches!(
        record.phase,
        Phase::New | Phase::Closed | Phase::Succeeded | Phase::Reverted
    );
    let span = if record.memory.is_empty() { IDLE } else { WITH_MEMORY };
    let last = record.history.last().map(|entry| entry.time).or(created);
    resting && last.is_some_and(|last| now.duration_since(last) > span)
}

#[cfg(test)]
mod tests {
    use ironside_engine::remediate::{Reason, Revert, Transition};

    use super::*;

    #[test]
    fn idle_ones_go_after_a_month_remembered_ones_after_three() {
        let then: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let mut record = Record {
            phase: Phase::Closed,
            ..Record::default()
        };
        record.history.push(Transition {
            time: then,
            phase: Phase::Closed,
            plan: None,
            reason: Reason::FindingGone,
            by: None,
        });
        let after = |days: i64| then + SignedDuration::from_hours(24 * days);
        assert!(!has_had_its_time(&record, None, after(29)));
        assert!(has_had_its_time(&record, None, after(31)));
        record.memory.reverts.push(Revert {
            manager: "x".to_owned(),
            time: then,
        });
        assert!(!has_had_its_time(&record, None, after(31)));
        assert!(has_had_its_time(&record, None, after(91)));
        record.phase = Phase::Held;
        assert!(!has_had_its_time(&record, None, after(400)));
    }
}
