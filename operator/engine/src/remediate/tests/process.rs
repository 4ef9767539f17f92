//! A process that runs the state machine against the simulated cluster: it sees snapshots, keeps the last answer, and may fail at any effect.

use json_patch::Patch;

use super::super::{
    Answer, Decision, Effect, InFlight, Observed, Outcome, Phase, Record, Rollout, Sent, Shut, Surroundings, Target,
    first_shut, step,
};
use super::cluster::{Cluster, plan_for};
use crate::model::{Kind, ObjectRef};
use crate::policy::{AutoApprove, Limits, Mode};
use crate::world::Snapshot;

/// Where records are stored, with the version that a swap compares.
#[derive(Clone, Debug, Default)]
pub(super) struct Store {
    pub record: Record,
    pub version: u64,
    pub writes: usize,
}

/// What goes wrong with one effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before it.
    CrashBefore,
    /// The process dies after it.
    CrashAfter,
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It is not done, and the process cannot know.
    RequestLost,
    /// It is done later, when [`Wire::land`] is called, and the process cannot know.
    Delayed,
    /// The API server says that it is busy.
    Busy,
}

/// Requests that are still on their way.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire(pub Vec<Patch>);

impl Wire {
    pub(super) fn land(&mut self, cluster: &mut Cluster, log: &mut Log) {
        for patch in self.0.drain(..) {
            // Refused when it is no longer about what is there.
            let _ = log.send(cluster, &patch);
        }
    }
}

/// What the API server took, for the invariants.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// Accepted patches that harden.
    pub hardened: usize,
    /// Accepted patches that take back.
    pub undone: usize,
}

impl Log {
    fn send(&mut self, cluster: &mut Cluster, patch: &Patch) -> Result<i64, String> {
        let before = cluster.is_hardened();
        let generation = cluster.patch(patch)?;
        match (before, cluster.is_hardened()) {
            (false, true) => self.hardened += 1,
            (true, false) => self.undone += 1,
            _ => {}
        }
        Ok(generation)
    }
}

/// One operator process.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub leader: Option<i64>,
    pub limits: Limits,
    pub mode: Mode,
    pub decision: Option<Decision>,
    pub guarded: bool,
    pub shut: Option<Shut>,
    view: Snapshot,
    record: Record,
    version: u64,
    outcome: Option<Outcome>,
    written: Option<i64>,
}

impl Process {
    pub(super) fn new(leader: i64, cluster: &Cluster, store: &Store) -> Self {
        let mut process = Self {
            leader: Some(leader),
            limits: Limits {
                auto_approve: AutoApprove::Low,
                ..Limits::default()
            },
            mode: Mode::Enforce,
            decision: None,
            guarded: true,
            shut: None,
            view: Snapshot::default(),
            record: Record::default(),
            version: 0,
            outcome: None,
            written: None,
        };
        process.see_target(cluster);
        process.see_record(store);
        process
    }

    /// Its watch of the target catches up.
    pub(super) fn see_target(&mut self, cluster: &Cluster) {
        self.view = cluster.snapshot();
    }

    /// Its watch of the records catches up.
    pub(super) fn see_record(&mut self, store: &Store) {
        if store.version >= self.version {
            self.record = store.record.clone();
            self.version = store.version;
        }
    }

    /// Dies and starts again: everything that is not stored is gone, and what it lists is fresh.
    pub(super) fn restart(&mut self, leader: i64, cluster: &Cluster, store: &Store) {
        *self = Self {
            limits: self.limits.clone(),
            mode: self.mode,
            decision: self.decision.clone(),
            guarded: self.guarded,
            shut: self.shut.clone(),
            ..Self::new(leader, cluster, store)
        };
    }

    /// One step and its effects, the `at`-th of which goes wrong.
    pub(super) fn run(
        &mut self,
        cluster: &mut Cluster,
        store: &mut Store,
        wire: &mut Wire,
        log: &mut Log,
        fault: Option<(usize, Fault)>,
    ) -> Vec<Effect> {
        let step = self.decide(cluster);
        let again = self.decide(cluster);
        assert_eq!(step, again, "a step is a function of its arguments");
        let generation = self.generation();
        let mut done = Vec::new();
        for (i, effect) in step.effects.iter().enumerate() {
            let fault = fault.filter(|(at, _)| *at == i).map(|(_, fault)| fault);
            if fault == Some(Fault::CrashBefore) {
                self.restart(self.leader.unwrap(), cluster, store);
                return done;
            }
            let goes_on = match effect {
                Effect::Persist => self.persist(&step.record, store, fault),
                Effect::DryRun { plan, patch } => {
                    let answer = match (fault, cluster.patched(patch)) {
                        (Some(Fault::Busy), _) => Answer::Later(cluster.now),
                        (Some(_), _) => Answer::Unknown,
                        (None, Ok(_)) => Answer::Done,
                        (None, Err(why)) => Answer::Changed(why),
                    };
                    self.answered(Sent::DryRun(plan.clone()), generation, cluster, answer);
                    true
                }
                Effect::Patch { attempt, patch } => {
                    self.check_start(&step.record);
                    self.send(Sent::Patch(*attempt), patch, generation, cluster, wire, log, fault)
                }
                Effect::Undo { patch } => self.send(Sent::Undo, patch, generation, cluster, wire, log, fault),
                Effect::TryPolicies { .. } | Effect::WritePolicies { .. } => panic!("a workload has no policies"),
                Effect::DeletePods(_) | Effect::Event(_) | Effect::Count(_) | Effect::Stop | Effect::WakeAt(_) => true,
            };
            done.push(effect.clone());
            if fault == Some(Fault::CrashAfter) {
                self.restart(self.leader.unwrap(), cluster, store);
                return done;
            }
            if !goes_on {
                return done;
            }
        }
        done
    }

