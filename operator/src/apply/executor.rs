//! The loop: which targets are looked at, and when. One job for each target at a time, few altogether.

mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_crds::HardeningRemediation;
use ironside_engine::model::ObjectRef;
use ironside_engine::policy::Pause;
use ironside_engine::remediate::{Phase, Reason};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::entry::Entry;
use super::job::Report;
use super::{caps, convert, job};
use crate::cluster::permissions::Missing;
use crate::process::Context;
use crate::reconcile::{Dirty, Standings, View};

/// Requests in flight at one time, so that a large rollout of ours does not crowd others out of the API server's queues.
const JOBS: usize = 8;

/// How often it is looked whether a lease that lapsed was renewed after all.
const LAPSE: Duration = Duration::from_millis(200);

/// Longest sleep: clocks jump, and gates open by things that are not watched.
const LOOK_AROUND: Duration = Duration::from_mins(1);

/// How often remediations that have had their time are looked for.
const COLLECT: Duration = Duration::from_hours(1);

/// Whether a target's repairs are carried out here. Namespaces are repaired by generated objects of our own.
fn is_ours(target: &ObjectRef) -> bool {
    target.kind.is_workload()
}

/// Carries repairs out while this process leads, until `stop`; then finishes the requests in flight.
pub async fn run(context: Context, missing: watch::Receiver<Arc<Missing>>, stop: CancellationToken) {
    let mut executor = Executor {
        context,
        missing,
        entries: BTreeMap::new(),
        due: BTreeSet::new(),
        jobs: JoinSet::new(),
        term: None,
        around: None,
        collected: None,
    };
    executor.run(stop).await;
}

struct Executor {
    context: Context,
    missing: watch::Receiver<Arc<Missing>>,
    entries: BTreeMap<ObjectRef, Entry>,
    /// Targets to look at.
    due: BTreeSet<ObjectRef>,
    jobs: JoinSet<Report>,
    /// The term in which `entries` was filled.
    term: Option<i64>,
    /// What matters to every target, as it was when it was last looked at.
    around: Option<(Option<Pause>, bool, Standings)>,
    /// When remediations that have had their time were looked for last.
    collected: Option<Instant>,
}

