//! The task that keeps the networks of namespaces as their policies ask: looks at a namespace when something about it changed, asks the state machine of repairs
//! what follows, and has it done by jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ironside_engine::model::network::ApiServerBackend;
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::remediate::{Effect, Phase, step};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::look::{Circumstances, Look};
use super::place::{Place, SHOWN};
use super::shown::shown;
use crate::apply::{Job, NotStored, Report, convert, name_of, tell};
use crate::cluster::permissions::Missing;
use crate::process::Context;
use crate::reconcile::{Dirty, View};

/// What other namespaces say about one is looked at so long after a change: their pods take longer to start.
const ELSEWHERE: Duration = Duration::from_secs(1);
/// How often it is looked whether a lease that lapsed was renewed after all.
const LAPSE: Duration = Duration::from_millis(200);

/// The task's state.
pub struct Keeper {
    context: Context,
    missing: watch::Receiver<Arc<Missing>>,
    places: BTreeMap<String, Place>,
    /// When to look at which namespace.
    due: BTreeMap<String, Instant>,
    callers: Arc<Vec<ApiServerBackend>>,
    jobs: JoinSet<(String, Report)>,
    /// The term in which `places` was filled.
    term: Option<i64>,
}

/// The Namespace as a target.
fn target(namespace: &str) -> ObjectRef {
    ObjectRef::new(Kind::Namespace, "", namespace)
}

/// Whole seconds, as times are stored: what is decided now must look the same when it is read back.
fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

impl Keeper {
    /// A keeper for the operator's cluster. `missing`: rights that the operator lacks.
    pub fn new(context: Context, missing: watch::Receiver<Arc<Missing>>) -> Self {
        Self {
            context,
            missing,
            places: BTreeMap::new(),
            due: BTreeMap::new(),
            callers: Arc::default(),
            jobs: JoinSet::new(),
            term: None,
        }
    }

