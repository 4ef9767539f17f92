//! What this process knows of a namespace beside the view: its record, what it wrote and the watch has not shown, the last plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ironside_engine::network::generate::DENY;
use ironside_engine::network::{Inputs, Memory, NetworkPlan, Settings, plan_inputs};
use ironside_engine::plan::PlanHash;
use ironside_engine::policy::InNamespace;
use ironside_engine::remediate::{Phase, Reason};
use jiff::Timestamp;
use tokio::time::Instant;

use super::live::{Seen, is_older, live};
use crate::apply::{Entry, Left};
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
    /// The record, and what became of the last request.
    pub(super) entry: Entry,
    /// The plan, and since when it is what it is.
    settled: Option<(PlanHash, Timestamp)>,
    /// Writes that the watch has not shown yet.
    doubt: BTreeMap<String, Left>,
    doubt_since: Option<Instant>,
    /// The deny that we made went before the watch showed it.
    deny_departed: bool,
    /// Names of our policies that stood at the last look.
    pub(super) stood: BTreeSet<String>,
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
    /// Whether there is anything to know about a namespace: policies ask for something, or something of ours is left.
    pub(super) fn is_concerned(view: &View, namespace: &str, here: &InNamespace, stored: bool, now: Timestamp) -> bool {
        let settings = Settings::of(here, &view.exceptions, namespace, now);
        stored || !settings.policies.is_empty() || settings.suspended || !live(view, namespace).is_empty()
    }

    /// Whether how the workloads fare decides what follows.
    pub(super) fn watches_workloads(&self) -> bool {
        matches!(
            self.entry.record.phase,
            Phase::Verifying | Phase::Probation | Phase::RollingBack | Phase::RollbackFailed
        )
    }

    /// Whether it waits for other repairs to finish.
    pub(super) fn waits_for_room(&self) -> bool {
        self.entry.record.phase == Phase::Pending && self.entry.record.reason == Reason::Budget
    }

    /// Takes in what writes left behind.
    pub(super) fn wrote(&mut self, left: Vec<(String, Left)>) {
        for (name, left) in left {
            match &left {
                Left::There { .. } => _ = self.stood.insert(name.clone()),
                Left::Gone { .. } => _ = self.stood.remove(&name),
            }
            self.doubt.insert(name, left);
            self.doubt_since = Some(Instant::now());
        }
    }

    /// Whether the watch shows what was written, has shown it already and more, or is not waited for any more.
    pub(super) fn is_shown(&mut self, view: &View, namespace: &str) -> bool {
        if self.doubt.is_empty() {
            return true;
        }
        let live = live(view, namespace);
        let departed = |uid: &str| view.departed.iter().any(|gone| gone == uid);
        let deny_departed = &mut self.deny_departed;
        self.doubt.retain(|name, left| match (left, live.get(name)) {
            (Left::There { uid, version }, Some(seen)) => seen.uid == *uid && is_older(&seen.version, version),
            (Left::There { uid, .. }, None) if departed(uid) => {
                *deny_departed |= name == DENY;
                false
            }
            (Left::There { .. }, None) => true,
            (Left::Gone { uid }, seen) => seen.is_some_and(|seen| seen.uid == *uid),
        });
        if self.doubt_since.is_some_and(|since| since.elapsed() >= SHOWN) {
            self.doubt.clear();
        }
        if self.doubt.is_empty() {
            self.doubt_since = None;
        }
        self.doubt.is_empty()
    }

    /// Whether somebody deleted our deny before the watch showed it; told once.
    pub(super) fn deny_departed(&mut self) -> bool {
        std::mem::take(&mut self.deny_departed)
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

    /// The plan; the last one where nothing that it follows from has changed. `None` if the namespace is gone.
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

    /// Since when the plan is what it is.
    pub(super) fn settled_since(&mut self, plan: &NetworkPlan, now: Timestamp) -> Timestamp {
        match &self.settled {
            Some((hash, since)) if *hash == plan.hash => *since,
            _ => {
                self.settled = Some((plan.hash.clone(), now));
                now
            }
        }
    }
}
