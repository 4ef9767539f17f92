//! The loop: which targets are looked at, and when. One job for each target at a time, few altogether.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_crds::HardeningRemediation;
use ironside_engine::model::ObjectRef;
use ironside_engine::policy::Pause;
use ironside_engine::remediate::{Effect, Phase, Reason, Record, step};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::entry::Entry;
use super::job::{Job, Report};
use super::observe::{Around, Seen};
use super::store::NotStored;
use super::{caps, convert, job, shown, stopping, tell};
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

    /// One step of one target.
    fn look_at(&mut self, view: &View, leader: Option<i64>, target: ObjectRef, now: Timestamp) {
        let planned = view.results.get(&target).is_some_and(|outcome| outcome.plan.is_some());
        if !planned && !self.entries.contains_key(&target) {
            return;
        }
        let in_flight = caps::in_flight(&self.entries, view, &target);
        let missing = Arc::clone(&self.missing.borrow());
        let entry = self.entries.entry(target.clone()).or_default();
        entry.wake = None;
        if let Some(left) = entry.outdated_for() {
            entry.wake = now.checked_add(left).ok();
            return;
        }
        let around = Around {
            view,
            missing: &missing,
            stops: &self.context.stops,
            leader,
            in_flight,
            now,
        };
        let seen = Seen::of(around, &target, entry);
        let step = step(&entry.record, &seen.observed(&target), now);
        let (workload, plan) = (seen.workload.clone(), seen.plan.cloned());
        let mut effects = step.effects;
        let wake = effects.iter().find_map(|effect| match effect {
            Effect::WakeAt(at) => Some(*at),
            _ => None,
        });
        let lost = entry.stored.is_none() && entry.record.phase.in_flight();
        if lost && effects.first() != Some(&Effect::Persist) {
            effects.insert(0, Effect::Persist);
        }
        effects.retain(|effect| !matches!(effect, Effect::WakeAt(_)));
        if let Some(entry) = self.entries.get_mut(&target) {
            entry.wake = wake;
        }
        if effects.is_empty() {
            self.drop_if_empty(&target);
            return;
        }
        self.begin_job(view, target, &step.record, effects, workload, plan);
    }

    fn begin_job(
        &mut self,
        view: &View,
        target: ObjectRef,
        record: &Record,
        effects: Vec<Effect>,
        workload: Option<Arc<ironside_engine::model::Workload>>,
        plan: Option<ironside_engine::plan::Plan>,
    ) {
        let creates = effects.first() == Some(&Effect::Persist)
            && self.entries.get(&target).is_some_and(|entry| entry.stored.is_none());
        let room = plan.as_ref().is_none_or(|plan| {
            let number = caps::remediations(view, &self.entries, &target);
            caps::room(plan, number)
        });
        if creates && !room {
            self.drop_if_empty(&target);
            return;
        }
        let Some(entry) = self.entries.get_mut(&target) else {
            return;
        };
        if effects.first() == Some(&Effect::Persist) {
            tell::log(&target, &entry.record, record);
        }
        entry.busy = true;
        entry.claiming = record.phase == Phase::Applying;
        // Until the record says that it is over, which it does when the view shows the template as it was.
        let under_way = matches!(record.phase, Phase::RollingBack | Phase::Reverting);
        self.context.views.undoing(&target, under_way);
        let old = entry.stored.as_deref().and_then(|stored| stored.status.as_ref());
        let namespace = if target.namespace.is_empty() {
            self.context.own_namespace.to_string()
        } else {
            target.namespace.to_string()
        };
        let job = Job {
            client: self.context.client.clone(),
            leadership: self.context.leadership.clone(),
            namespace,
            stored: entry.stored.clone(),
            status: convert::status(record, plan.as_ref().map(shown::shown_plan), old),
            workload,
            plan,
            effects,
            target,
        };
        self.jobs.spawn(job.run());
    }

    /// An entry about which nothing is stored is not worth keeping.
    fn drop_if_empty(&mut self, target: &ObjectRef) {
        let empty = self.entries.get(target).is_some_and(|entry| {
            entry.stored.is_none()
                && entry.record.phase == Phase::New
                && entry.wake.is_none()
                && entry.outcome.is_none()
        });
        if empty {
            self.entries.remove(target);
        }
    }

    /// Takes in what became of a job.
    fn finish(&mut self, report: Report) {
        let view = self.context.views.latest();
        let now = now();
        let target = report.target.clone();
        let Some(entry) = self.entries.get_mut(&target) else {
            return; // of another term
        };
        entry.busy = false;
        entry.claiming = false;
        if let Some(stored) = report.stored {
            entry.keep(stored);
        }
        match report.not_stored {
            Some(NotStored::Lost | NotStored::Unknown) => entry.outdate(),
            Some(NotStored::Refused(why)) => {
                tracing::error!(%target, error = why, "the remediation cannot be stored");
                self.context.happenings.failed("apply", "refused");
                entry.outdate();
            }
            None => {}
        }
        if let Some(outcome) = report.outcome {
            entry.answered(outcome, report.written);
        }
        self.tell(&view, &target, &report.done, now);
        self.due.insert(target);
        self.due.extend(self.waiting_for_room());
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

    fn tell(&self, view: &View, target: &ObjectRef, done: &[Effect], now: Timestamp) {
        let Some(entry) = self.entries.get(target) else { return };
        let uid = view
            .world
            .workload(target)
            .map(|workload| workload.meta.uid.clone())
            .unwrap_or_default();
        for effect in done {
            match effect {
                Effect::Event(event) => {
                    tell::event(&self.context.reporter, event, target, &uid, entry.stored.as_deref());
                }
                Effect::Count(what) => {
                    tell::count(&self.context.happenings, what, &entry.record, now);
                    if is_rollback(what) {
                        let others = self.entries.iter().map(|(target, entry)| (target, &entry.record));
                        stopping::rolled_back(view, &self.context.stops, target, &entry.record, &others, now);
                    }
                }
                Effect::Stop => stopping::rollback_failed(view, &self.context.stops, target, &entry.record),
                _ => {}
            }
        }
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

fn is_rollback(what: &ironside_engine::remediate::Count) -> bool {
    use ironside_engine::remediate::{Count, CountedOutcome};
    matches!(
        what,
        Count::Remediation {
            outcome: CountedOutcome::RolledBack,
            ..
        }
    )
}

/// Whole seconds, as times are stored: what is decided now must look the same when it is read back.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}
