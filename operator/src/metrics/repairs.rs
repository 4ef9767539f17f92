//! Gauges about repairs and exceptions.

use std::collections::{BTreeMap, BTreeSet};

use ironside_crds::Phase;
use ironside_engine::plan::Disposition;
use jiff::Timestamp;

use super::definitions::{EXCEPTION_EXPIRY, EXCEPTIONS, PENDING, PLANS_HELD, PLANS_UNRECORDED, REMEDIATIONS};
use super::family::{Family, sample};
use super::state::seconds;
use crate::apply::convert;
use crate::reconcile::View;
use crate::report::EXPIRING_WITHIN;
use crate::report::facts::unrecorded;

/// Repairs on record, plans that wait, plans that are held, plans without a record.
pub(super) fn repairs(view: &View) -> Vec<Family> {
    let mut phases: BTreeMap<String, u64> = PHASES.iter().map(|phase| (format!("{phase:?}"), 0)).collect();
    let mut pending: BTreeMap<&str, u64> = BTreeMap::from([("Low", 0), ("Medium", 0), ("High", 0)]);
    let mut held: BTreeMap<&str, u64> = BTreeMap::new();
    let mut on_record = BTreeSet::new();
    for remediation in view.declared.remediations.values() {
        let status = remediation.status.as_ref();
        let phase = status.and_then(|status| status.phase).unwrap_or_default();
        *phases.entry(format!("{phase:?}")).or_default() += 1;
        let plan = status.and_then(|status| status.plan.as_ref());
        if let (Phase::Pending, Some(plan)) = (phase, plan) {
            *pending.entry(risk(plan.risk)).or_default() += 1;
        }
        on_record.extend(convert::target(remediation));
    }
    for (target, outcome) in view.results.outcomes() {
        let Some(plan) = &outcome.plan else { continue };
        match &plan.disposition {
            Disposition::Ready if !on_record.contains(target) => *pending.entry(plan.risk.as_str()).or_default() += 1,
            Disposition::Ready => {}
            Disposition::Held(reasons) => {
                if let Some(reason) = reasons.first() {
                    *held.entry(reason.reason()).or_default() += 1;
                }
            }
            Disposition::NotRepairable(_) => *held.entry("NotRepairable").or_default() += 1,
        }
    }
    let mut families = vec![Family::of(&REMEDIATIONS), Family::of(&PENDING), Family::of(&PLANS_HELD)];
    for (phase, count) in phases {
        families[0].add([&phase], sample(count));
    }
    for (risk, count) in pending {
        families[1].add([risk], sample(count));
    }
    for (reason, count) in held {
        families[2].add([reason], sample(count));
    }
    let mut unrecorded_plans = Family::of(&PLANS_UNRECORDED);
    unrecorded_plans.add([], sample(unrecorded(view).count() as u64));
    families.push(unrecorded_plans);
    families
}

const PHASES: [Phase; 12] = [
    Phase::Pending,
    Phase::Held,
    Phase::Applying,
    Phase::Verifying,
    Phase::Probation,
    Phase::RollingBack,
    Phase::RolledBack,
    Phase::RollbackFailed,
    Phase::Succeeded,
    Phase::Reverting,
    Phase::Reverted,
    Phase::Closed,
];

const fn risk(risk: ironside_crds::Risk) -> &'static str {
    match risk {
        ironside_crds::Risk::Low => "Low",
        ironside_crds::Risk::Medium => "Medium",
        ironside_crds::Risk::High => "High",
    }
}

/// Exceptions by state, and when the next one ends.
pub(super) fn exceptions(view: &View, now: Timestamp) -> Vec<Family> {
    let evaluations = view.results.outcomes().map(|(_, outcome)| &outcome.evaluation);
    let states = view.exceptions.states(&view.policies, &view.world, evaluations, now);
    let mut counts: BTreeMap<&str, u64> = BTreeMap::from([
        ("active", 0),
        ("expiring", 0),
        ("expired", 0),
        ("unused", 0),
        ("ineffective", 0),
    ]);
    let mut next: Option<Timestamp> = None;
    for state in states.values() {
        let ends_soon = state
            .effective_until
            .is_some_and(|until| until.duration_since(now) < EXPIRING_WITHIN);
        let name = match (state.effective, state.reason) {
            (true, _) if ends_soon => "expiring",
            (true, _) => "active",
            (false, "Expired") => "expired",
            (false, "NoMatch") => "unused",
            (false, _) => "ineffective",
        };
        *counts.entry(name).or_default() += 1;
        next = [next, state.effective_until.filter(|_| state.effective)]
            .into_iter()
            .flatten()
            .min();
    }
    let mut family = Family::of(&EXCEPTIONS);
    for (state, count) in counts {
        family.add([state], sample(count));
    }
    let mut expiry = Family::of(&EXCEPTION_EXPIRY);
    if let Some(next) = next {
        expiry.add([], seconds(next));
    }
    vec![family, expiry]
}
