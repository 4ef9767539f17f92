//! The one task that owns the world. Takes what the watches saw, judges what that touches, publishes what follows.
//!
//! Synchronous between two batches: no lock, no waiting, so a view is always consistent. Nothing is judged before every watch had its first answer (or
//! [`FIRST_LOOK`] has passed): half a world would give wrong verdicts, not early ones.

mod telling;
mod wake;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_engine::components::Observed;
use ironside_engine::evaluate::Evaluator;
use ironside_engine::model::layer::Layers;
use ironside_engine::model::{Kind, ObjectRef};
use ironside_engine::policy::{ExceptionSet, PolicySet};
use ironside_engine::world::{Delta, Object, Snapshot, World};
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::wake::news;
use super::judge::Bench;
use super::standings::gap;
use super::{Declared, Dirty, Exception, Feed, Policy, Results, Standings, View};
use crate::cluster::item::Item;
use crate::cluster::watch::Scope;
use crate::cluster::{Message, Seen, Source, Standing};
use crate::detections::Detections;
use crate::metrics::happenings::Happenings;
use crate::report::event::Reporter;

/// After this time judging starts with what there is: one kind that cannot be listed must not blind us to all others. It is a gap then.
const FIRST_LOOK: Duration = Duration::from_mins(1);

/// NetworkPolicies that went last, at most. Whoever waits to see a policy of its own has seen it long before so many others went.
const DEPARTED: usize = 256;

/// Changes taken in at once.
const BATCH: usize = 1024;

/// The single writer.
#[derive(Debug)]
pub struct Writer {
    own_namespace: String,
    world: World,
    snapshot: Arc<Snapshot>,
    declared: Declared,
    policies: Arc<PolicySet>,
    exceptions: Arc<ExceptionSet>,
    evaluator: Evaluator,
    results: Results,
    standings: Standings,
    /// What was listed at least once. What a later list shows has changed since, however long it could not be read.
    listed: BTreeSet<(Source, Scope)>,
    departed: Arc<VecDeque<String>>,
    complete: bool,
    judged_at: Option<Timestamp>,
    started: Instant,
    feed: Feed,
    happenings: Arc<Happenings>,
    reporter: Reporter,
    detections: Option<Detections>,
    layers: watch::Receiver<Arc<Layers>>,
    observed: Option<watch::Receiver<Arc<Observed>>>,
}

/// What a batch of changes calls for.
#[derive(Debug, Default)]
struct Agenda {
    /// Policies have to be compiled again, and everything judged.
    policies: bool,
    /// Exceptions have to be compiled again, and everything judged.
    exceptions: bool,
    /// Something else changed that a view shows.
    view: bool,
    remediations: BTreeSet<super::declared::Key>,
}

impl Writer {
    /// A writer for a cluster whose API server has this minor version, fed by these watches.
    pub fn new(
        own_namespace: &str,
        minor: u32,
        watches: impl IntoIterator<Item = (Source, Scope)>,
        feed: Feed,
        happenings: Arc<Happenings>,
        reporter: Reporter,
    ) -> Self {
        Self {
            own_namespace: own_namespace.to_owned(),
            world: World::new(minor),
            snapshot: Arc::default(),
            declared: Declared::default(),
            policies: Arc::default(),
            exceptions: Arc::default(),
            evaluator: Evaluator::default(),
            results: Results::default(),
            standings: Standings::starting(watches, Timestamp::now()),
            listed: BTreeSet::new(),
            departed: Arc::default(),
            complete: false,
            judged_at: None,
            started: Instant::now(),
            feed,
            happenings,
            reporter,
            detections: None,
            layers: watch::channel(Arc::default()).1,
            observed: None,
        }
    }

    /// The same, told what kubelets measured.
    #[must_use]
    pub fn with_layers(self, mut layers: watch::Receiver<Arc<Layers>>) -> Self {
        layers.mark_changed();
        Self { layers, ..self }
    }

    /// The same, handing on what changes show of whoever makes them.
    #[must_use]
    pub fn with_detections(self, detections: Detections) -> Self {
        Self {
            detections: Some(detections),
            ..self
        }
    }

    /// The same, told what the components of the cluster say of themselves, which makes them targets.
    #[must_use]
    pub fn with_observed(mut self, observed: Option<watch::Receiver<Arc<Observed>>>) -> Self {
        if let Some(observed) = &observed {
            self.world.observe(&observed.borrow());
        }
        Self { observed, ..self }
    }

