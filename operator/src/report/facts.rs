//! From the view to what the status of each policy is made from.

use std::collections::{BTreeMap, BTreeSet};

use ironside_crds::policy::RemediationCounts;
use ironside_crds::{Phase, PolicyStatus};
use ironside_engine::attack::Way;
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::plan::Disposition;
use ironside_engine::policy::PolicyId;
use jiff::{SignedDuration, Timestamp};

use super::policy_status::{Facts, PausedBy, policy_status};
use super::stops::Stops;
use crate::apply::{caps, convert};
use crate::cluster::permissions::Missing;
use crate::cluster::watch::Scope;
use crate::cluster::{Source, Standing};
use crate::reconcile::{Outcome, Policy, Scorecard, View};

/// A watch that does not work for so long makes results stale. An API server that restarts is back before.
const STALE: SignedDuration = SignedDuration::from_secs(120);

/// Namespaces named in a status.
const EXEMPT: usize = 32;

/// What all policies' statuses are made from, gathered once.
pub struct Overview<'a> {
    view: &'a View,
    missing: &'a Missing,
    stops: &'a Stops,
    now: Timestamp,
    cards: BTreeMap<PolicyId, Scorecard>,
    remediations: BTreeMap<PolicyId, RemediationCounts>,
    unrecorded: BTreeSet<PolicyId>,
}

impl<'a> Overview<'a> {
    /// Of a view.
    pub fn of(view: &'a View, missing: &'a Missing, stops: &'a Stops, now: Timestamp) -> Self {
        Self {
            view,
            missing,
            stops,
            now,
            cards: view.scorecards(),
            remediations: remediations(view),
            unrecorded: unrecorded(view).flat_map(failing_policies).collect(),
        }
    }

    /// The status of a policy as it should be now.
    pub fn status(&self, policy: &Policy, now: Timestamp) -> PolicyStatus {
        let id = policy.id();
        let score = self
            .view
            .judged_at
            .map(|_| self.cards.get(&id).cloned().unwrap_or_default().score());
        let missing_permissions = self.missing_permissions(&id);
        let stale = self.stale(&id);
        let exempt = self.view.policies.exempt_namespaces(&id, &self.view.world);
        let facts = Facts {
            policy,
            problems: self.view.policies.problems(&id),
            failing: self.cards.get(&id).map(failing).unwrap_or_default(),
            score,
            missing_permissions: &missing_permissions,
            stale: &stale,
            approval_guarded: self.view.declared.approval_guarded(),
            paused: self.paused(policy),
            stop: self.stops.of(policy),
            remediations: self.remediations.get(&id).copied().unwrap_or_default(),
            unrecorded: self.unrecorded.contains(&id),
            exempt_namespaces: exempt.take(EXEMPT).map(str::to_owned).collect(),
            ways: self.ways(&id),
        };
        policy_status(&facts, now)
    }

    /// Ways from workloads in the namespaces that it judges.
    fn ways(&self, id: &PolicyId) -> Vec<&Way> {
        if self.view.judged_at.is_none() {
            return Vec::new();
        }
        let world = &self.view.world;
        let judged: BTreeSet<&str> = self.view.policies.judged_namespaces(id, world).collect();
        let ways = world.ways().iter();
        ways.filter(|way| judged.contains(&*way.workload.namespace)).collect()
    }

    fn paused(&self, policy: &Policy) -> Option<(ironside_engine::policy::Pause, PausedBy)> {
        let active = |pause: Option<ironside_engine::policy::Pause>| pause.filter(|pause| pause.is_active(self.now));
        active(self.view.declared.pause)
            .map(|pause| (pause, PausedBy::Command))
            .or_else(|| active(policy.pause()).map(|pause| (pause, PausedBy::Annotation)))
    }

    /// In words: what its controls need and may not be done.
    fn missing_permissions(&self, id: &PolicyId) -> BTreeSet<String> {
        let needs = self.kinds(id);
        let reads = self
            .view
            .standings
            .denied()
            .filter(|(source, scope)| concerns(&needs, *source) && reaches(id, scope))
            .map(|(source, scope)| format!("get, list and watch {}{}", source.resource(), within(scope)));
        let writes = self
            .missing
            .iter()
            .filter(|(namespace, _)| id.namespace.as_deref().is_none_or(|own| own == namespace.as_str()))
            .flat_map(|(namespace, rights)| {
                rights
                    .iter()
                    .map(move |right| format!("{right} in namespace {namespace}"))
            });
        reads.chain(writes).collect()
    }