    /// Runs until it asks for nothing more, following the cluster all the time.
    pub(super) fn settle(&mut self, cluster: &mut Cluster, store: &mut Store, log: &mut Log) -> Vec<Effect> {
        let mut wire = Wire::default();
        let mut all = Vec::new();
        for _ in 0..40 {
            self.see_target(cluster);
            self.see_record(store);
            let done = self.run(cluster, store, &mut wire, log, None);
            if done.iter().all(|effect| matches!(effect, Effect::WakeAt(_))) {
                return all;
            }
            all.extend(done);
        }
        panic!("it never comes to rest: {:?} {all:?}", store.record);
    }

    fn decide(&self, cluster: &Cluster) -> super::super::Step {
        let target = ObjectRef::new(Kind::Deployment, "shop", "web");
        let workload = self.view.workload(&target).map(AsRef::as_ref);
        let plan = plan_for(&self.view);
        let phase = self.record.phase;
        let seen = Observed {
            leader: self.leader,
            decision: self.decision.as_ref(),
            approvals_guarded: self.guarded,
            mode: self.mode,
            limits: &self.limits,
            plan: plan.as_ref(),
            target: Target::of(&self.view, workload, self.record.attempt.as_ref(), phase, self.written),
            shut: self.gates(cluster),
            outcome: self.outcome.as_ref(),
        };
        step(&self.record, &seen, cluster.now)
    }

    fn gates(&self, cluster: &Cluster) -> Option<Shut> {
        if self.shut.is_some() {
            return self.shut.clone();
        }
        let workload = self.view.workload(&ObjectRef::new(Kind::Deployment, "shop", "web"))?;
        let plan = plan_for(&self.view)?;
        let rollout = Rollout::of(&self.view, workload, None, Phase::Pending);
        let around = Surroundings {
            permitted: true,
            pauses: &[],
            stopped: false,
            limits: &self.limits,
            in_flight: InFlight::default(),
            owner_busy: None,
        };
        first_shut(&around, &self.view, workload, &rollout, &plan, cluster.now)
    }

    fn generation(&self) -> i64 {
        let target = ObjectRef::new(Kind::Deployment, "shop", "web");
        self.view
            .workload(&target)
            .map_or(0, |workload| workload.meta.generation)
    }

    fn persist(&mut self, record: &Record, store: &mut Store, fault: Option<Fault>) -> bool {
        let taken = store.version == self.version && !matches!(fault, Some(Fault::RequestLost | Fault::Busy));
        if taken {
            store.version += 1;
            store.writes += 1;
            store.record = record.clone();
        }
        if taken && matches!(fault, None | Some(Fault::CrashAfter)) {
            self.record = record.clone();
            self.version = store.version;
            return true;
        }
        false
    }

    fn answered(&mut self, sent: Sent, generation: i64, cluster: &Cluster, answer: Answer) {
        self.outcome = Some(Outcome {
            sent,
            generation,
            at: cluster.now,
            answer,
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn send(
        &mut self,
        sent: Sent,
        patch: &Patch,
        generation: i64,
        cluster: &mut Cluster,
        wire: &mut Wire,
        log: &mut Log,
        fault: Option<Fault>,
    ) -> bool {
        let answer = match fault {
            Some(Fault::RequestLost) => Answer::Unknown,
            Some(Fault::Busy) => Answer::Later(cluster.now),
            Some(Fault::Delayed) => {
                wire.0.push(patch.clone());
                Answer::Unknown
            }
            _ => match log.send(cluster, patch) {
                _ if fault == Some(Fault::AnswerLost) => Answer::Unknown,
                Ok(generation) => {
                    self.written = Some(generation);
                    Answer::Done
                }
                Err(why) => Answer::Changed(why),
            },
        };
        let goes_on = answer == Answer::Done;
        self.answered(sent, generation, cluster, answer);
        goes_on
    }

    /// Never a start with a gate shut, without approval, or in a mode that only shows.
    fn check_start(&self, record: &Record) {
        assert!(self.shut.is_none(), "started behind a shut gate");
        assert_eq!(self.mode, Mode::Enforce);
        assert_eq!(record.phase, Phase::Applying, "the claim is written first");
        assert!(self.leader.is_some());
    }
}
