//! How many remediations there may be, how many of them are at work, and when one has had its time.

use std::collections::BTreeMap;

use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::plan::{Disposition, Plan};
use ironside_engine::remediate::{InFlight, Phase, Record};
use jiff::{SignedDuration, Timestamp};

use super::convert;
use super::entry::{Entry, is_in_flight};
use crate::reconcile::View;

/// Remediations in a namespace, and in the cluster. Half of them are for what can be repaired: what is only shown must not keep a repair from starting.
const IN_NAMESPACE: usize = 20;
const IN_CLUSTER: usize = 500;

/// How long an idle one is kept; longer where something must not be forgotten.
const IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
const WITH_MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Remediations that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Number {
    pub(crate) in_namespace: usize,
    pub(crate) in_cluster: usize,
}

/// Whether there is room for one more, for this plan.
pub(crate) fn room(plan: &Plan, number: Number) -> bool {
    let share = if plan.disposition == Disposition::Ready { 1 } else { 2 };
    number.in_namespace < IN_NAMESPACE / share && number.in_cluster < IN_CLUSTER / share
}

/// The remediations in a target's namespace and in the cluster: those in the view, and those that were just created, or are about to be, and are not in it yet.
pub(super) fn remediations(view: &View, entries: &BTreeMap<ObjectRef, Entry>, target: &ObjectRef) -> Number {
    let known = &view.declared.remediations;
    let is_new = |entry: &Entry| match entry.stored.as_deref().map(|stored| &stored.metadata) {
        Some(stored) => match (stored.namespace.clone(), stored.name.clone()) {
            (Some(namespace), Some(name)) => !known.contains_key(&(namespace, name)),
            _ => true,
        },
        None => entry.busy,
    };
    let mut number = Number {
        in_namespace: known
            .keys()
            .filter(|(namespace, _)| **namespace == *target.namespace)
            .count(),
        in_cluster: known.len(),
    };
    for (other, _) in entries.iter().filter(|(_, entry)| is_new(entry)) {
        number.in_cluster += 1;
        number.in_namespace += usize::from(other.namespace == target.namespace);
    }
    number
}

/// Rollouts of ours besides this target's, and isolations of networks: two changes of one namespace at a time could not be told apart when it breaks.
pub(super) fn in_flight(entries: &BTreeMap<ObjectRef, Entry>, view: &View, target: &ObjectRef) -> InFlight {
    let mut count = InFlight::default();
    for ((namespace, _), remediation) in view.declared.remediations.iter() {
        let isolates = remediation.spec.target.kind == Kind::Namespace.name();
        if isolates && is_in_flight(&convert::record(remediation)) {
            count.cluster += 1;
            count.namespace += u32::from(**namespace == *target.namespace);
        }
    }
    let others = entries
        .iter()
        .filter(|(other, entry)| *other != target && entry.in_flight());
    for (other, _) in others {
        count.cluster += 1;
        count.namespace += u32::from(other.namespace == target.namespace);
    }
    count
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