    /// Works until `stop`, or until nothing is seen any more; then finishes the requests in flight.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut subscription = self.context.views.subscribe();
        let mut epochs = self.context.leadership.epochs();
        loop {
            let next = self.next();
            tokio::select! {
                () = stop.cancelled() => break,
                changed = subscription.changed() => match changed {
                    Some((view, dirty)) => self.note(&view, &dirty),
                    None => break,
                },
                Some(finished) = self.jobs.join_next() => match finished {
                    Ok((namespace, report)) => self.finish(&namespace, report),
                    Err(error) => {
                        tracing::error!(error = %error, "a job of the keeper of networks panicked; this is a bug");
                        self.context.happenings.failed("network", "panic");
                        self.term = None; // begin again
                    }
                },
                changed = epochs.changed() => if changed.is_err() { break },
                changed = self.missing.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    self.note_places();
                }
                () = sleep_until(next) => {}
            }
            self.work();
        }
        while self.jobs.join_next().await.is_some() {}
    }

    /// When to wake. Who does not lead has nothing to wake for.
    fn next(&self) -> Option<Instant> {
        self.term?;
        if !self.context.leadership.leads() {
            return Some(Instant::now() + LAPSE);
        }
        self.due.values().min().copied()
    }

    /// Looks at every namespace that is due.
    fn work(&mut self) {
        let view = self.context.views.latest();
        let held = *self.context.leadership.epochs().borrow();
        let term = held.filter(|_| view.complete);
        if term != self.term {
            self.term = term;
            // What another process wrote meanwhile is in the view; what this one remembers may be older.
            for namespace in self.places.keys() {
                self.context.views.undoing(&target(namespace), false);
            }
            self.places.clear();
            self.due.clear();
            if term.is_some() {
                self.note_all(&view);
            }
        }
        // A lease that is renewed late lapses for a moment: nothing is forgotten, nothing is sent.
        let leads = self.context.leadership.term().map(|term| term.epoch);
        let Some(epoch) = leads.filter(|epoch| Some(*epoch) == term) else {
            return;
        };
        let at = Instant::now();
        let due = self.due.iter().filter(|(_, due)| **due <= at);
        let ready: Vec<String> = due.map(|(name, _)| name.clone()).collect();
        for namespace in ready {
            self.due.remove(&namespace);
            self.look(&view, &namespace, epoch);
        }
    }

    /// Notes which namespaces have to be looked at after a change.
    fn note(&mut self, view: &View, dirty: &Dirty) {
        let callers = &view.world.api_server_backends;
        let everything = dirty.is_empty() || !Arc::ptr_eq(callers, &self.callers);
        self.callers = Arc::clone(callers);
        for key in &dirty.remediations {
            let (namespace, name) = key;
            if *name != name_of(&target(namespace)) {
                continue;
            }
            if let Some(place) = self.places.get_mut(namespace) {
                place.entry.see(view.declared.remediations.get(key));
            }
            self.look_at(namespace, Duration::ZERO);
        }
        if !dirty.remediations.is_empty() {
            let waiting = self.places.iter().filter(|(_, place)| place.waits_for_room());
            let waiting: Vec<String> = waiting.map(|(namespace, _)| namespace.clone()).collect();
            for namespace in waiting {
                self.look_at(&namespace, Duration::ZERO);
            }
        }
        if everything {
            return self.note_all(view);
        }
        let of_namespaces = |target: &&ObjectRef| target.kind == Kind::Namespace;
        let changed: BTreeSet<&str> = dirty.targets.iter().filter(of_namespaces).map(|it| &*it.name).collect();
        for namespace in &changed {
            self.look_at(namespace, Duration::ZERO);
        }
        // Workloads are watched while an isolation is not proven.
        for target in dirty.targets.iter().filter(|target| target.kind != Kind::Namespace) {
            if self
                .places
                .get(&*target.namespace)
                .is_some_and(Place::watches_workloads)
            {
                self.look_at(&target.namespace, Duration::ZERO);
            }
        }
        // Somebody else may have begun to name a Service of a namespace that is kept.
        if !changed.is_empty() {
            let kept: Vec<String> = self.places.keys().cloned().collect();
            for namespace in kept {
                self.look_at(&namespace, ELSEWHERE);
            }
        }
    }

    fn note_all(&mut self, view: &View) {
        for namespace in view.world.shards.keys().filter(|name| !name.is_empty()) {
            self.look_at(namespace, Duration::ZERO);
        }
        self.note_places();
    }

    fn note_places(&mut self) {
        let kept: Vec<String> = self.places.keys().cloned().collect();
        for namespace in kept {
            self.look_at(&namespace, Duration::ZERO);
        }
    }

    fn look_at(&mut self, namespace: &str, after: Duration) {
        let at = Instant::now() + after;
        let due = self.due.entry(namespace.to_owned()).or_insert(at);
        *due = at.min(*due);
    }

    /// One step of one namespace.
    fn look(&mut self, view: &Arc<View>, namespace: &str, epoch: i64) {
        let target = target(namespace);
        let key = (namespace.to_owned(), name_of(&target));
        let stored = view.declared.remediations.get(&key);
        let here = view.policies.in_namespace(&view.world, namespace);
        if !self.places.contains_key(namespace) {
            if !Place::is_concerned(view, namespace, &here, stored.is_some(), now()) {
                return;
            }
            let mut place = Place::default();
            place.entry.see(stored);
            self.places.insert(namespace.to_owned(), place);
        }
        let Some(place) = self.places.get_mut(namespace) else {
            return;
        };
        if place.entry.busy {
            return; // its end looks again
        }
        if let Some(left) = place.entry.outdated_for() {
            return self.look_at(namespace, left);
        }
        if !place.is_shown(view, namespace) {
            return self.look_at(namespace, SHOWN);
        }
        let now = now();
        let missing = Arc::clone(&self.missing.borrow());
        let around = Circumstances {
            context: &self.context,
            missing: &missing,
            view,
            here: &here,
            epoch,
            now,
        };
        let looked = catch_unwind(AssertUnwindSafe(|| Look::at(&around, namespace, place)));
        let Ok(look) = looked else {
            tracing::error!(
                namespace,
                "planning its network panicked; this is a bug, the namespace is left alone"
            );
            return self.context.happenings.panicked();
        };
        let record = &place.entry.record;
        let step = step(record, &look.observed(&place.entry), now);
        let mut effects = step.effects;
        let wake = effects.iter().find_map(|effect| match effect {
            Effect::WakeAt(at) => Some(*at),
            _ => None,
        });
        effects.retain(|effect| !matches!(effect, Effect::WakeAt(_)));
        let lost = place.entry.stored.is_none() && record.phase.in_flight();
        if lost && !effects.contains(&Effect::Persist) {
            effects.insert(0, Effect::Persist);
        }
        if effects.is_empty() {
            if place.entry.stored.is_none() && record.phase == Phase::New && look.is_idle() {
                self.places.remove(namespace);
            }
        } else {
            if effects.contains(&Effect::Persist) {
                tell::log(&target, record, &step.record);
            }
            if step.record.phase != record.phase {
                place.entry.outcome = None; // what was answered in another phase says nothing about this one
            }
            // Until the record says that it is over: the deny that goes leaves the namespace open, which is nobody's drift.
            let under_way = matches!(step.record.phase, Phase::RollingBack | Phase::Reverting);
            self.context.views.undoing(&target, under_way);
            let old = place.entry.stored.as_deref().and_then(|stored| stored.status.as_ref());
            let job = Job {
                client: self.context.client.clone(),
                leadership: self.context.leadership.clone(),
                namespace: namespace.to_owned(),
                stored: place.entry.stored.clone(),
                status: convert::status(&step.record, look.plan.as_ref().map(shown), old),
                workload: None,
                plan: None,
                effects,
                target,
            };
            place.entry.busy = true;
            let namespace = namespace.to_owned();
            self.jobs.spawn(async move { (namespace, job.run().await) });
        }
        if let Some(wake) = wake {
            let wait = Duration::try_from(wake.duration_since(Timestamp::now())).unwrap_or_default();
            self.look_at(namespace, wait.max(Duration::from_millis(1)));
        }
    }

    /// Takes in what became of a job.
    fn finish(&mut self, namespace: &str, report: Report) {
        self.look_at(namespace, Duration::ZERO);
        let Some(place) = self.places.get_mut(namespace) else {
            return; // of another term
        };
        place.entry.busy = false;
        if let Some(stored) = report.stored {
            place.entry.keep(stored);
        }
        match report.not_stored {
            Some(NotStored::Lost | NotStored::Unknown) => place.entry.outdate(),
            Some(NotStored::Refused(why)) => {
                tracing::error!(namespace, error = why, "the record of its network cannot be stored");
                self.context.happenings.failed("network", "refused");
                place.entry.outdate();
            }
            None => {}
        }
        if !report.left.is_empty() {
            let names: Vec<&str> = report.left.iter().map(|(name, _)| name.as_str()).collect();
            tracing::info!(namespace, policies = names.join(", "), "network policies written");
        }
        place.wrote(report.left);
        if let Some(outcome) = report.outcome {
            place.entry.answered(outcome, None);
        }
        let view = self.context.views.latest();
        super::telling::tell(
            &self.context,
            &view,
            &target(namespace),
            &place.entry,
            &report.done,
            now(),
        );
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
