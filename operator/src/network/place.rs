//! What this process knows of a namespace beside the view: what it wrote and the watch has not shown, the last plan, what was refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ironside_crds::{HardeningRemediation, RemediationStatus};
use ironside_engine::network::generate::DENY;
use ironside_engine::network::{Inputs, Memory, NetworkPlan, Settings, plan_inputs};
use ironside_engine::plan::PlanHash;
use jiff::Timestamp;
use tokio::time::Instant;

use super::live::{Seen, is_older};
use super::steps::Left;
use crate::reconcile::View;

/// A write that the watch does not show within this time is not waited for any longer.
pub(super) const SHOWN: Duration = Duration::from_secs(10);
/// A plan is made anew after this time even where nothing about the namespace has changed: it also looks at pods elsewhere.
const FRESH: Duration = Duration::from_secs(10);
/// Manager of a change that nothing names: a deletion.
const UNKNOWN: &str = "unknown";

/// What this process knows of a namespace beside the view.
#[derive(Debug, Default)]
pub(super) struct Place {
    /// The status as written last, until the watch shows it or a newer one.
    pub(super) written: Option<RemediationStatus>,
    /// The plan, and since when it is what it is.
    pub(super) settled: Option<(PlanHash, Timestamp)>,
    /// Writes that the watch has not shown yet.
    pub(super) doubt: BTreeMap<String, Left>,
    pub(super) doubt_since: Option<Instant>,
    /// Names of our policies that stood at the last look.
    pub(super) stood: BTreeSet<String>,
    /// The plan that the API server refused, and what it said.
    pub(super) refused: Option<(PlanHash, String)>,
    pub(super) pause: Option<Duration>,
    last: Option<Planned>,
}

/// A plan and what it was made from.
#[derive(Debug)]
struct Planned {
    inputs: Inputs,
    settings: Settings,
    memory: Memory,
    plan: NetworkPlan,
    at: Instant,
}

impl Place {
    /// The status to go on from: what was written last, unless the watch shows a later one.
    pub(super) fn status(&mut self, stored: Option<&HardeningRemediation>) -> RemediationStatus {
        let seen = stored.and_then(|stored| stored.status.clone()).unwrap_or_default();
        match &self.written {
            Some(written) if *written != seen => written.clone(),
            _ => {
                self.written = None;
                seen
            }
        }
    }

    /// Whether the watch shows what was written, or is not waited for any more.
    pub(super) fn is_shown(&mut self, live: &BTreeMap<String, Seen>) -> bool {
        self.doubt.retain(|name, left| {
            let seen = live.get(name);
            match left {
                Left::There { uid, version } => {
                    !seen.is_some_and(|seen| seen.uid != *uid || !is_older(&seen.version, version))
                }
                Left::Gone { uid } => seen.is_some_and(|seen| seen.uid == *uid),
            }
        });
        if self.doubt_since.is_some_and(|since| since.elapsed() >= SHOWN) {
            self.doubt.clear();
        }
        if self.doubt.is_empty() {
            self.doubt_since = None;
        }
        self.doubt.is_empty()
    }

    /// Who changed our policies since the last look, if somebody did. The deny is another story.
    pub(super) fn tampered(&self, live: &BTreeMap<String, Seen>) -> Option<String> {
        let altered = live
            .iter()
            .filter(|(name, _)| *name != DENY)
            .find_map(|(_, seen)| seen.intruder.clone());
        let gone = self.stood.iter().any(|name| name != DENY && !live.contains_key(name));
        altered.or_else(|| gone.then(|| UNKNOWN.to_owned()))
    }

    /// The plan; the last one where nothing that it follows from has changed.
    pub(super) fn plan(
        &mut self,
        view: &View,
        namespace: &str,
        settings: &Settings,
        memory: &Memory,
        now: Timestamp,
    ) -> Option<NetworkPlan> {
        let inputs = Inputs::of(&view.world, namespace, settings)?;
        let same = self.last.as_ref().filter(|last| {
            let timeless = last.plan.memory.hold.is_none() && last.at.elapsed() < FRESH;
            timeless && last.inputs == inputs && last.settings == *settings && last.memory == *memory
        });
        if let Some(same) = same {
            return Some(same.plan.clone());
        }
        let plan = plan_inputs(&view.world, &inputs, settings, memory, now);
        self.last = Some(Planned {
            inputs,
            settings: settings.clone(),
            memory: memory.clone(),
            plan: plan.clone(),
            at: Instant::now(),
        });
        Some(plan)
    }

    pub(super) fn note_plan(&mut self, plan: &NetworkPlan, now: Timestamp) {
        if self.settled.as_ref().is_none_or(|(hash, _)| *hash != plan.hash) {
            self.settled = Some((plan.hash.clone(), now));
        }
        if self.refused.as_ref().is_some_and(|(hash, _)| *hash != plan.hash) {
            self.refused = None;
        }
    }
}