impl Executor {
    async fn run(&mut self, stop: CancellationToken) {
        let mut subscription = self.context.views.subscribe();
        let mut epochs = self.context.leadership.epochs();
        loop {
            let sleep = self.sleep();
            tokio::select! {
                () = stop.cancelled() => break,
                changed = subscription.changed() => match changed {
                    Some((view, dirty)) => self.absorb(&view, &dirty),
                    None => break,
                },
                Some(report) = self.jobs.join_next() => match report {
                    Ok(report) => self.finish(report),
                    Err(error) => {
                        tracing::error!(error = %error, "a job of the executor panicked; this is a bug");
                        self.context.happenings.failed("apply", "panic");
                        self.term = None; // begin again
                    }
                },
                changed = epochs.changed() => if changed.is_err() { break },
                changed = self.missing.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.due.extend(self.entries.keys().cloned());
                }
                () = tokio::time::sleep(sleep) => {}
            }
            self.work();
        }
        while self.jobs.join_next().await.is_some() {}
    }

    /// Notes what changed.
    fn absorb(&mut self, view: &View, dirty: &Dirty) {
        for key in &dirty.remediations {
            let seen = view.declared.remediations.get(key);
            let target = seen.map_or_else(|| self.target_of(key), |seen| convert::target(seen));
            let Some(target) = target.filter(is_ours) else {
                // The isolation of a namespace, which may have made room.
                self.due.extend(self.waiting_for_room());
                continue;
            };
            self.entries.entry(target.clone()).or_default().see(seen);
            self.due.insert(target);
        }
        self.due
            .extend(dirty.targets.iter().filter(|target| is_ours(target)).cloned());
        self.due.extend(self.waiting_for_neighbours(dirty));
        let around = (
            view.declared.pause,
            view.declared.approval_guarded(),
            view.standings.clone(),
        );
        if self.around.as_ref() != Some(&around) {
            self.around = Some(around);
            self.due.extend(self.entries.keys().cloned());
            // Those that could not be judged while a watch was broken have no entry.
            self.due.extend(planned(view));
        }
    }

    fn target_of(&self, key: &(String, String)) -> Option<ObjectRef> {
        let named = |stored: &Arc<HardeningRemediation>| {
            stored.metadata.namespace.as_ref() == Some(&key.0) && stored.metadata.name.as_ref() == Some(&key.1)
        };
        self.entries
            .iter()
            .find(|(_, entry)| entry.stored.as_ref().is_some_and(named))
            .map(|(target, _)| target.clone())
    }

    /// Looks at every target that is due.
    fn work(&mut self) {
        let view = self.context.views.latest();
        // Half a view says that things are gone which were only not read yet.
        let held = *self.context.leadership.epochs().borrow();
        let term = held.filter(|_| view.complete);
        if term != self.term {
            self.term = term;
            self.forget();
            if term.is_some() {
                self.begin(&view);
            }
        }
        // A lease that is renewed late lapses for a moment: nothing is forgotten, nothing is sent.
        let leader = self
            .context
            .leadership
            .term()
            .map(|term| term.epoch)
            .filter(|epoch| Some(*epoch) == term);
        if leader.is_none() {
            return;
        }
        let now = now();
        self.collect(&view, now);
        let woken = |entry: &Entry| entry.wake.is_some_and(|at| at <= now);
        let awake = self
            .entries
            .iter()
            .filter(|(_, entry)| woken(entry))
            .map(|(target, _)| target.clone());
        self.due.extend(awake.collect::<Vec<_>>());
        let mut later = BTreeSet::new();
        for target in self.in_order(&view) {
            let busy = self.entries.get(&target).is_some_and(|entry| entry.busy);
            if busy || self.jobs.len() >= JOBS {
                later.insert(target);
            } else {
                self.look_at(&view, leader, target, now);
            }
        }
        self.due = later;
    }

    /// The due targets: what is under way first, then by the severity of what fails.
    fn in_order(&mut self, view: &View) -> Vec<ObjectRef> {
        let mut due: Vec<ObjectRef> = std::mem::take(&mut self.due).into_iter().collect();
        due.sort_by_cached_key(|target| {
            let severity = view
                .results
                .get(target)
                .and_then(|outcome| outcome.failures().map(|finding| finding.control.severity).max());
            let known = self.entries.contains_key(target);
            (std::cmp::Reverse(known), std::cmp::Reverse(severity))
        });
        due
    }

    /// Forgets what belongs to another term. What is stored comes back from the view.
    fn forget(&mut self) {
        for target in self.entries.keys() {
            self.context.views.undoing(target, false);
        }
        self.entries.clear();
        self.due.clear();
    }

    /// A term begins: everything is looked at once.
    fn begin(&mut self, view: &View) {
        for remediation in view.declared.remediations.values() {
            if let Some(target) = convert::target(remediation).filter(is_ours) {
                self.entries.entry(target).or_default().see(Some(remediation));
            }
        }
        self.due.extend(self.entries.keys().cloned());
        self.due.extend(planned(view));
    }

    /// Deletes remediations that have had their time.
    fn collect(&mut self, view: &View, now: Timestamp) {
        if self.collected.is_some_and(|at| at.elapsed() < COLLECT) {
            return;
        }
        self.collected = Some(Instant::now());
        for (target, entry) in &mut self.entries {
            let planned = view.results.get(target).is_some_and(|outcome| outcome.plan.is_some());
            let Some(stored) = entry.stored.clone().filter(|_| !planned && !entry.busy) else {
                continue;
            };
            let created = stored.metadata.creation_timestamp.as_ref().map(|time| time.0);
            if caps::has_had_its_time(&entry.record, created, now) {
                entry.busy = true;
                self.jobs
                    .spawn(job::forget(self.context.client.clone(), target.clone(), stored));
            }
        }
    }

    /// Targets that wait for others to finish: nothing about themselves changes when there is room again, so each end of a job looks at them.
    fn waiting_for_room(&self) -> Vec<ObjectRef> {
        let waits = |entry: &Entry| entry.record.phase == Phase::Pending && entry.record.reason == Reason::Budget;
        let waiting = self.entries.iter().filter(|(_, entry)| !entry.busy && waits(entry));
        waiting.map(|(target, _)| target.clone()).collect()
    }

    /// Targets that wait for room in their namespace or for the end of a release: what changes then are quotas and other workloads.
    fn waiting_for_neighbours(&self, dirty: &Dirty) -> Vec<ObjectRef> {
        // What belongs to a namespace and is not judged itself, such as a quota, shows as a change of the Namespace.
        let changed: BTreeSet<&str> = dirty
            .targets
            .iter()
            .map(|target| {
                if target.namespace.is_empty() {
                    &*target.name
                } else {
                    &*target.namespace
                }
            })
            .collect();
        let waits = |entry: &Entry| matches!(entry.record.reason, Reason::NoRoom | Reason::OwnerBusy);
        let waiting = self.entries.iter().filter(|(_, entry)| waits(entry));
        waiting
            .map(|(target, _)| target)
            .filter(|target| changed.contains(&*target.namespace))
            .cloned()
            .collect()
    }

    fn sleep(&self) -> Duration {
        if self.term.is_some() && !self.context.leadership.leads() {
            return LAPSE;
        }
        let now = Timestamp::now();
        let wakes = self
            .entries
            .values()
            .filter(|entry| !entry.busy)
            .filter_map(|entry| entry.wake);
        let next = wakes
            .min()
            .map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        next.unwrap_or(LOOK_AROUND)
            .min(LOOK_AROUND)
            .max(Duration::from_millis(5))
    }
}

/// Targets with a plan that are carried out here.
fn planned(view: &View) -> impl Iterator<Item = ObjectRef> {
    let planned = view.results.outcomes().filter(|(_, outcome)| outcome.plan.is_some());
    planned.map(|(target, _)| target.clone()).filter(is_ours)
}

/// Whole seconds, as times are stored: what is decided now must look the same when it is read back.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