    fn stale(&self, id: &PolicyId) -> BTreeSet<String> {
        let needs = self.kinds(id);
        self.view
            .standings
            .since()
            .filter(|(source, scope, standing, since)| {
                *standing == Standing::Interrupted
                    && self.now.duration_since(*since) >= STALE
                    && (concerns(&needs, *source) || source.is_own())
                    && reaches(id, scope)
            })
            .map(|(source, scope, ..)| format!("{}{}", source.resource(), within(scope)))
            .collect()
    }

    /// The kinds that a policy's controls read.
    fn kinds(&self, id: &PolicyId) -> BTreeSet<Kind> {
        self.view
            .policies
            .get(id)
            .map(|policy| kinds_of(policy.ballots.keys()))
            .unwrap_or_default()
    }
}

/// Ids of the controls that some object fails.
fn failing(card: &Scorecard) -> BTreeSet<String> {
    let failing = card.tally.iter().filter(|(_, line)| line.counts.failed > 0);
    failing.map(|(id, _)| id.to_string()).collect()
}

/// The kinds that controls read: those they judge, and those they look up.
pub fn kinds_of<'c>(controls: impl IntoIterator<Item = &'c ironside_engine::controls::ControlId>) -> BTreeSet<Kind> {
    controls
        .into_iter()
        .filter_map(|id| ironside_engine::controls::find(id.as_str()))
        .flat_map(|control| {
            let judged = Kind::watched().filter(|kind| control.judges(*kind));
            judged.chain(control.needs.iter().map(|need| need.kind))
        })
        .collect()
}

fn concerns(needs: &BTreeSet<Kind>, source: Source) -> bool {
    matches!(source, Source::Cluster(kind) if needs.contains(&kind))
}

fn reaches(id: &PolicyId, scope: &Scope) -> bool {
    match (&id.namespace, scope) {
        (Some(own), Some(scope)) => own == scope,
        _ => true,
    }
}

fn within(scope: &Scope) -> String {
    scope
        .as_deref()
        .map_or_else(String::new, |namespace| format!(" in namespace {namespace}"))
}

/// Repairs by state for each policy: those on record, and the plans that are in memory only.
fn remediations(view: &View) -> BTreeMap<PolicyId, RemediationCounts> {
    let mut counts: BTreeMap<PolicyId, RemediationCounts> = BTreeMap::new();
    let mut on_record = BTreeSet::new();
    for remediation in view.declared.remediations.values() {
        let Some(target) = convert::target(remediation) else {
            continue;
        };
        let phase = remediation.status.as_ref().and_then(|status| status.phase);
        for policy in policies_of(view, &target) {
            add(counts.entry(policy).or_default(), phase.unwrap_or_default());
        }
        on_record.insert(target);
    }
    for (target, outcome) in view.results.outcomes() {
        let Some(plan) = &outcome.plan else { continue };
        if on_record.contains(target) {
            continue;
        }
        let phase = match plan.disposition {
            Disposition::Ready => Phase::Pending,
            _ => Phase::Held,
        };
        for policy in failing_policies(outcome) {
            add(counts.entry(policy).or_default(), phase);
        }
    }
    counts
}

/// What is planned and shown by no remediation, because there are as many as the limits allow.
pub fn unrecorded(view: &View) -> impl Iterator<Item = &Outcome> {
    let remediations = view.declared.remediations.values();
    let on_record: BTreeSet<ObjectRef> = remediations
        .filter_map(|remediation| convert::target(remediation))
        .collect();
    let tally = caps::Tally::of(view);
    view.results
        .outcomes()
        .filter(move |(target, outcome)| {
            let planned = outcome.plan.as_ref();
            planned.is_some_and(|plan| !tally.has_room(&target.namespace, plan)) && !on_record.contains(*target)
        })
        .map(|(_, outcome)| outcome.as_ref())
}

const fn add(counts: &mut RemediationCounts, phase: Phase) {
    match phase {
        Phase::Pending => counts.pending += 1,
        Phase::Held => counts.held += 1,
        Phase::Applying | Phase::Verifying | Phase::Probation | Phase::RollingBack | Phase::Reverting => {
            counts.active += 1;
        }
        Phase::Succeeded => counts.succeeded += 1,
        Phase::RolledBack | Phase::RollbackFailed => counts.rolled_back += 1,
        Phase::Reverted | Phase::Closed => {}
    }
}

/// The policies that judge an object.
fn policies_of(view: &View, target: &ObjectRef) -> BTreeSet<PolicyId> {
    let outcome = view.results.get(target);
    outcome
        .into_iter()
        .flat_map(|outcome| &outcome.evaluation.findings)
        .flat_map(|finding| finding.policies.iter().cloned())
        .collect()
}

fn failing_policies(outcome: &Outcome) -> BTreeSet<PolicyId> {
    outcome
        .failures()
        .flat_map(|finding| finding.policies.iter().cloned())
        .collect()
}
