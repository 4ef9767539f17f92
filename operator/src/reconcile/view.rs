//! One consistent moment: what exists, what was declared, what follows.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ironside_engine::controls::find;
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::policy::{ExceptionSet, PolicyId, PolicySet};
use ironside_engine::world::Snapshot;
use jiff::Timestamp;

use super::{Declared, Results, Scorecard, Standings};

/// An immutable view; all parts belong together.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The cluster.
    pub world: Arc<Snapshot>,
    /// What people declared, as it is stored.
    pub declared: Declared,
    /// The policies, compiled.
    pub policies: Arc<PolicySet>,
    /// The exceptions, compiled.
    pub exceptions: Arc<ExceptionSet>,
    /// Findings and plans by object.
    pub results: Results,
    /// How the watches fare.
    pub standings: Standings,
    /// UIDs of the NetworkPolicies that went last, some hundred.
    pub departed: Arc<VecDeque<String>>,
    /// Whether everything was looked at once, so that absence means something. Until then nothing is judged, and nothing must be written.
    pub complete: bool,
    /// When everything was judged last.
    pub judged_at: Option<Timestamp>,
}

impl View {
    /// Whether repairs of an object must not start now: everything is paused, or a policy that would enforce there, its namespace, or it itself.
    pub fn is_paused(&self, target: &ObjectRef, now: Timestamp) -> bool {
        self.declared.pause.is_some_and(|pause| pause.is_active(now))
            || self.policies.paused_by(&self.world, target, now).is_some()
    }

    /// How each policy stands, those that judged nothing included: their controls are not applicable. A kind that cannot be read counts as one unknown for each control that judges it: what is not seen must not raise coverage.
    pub fn scorecards(&self) -> BTreeMap<PolicyId, Scorecard> {
        let mut cards = Scorecard::by_policy(&self.results.tallies());
        let hidden: BTreeSet<Kind> = self.standings.hidden_kinds().map(|(kind, ..)| kind).collect();
        for policy in self.policies.policies().filter(|policy| !policy.suspend) {
            let card = cards.entry(policy.id.clone()).or_default();
            for control in policy.ballots.keys().filter_map(|id| find(id.as_str())) {
                let line = card.tally.entry(control.id).or_default();
                for _ in hidden.iter().filter(|kind| control.judges(**kind)) {
                    line.counts.unknown += 1;
                }
            }
        }
        cards
    }
}
