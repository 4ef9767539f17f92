//! A stage for the tests of the table: one cluster, one process, and what they share.

use super::super::{Action, Decision, Effect, EventKind, Phase, Reason, Record};
use super::cluster::{Cluster, Image};
use super::process::{Log, Process, Store};

/// A cluster, a process that leads, and what they share.
pub(super) struct Scene {
    pub cluster: Cluster,
    pub store: Store,
    pub log: Log,
    pub process: Process,
}

impl Scene {
    pub(super) fn new(image: Image) -> Self {
        let cluster = Cluster::new(3, image);
        let store = Store::default();
        let process = Process::new(1, &cluster, &store);
        Self {
            cluster,
            store,
            log: Log::default(),
            process,
        }
    }

    /// The target is settled and everything that may start has started.
    pub(super) fn started(image: Image) -> Self {
        let mut scene = Self::new(image);
        scene.cluster.skip_hours(1);
        scene.settle();
        scene
    }

    pub(super) fn settle(&mut self) -> Vec<Effect> {
        self.process.settle(&mut self.cluster, &mut self.store, &mut self.log)
    }

    /// Time passes in which the process looks every few seconds.
    pub(super) fn watch(&mut self, seconds: i64) -> Vec<Effect> {
        let mut all = Vec::new();
        for _ in 0..seconds / 10 {
            self.cluster.pass(10);
            all.extend(self.settle());
        }
        all
    }

    pub(super) fn skip_hours(&mut self, hours: i64) {
        self.watch(60);
        self.cluster.skip_hours(hours);
        self.settle();
    }

    pub(super) fn record(&self) -> &Record {
        &self.store.record
    }

    pub(super) fn stands(&self) -> (Phase, Reason) {
        (self.record().phase, self.record().reason)
    }

    pub(super) fn decide(&mut self, action: Action, plan: Option<&str>) {
        let generation = self.process.decision.as_ref().map_or(1, |decision| decision.generation) + 1;
        self.process.decision = Some(Decision {
            action,
            plan: plan.map(str::to_owned),
            by: "alice@example.com".to_owned(),
            reason: "because".to_owned(),
            generation,
        });
    }
}

pub(super) fn events(effects: &[Effect]) -> Vec<EventKind> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Event(event) => Some(event.kind),
            _ => None,
        })
        .collect()
}
