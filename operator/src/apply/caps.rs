//! How many remediations there may be, how many of them are at work, and when one has had its time.

use std::collections::{BTreeMap, BTreeSet};

use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::plan::{Disposition, Plan};
use ironside_engine::remediate::{InFlight, Phase, Record};
use jiff::{SignedDuration, Timestamp};

use super::convert;
use super::entry::{Entry, is_in_flight};
use crate::reconcile::View;

/// Remediations in a namespace, and in the cluster. At most half of them are for what is only shown: it must not keep a repair from starting.
const IN_NAMESPACE: usize = 20;
const IN_CLUSTER: usize = 500;

/// How long an idle one is kept; longer where something must not be forgotten.
const IDLE: SignedDuration = SignedDuration::from_hours(30 * 24);
const WITH_MEMORY: SignedDuration = SignedDuration::from_hours(90 * 24);

/// How many remediations there are.
#[derive(Debug, Default)]
pub(crate) struct Tally<'a> {
    namespaces: BTreeMap<&'a str, Count>,
    cluster: Count,
}

/// All of them, and those for what is only shown.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    all: usize,
    shown: usize,
}

impl<'a> Tally<'a> {
    /// Those in the view.
    pub(crate) fn of(view: &'a View) -> Self {
        let mut tally = Self::default();
        for ((namespace, _), remediation) in view.declared.remediations.iter() {
            let plan = convert::target(remediation).and_then(|target| plan(view, &target));
            tally.add(namespace, plan.is_some_and(is_only_shown));
        }
        tally
    }

    /// And those that were just created, or are about to be, and are not in the view yet.
    pub(super) fn with_new(view: &'a View, entries: &'a BTreeMap<ObjectRef, Entry>) -> Self {
        // By target and not by name: the view may have one whose creation was not answered yet, and that is one and not two.
        let known: BTreeSet<ObjectRef> = view
            .declared
            .remediations
            .values()
            .filter_map(|it| convert::target(it))
            .collect();
        let is_new =
            |target: &ObjectRef, entry: &Entry| (entry.stored.is_some() || entry.busy) && !known.contains(target);
        let mut tally = Self::of(view);
        for (target, _) in entries.iter().filter(|(target, entry)| is_new(target, entry)) {
            tally.add(&target.namespace, plan(view, target).is_some_and(is_only_shown));
        }
        tally
    }

    fn add(&mut self, namespace: &'a str, shown: bool) {
        for count in [self.namespaces.entry(namespace).or_default(), &mut self.cluster] {
            count.all += 1;
            count.shown += usize::from(shown);
        }
    }

    /// Whether there is room for one more in a namespace, for this plan.
    pub(crate) fn has_room(&self, namespace: &str, plan: &Plan) -> bool {
        self.takes(namespace, is_only_shown(plan))
    }

    fn takes(&self, namespace: &str, shown: bool) -> bool {
        let fits = |count: Count, limit: usize| count.all < limit && !(shown && count.shown >= limit / 2);
        let here = self.namespaces.get(namespace).copied().unwrap_or_default();
        fits(here, IN_NAMESPACE) && fits(self.cluster, IN_CLUSTER)
    }
}

fn plan<'a>(view: &'a View, target: &ObjectRef) -> Option<&'a Plan> {
    view.results.get(target)?.plan.as_ref()
}

fn is_only_shown(plan: &Plan) -> bool {
    plan.disposition != Disposition::Ready
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
    fn what_is_only_shown_takes_half_and_leaves_the_rest_to_repairs() {
        let (ready, shown) = (false, true);
        let mut tally = Tally::default();
        for _ in 0..IN_NAMESPACE / 2 {
            assert!(tally.takes("shop", shown));
            tally.add("shop", true);
        }
        assert!(!tally.takes("shop", shown));
        assert!(tally.takes("other", shown), "the limit is the namespace's");
        for _ in 0..IN_NAMESPACE / 2 {
            assert!(tally.takes("shop", ready));
            tally.add("shop", false);
        }
        assert!(!tally.takes("shop", ready));

        let mut repairs = Tally::default();
        for _ in 0..IN_NAMESPACE / 2 {
            repairs.add("shop", false);
        }
        assert!(repairs.takes("shop", shown), "many repairs hide nothing");
    }

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