    /// Works until `stop`, or until all watches are gone.
    pub async fn run(mut self, mut messages: mpsc::Receiver<Message>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            let wake = self.next_wake(Timestamp::now());
            tokio::select! {
                () = stop.cancelled() => return,
                received = messages.recv_many(&mut batch, BATCH) => {
                    if received == 0 {
                        return;
                    }
                }
                () = news(Some(&mut self.layers)) => {
                    self.world.set_layers(&self.layers.borrow_and_update());
                }
                () = news(self.observed.as_mut()) => {
                    if let Some(observed) = &mut self.observed {
                        self.world.observe(&observed.borrow_and_update());
                    }
                }
                () = tokio::time::sleep(wake) => {}
            }
            self.step(batch.drain(..), Timestamp::now());
        }
    }

    /// Takes a batch in and publishes what follows.
    pub fn step(&mut self, messages: impl IntoIterator<Item = Message>, now: Timestamp) {
        let began = Instant::now();
        let mut agenda = Agenda::default();
        for message in messages {
            self.absorb(message, &mut agenda, now);
        }
        self.look_around(&mut agenda);
        if !self.complete {
            if agenda.view {
                self.publish(&Dirty::default());
            }
            return;
        }
        self.compile(&agenda);
        let passed = self.judged_at.is_some_and(|before| self.something_ended(before, now));
        let everything = agenda.policies || agenda.exceptions || passed || self.judged_at.is_none();
        let (snapshot, dirty) = self.world.drain();
        self.snapshot = snapshot;
        let bench = Bench {
            world: Arc::clone(&self.snapshot),
            policies: Arc::clone(&self.policies),
            exceptions: Arc::clone(&self.exceptions),
            now,
        };
        let targets = if everything {
            self.everything(&bench, dirty)
        } else {
            dirty
        };
        if targets.is_empty() && !agenda.view && agenda.remediations.is_empty() {
            return;
        }
        self.judge(&bench, &targets, everything);
        if everything {
            self.judged_at = Some(now);
            self.happenings.scanned(began.elapsed());
        }
        self.publish(&Dirty {
            targets,
            remediations: agenda.remediations,
        });
        self.happenings.reconciled(began.elapsed());
    }

    fn absorb(&mut self, message: Message, agenda: &mut Agenda, now: Timestamp) {
        let Message {
            source,
            scope,
            mut seen,
        } = message;
        let was_listed = self.listed.contains(&(source, scope.clone()));
        let author = match &mut seen {
            Seen::Applied(_, author) => author.take(),
            _ => None,
        };
        match &seen {
            Seen::Standing(standing) => {
                agenda.view |= self.standings.set(source, &scope, *standing, now);
                self.hide(source, &scope, *standing);
            }
            Seen::Replaced(_) => {
                agenda.view |= self.standings.set(source, &scope, Standing::Live, now);
                self.listed.insert((source, scope.clone()));
            }
            Seen::Deleted { uid, .. } if source == Source::Cluster(Kind::NetworkPolicy) => self.departs(uid),
            Seen::Applied(..) | Seen::Deleted { .. } => {}
        }
        if let Source::Cluster(kind) = source {
            if let Some(delta) = delta(kind, &scope, seen) {
                if was_listed {
                    self.tell_sightings(&delta, author.as_ref());
                }
                self.world.apply(delta);
            }
            return;
        }
        let touched = self.declared.absorb(source, scope.as_deref(), seen);
        agenda.policies |= touched.policies;
        agenda.exceptions |= touched.exceptions;
        agenda.view |= touched.other;
        agenda.remediations.extend(touched.remediations);
    }

    /// An object that came and went between two views was in neither: its UID tells that it is not to be waited for.
    fn departs(&mut self, uid: &str) {
        let departed = Arc::make_mut(&mut self.departed);
        departed.push_back(uid.to_owned());
        let surplus = departed.len().saturating_sub(DEPARTED);
        departed.drain(..surplus);
    }

    /// A kind that cannot be read makes what was seen of it unknown.
    fn hide(&mut self, source: Source, scope: &Scope, standing: Standing) {
        if let (Source::Cluster(kind), Some(gap)) = (source, gap(source, scope, standing)) {
            self.world.apply(Delta::Unavailable {
                kind,
                namespace: scope.as_deref().map(str::to_owned),
                gap,
            });
        }
    }

    /// Whether enough was seen to start judging.
    fn look_around(&mut self, agenda: &mut Agenda) {
        if self.complete || !(self.standings.settled() || self.started.elapsed() >= FIRST_LOOK) {
            return;
        }
        self.complete = true;
        agenda.view = true;
        let late: Vec<(Source, Scope)> = self
            .standings
            .iter()
            .filter(|(.., standing)| *standing == Standing::Starting)
            .map(|(source, scope, _)| (source, scope.clone()))
            .collect();
        for (source, scope) in late {
            tracing::warn!(%source, "not read yet; what depends on it is unknown until then");
            self.hide(source, &scope, Standing::Starting);
        }
        tracing::info!(
            seconds = self.started.elapsed().as_secs_f64(),
            "everything was looked at once"
        );
    }

    fn compile(&mut self, agenda: &Agenda) {
        let first = self.judged_at.is_none();
        if agenda.policies || first {
            let mut cluster = Vec::new();
            let mut namespaced = Vec::new();
            for policy in self.declared.policies.values() {
                match &**policy {
                    Policy::Cluster(policy) => cluster.push((**policy).clone()),
                    Policy::Namespaced(policy) => namespaced.push((**policy).clone()),
                }
            }
            self.policies = Arc::new(PolicySet::compile(&cluster, &namespaced, &self.own_namespace));
        }
        if agenda.exceptions || first {
            let mut cluster = Vec::new();
            let mut namespaced = Vec::new();
            for exception in self.declared.exceptions.values() {
                match &**exception {
                    Exception::Cluster(exception) => cluster.push((**exception).clone()),
                    Exception::Namespaced(exception) => namespaced.push((**exception).clone()),
                }
            }
            self.exceptions = Arc::new(ExceptionSet::compile(&cluster, &namespaced));
        }
    }

    /// Everything that is or was judged.
    fn everything(&self, bench: &Bench, mut targets: BTreeSet<ObjectRef>) -> BTreeSet<ObjectRef> {
        targets.extend(bench.world.targets());
        targets.extend(self.results.outcomes().map(|(target, _)| target.clone()));
        targets
    }

    fn judge(&mut self, bench: &Bench, targets: &BTreeSet<ObjectRef>, everything: bool) {
        let mut news = Vec::with_capacity(targets.len());
        let mut kinds = std::collections::BTreeMap::<Kind, u64>::new();
        for (target, judged) in bench.judge(&mut self.evaluator, targets) {
            *kinds.entry(target.kind).or_default() += 1;
            if judged.panicked {
                self.happenings.panicked();
            }
            // A verdict that turned because a policy changed is not drift, and neither is our own undo.
            let ours = self.feed.is_being_undone(&target);
            if !everything
                && !ours
                && let (Some(before), Some(after)) = (self.results.get(&target), &judged.outcome)
            {
                self.tell_drift(bench, before, after);
            }
            news.push((target, judged.outcome));
        }
        self.results.update(news);
        for (kind, count) in kinds {
            self.happenings.evaluated(kind.name(), count);
        }
    }

    fn publish(&self, dirty: &Dirty) {
        let view = View {
            world: Arc::clone(&self.snapshot),
            declared: self.declared.clone(),
            policies: Arc::clone(&self.policies),
            exceptions: Arc::clone(&self.exceptions),
            results: self.results.clone(),
            standings: self.standings.clone(),
            departed: Arc::clone(&self.departed),
            complete: self.complete,
            judged_at: self.judged_at,
        };
        self.feed.publish(Arc::new(view), dirty);
    }
}

/// What the world has to be told.
fn delta(kind: Kind, scope: &Scope, seen: Seen) -> Option<Delta> {
    let object = |item: Result<Item, crate::cluster::item::Unreadable>| match item {
        Ok(Item::Object(object)) => Some(*object),
        Ok(_) => None,
        Err(unreadable) => {
            let reference = ObjectRef::new(kind, &unreadable.namespace, &unreadable.name);
            tracing::warn!(object = %reference, error = unreadable.reason, "cannot be read; it counts as unknown");
            Some(Object::Unreadable(reference, unreadable.reason))
        }
    };
    Some(match seen {
        Seen::Replaced(items) => Delta::Replace {
            kind,
            namespace: scope.as_deref().map(str::to_owned),
            objects: items.into_iter().filter_map(object).collect(),
        },
        Seen::Applied(item, _) => Delta::Apply(object(*item)?),
        Seen::Deleted { namespace, name, .. } => Delta::Delete(ObjectRef::new(kind, &namespace, &name)),
        Seen::Standing(_) => return None,
    })
}

#[cfg(test)]
mod tests;
