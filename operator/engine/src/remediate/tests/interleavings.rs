//! Random interleavings of two processes, crashes at and between all effects, lost, late and refused requests, stale views, gates, and foreign writers.
//! Whatever happens, it comes to rest in the one right state.

use proptest::prelude::*;
use serde_json::json;

use super::super::{Phase, Reason, Shut};
use super::cluster::{Cluster, Image};
use super::process::{Fault, Log, Process, Store, Wire};

/// Something happens.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Pass(i64),
    SeeTarget(usize),
    SeeRecord(usize),
    Run(usize),
    Fails(usize, usize, Fault),
    Restart(usize),
    /// This process leads now; the other does not know yet.
    Leads(usize),
    /// This process learns that it does not lead.
    Deposed(usize),
    Lands,
    Gates(bool),
    Foreign(Foreign),
}

/// What other writers do.
#[derive(Clone, Copy, Debug)]
enum Foreign {
    NewImage,
    Reverts,
    RolloutUndo,
    Scales(u32),
    Annotates,
}

fn happening() -> impl Strategy<Value = Happening> {
    let process = 0..2_usize;
    let fault = prop_oneof![
        Just(Fault::CrashBefore),
        Just(Fault::CrashAfter),
        Just(Fault::AnswerLost),
        Just(Fault::RequestLost),
        Just(Fault::Delayed),
        Just(Fault::Busy),
    ];
    prop_oneof![
        4 => (1..60_i64).prop_map(Happening::Pass),
        5 => process.clone().prop_map(Happening::SeeTarget),
        5 => process.clone().prop_map(Happening::SeeRecord),
        10 => process.clone().prop_map(Happening::Run),
        8 => (process.clone(), 0..3_usize, fault).prop_map(|(p, at, fault)| Happening::Fails(p, at, fault)),
        2 => process.clone().prop_map(Happening::Restart),
        2 => process.clone().prop_map(Happening::Leads),
        1 => process.prop_map(Happening::Deposed),
        2 => Just(Happening::Lands),
        1 => any::<bool>().prop_map(Happening::Gates),
    ]
}

fn foreign() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => Just(Foreign::NewImage),
        2 => Just(Foreign::Reverts),
        1 => Just(Foreign::RolloutUndo),
        1 => (1..4_u32).prop_map(Foreign::Scales),
        1 => Just(Foreign::Annotates),
    ]
    .prop_map(Happening::Foreign)
}

fn image() -> impl Strategy<Value = Image> {
    prop_oneof![
        Just(Image::Works),
        Just(Image::Crashes),
        (5..1500_i64).prop_map(Image::CrashesLater),
        Just(Image::CannotPull),
    ]
}

/// Everything, as it unfolds.
struct Play {
    cluster: Cluster,
    store: Store,
    wire: Wire,
    log: Log,
    processes: [Process; 2],
    epoch: i64,
    original: serde_json::Value,
    images: usize,
    /// Accepted hardening patches when somebody took one of them away.
    fought: Option<usize>,
}

impl Play {
    fn new(replicas: u32, image: Image) -> Self {
        let mut cluster = Cluster::new(replicas, image);
        cluster.skip_hours(1);
        let store = Store::default();
        let processes = [Process::new(1, &cluster, &store), Process::new(2, &cluster, &store)];
        Self {
            original: cluster.template(),
            cluster,
            store,
            wire: Wire::default(),
            log: Log::default(),
            processes,
            epoch: 2,
            images: 1,
            fought: None,
        }
    }

    fn happens(&mut self, what: Happening) {
        match what {
            Happening::Pass(seconds) => self.cluster.pass(seconds),
            Happening::SeeTarget(p) => self.processes[p].see_target(&self.cluster),
            Happening::SeeRecord(p) => self.processes[p].see_record(&self.store),
            Happening::Run(p) => self.run(p, None),
            Happening::Fails(p, at, fault) => self.run(p, Some((at, fault))),
            Happening::Restart(p) => {
                let epoch = self.processes[p].leader.unwrap_or(self.epoch);
                self.processes[p].restart(epoch, &self.cluster, &self.store);
            }
            Happening::Leads(p) => {
                self.epoch += 1;
                self.processes[p].leader = Some(self.epoch);
            }
            Happening::Deposed(p) => self.processes[p].leader = None,
            Happening::Lands => self.wire.land(&mut self.cluster, &mut self.log),
            Happening::Gates(open) => {
                for process in &mut self.processes {
                    process.shut = (!open).then(|| Shut {
                        reason: Reason::OutsideWindow,
                        message: "shut".to_owned(),
                        opens: None,
                        since: None,
                    });
                }
            }
            Happening::Foreign(foreign) => self.foreign(foreign),
        }
        if let Some(hardened) = self.fought {
            assert_eq!(self.log.hardened, hardened, "repaired again after a foreign revert");
        }
    }

    fn run(&mut self, p: usize, fault: Option<(usize, Fault)>) {
        if self.processes[p].leader.is_some() {
            self.processes[p].run(&mut self.cluster, &mut self.store, &mut self.wire, &mut self.log, fault);
        }
    }

    fn foreign(&mut self, what: Foreign) {
        match what {
            Foreign::NewImage => {
                self.images += 1;
                let image = json!(format!("web:{}", self.images));
                self.cluster.foreign("argo-like", |object| {
                    *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = image;
                });
            }
            Foreign::Reverts | Foreign::RolloutUndo => {
                if !self.cluster.is_hardened() {
                    return;
                }
                // Undoing what is failing just then cannot be told from our own undo, and is no quarrel.
                let agrees = matches!(what, Foreign::RolloutUndo) && self.cluster.image == Image::CannotPull;
                if !agrees {
                    self.fought.get_or_insert(self.log.hardened);
                }
                if matches!(what, Foreign::Reverts) {
                    self.cluster.foreign_revert("argo-like");
                } else {
                    let original = self.original.clone();
                    self.cluster.rollout_undo(&original);
                }
            }
            Foreign::Scales(replicas) => {
                self.cluster
                    .foreign("autoscaler", |object| object["spec"]["replicas"] = json!(replicas));
            }
            Foreign::Annotates => {
                self.cluster
                    .foreign("alice", |object| object["metadata"]["annotations"]["note"] = json!("x"));
            }
        }
    }

    /// Quiet at last: one leader, open gates, nothing on the wire, enough time.
    fn ends(&mut self) {
        self.happens(Happening::Lands);
        self.happens(Happening::Gates(true));
        self.epoch += 1;
        let writes = self.store.writes;
        let [leader, _] = &mut self.processes;
        leader.restart(self.epoch, &self.cluster, &self.store);
        for seconds in std::iter::repeat_n(20, 6).chain(std::iter::repeat_n(180, 12)) {
            self.cluster.pass(seconds);
            leader.settle(&mut self.cluster, &mut self.store, &mut self.log);
        }
        for hours in [1, 30, 200] {
            self.cluster.skip_hours(hours);
            leader.settle(&mut self.cluster, &mut self.store, &mut self.log);
            for seconds in [20, 60, 300, 900, 900] {
                self.cluster.pass(seconds);
                leader.settle(&mut self.cluster, &mut self.store, &mut self.log);
            }
        }
        assert!(
            self.store.writes - writes < 25,
            "it writes and writes: {:?}",
            self.store
        );
    }

    fn check(&self, image: Image, foreign: bool) {
        let record = &self.store.record;
        let stands = (record.phase, record.reason);
        let hardened = self.cluster.is_hardened();
        if !hardened {
            let container = self.cluster.template()["spec"]["containers"][0].clone();
            assert!(
                container.get("securityContext").is_none(),
                "traces are left: {container}"
            );
            let desired = self.cluster.deployment["spec"]["replicas"].as_u64().unwrap();
            assert_eq!(u64::from(self.cluster.available()), desired, "{record:?}");
        }
        if let Some(at) = self.fought {
            assert_eq!(self.log.hardened, at, "repaired again after a foreign revert");
            assert!(!hardened);
            let ended = [Reason::Fight, Reason::Quarantined, Reason::Environment];
            assert!(
                record.phase == Phase::Held && ended.contains(&record.reason),
                "{record:?}"
            );
            return;
        }
        if !foreign {
            let ends = match image {
                Image::Works => (Phase::Succeeded, Reason::Verified),
                Image::CannotPull => (Phase::Held, Reason::Environment),
                Image::Crashes | Image::CrashesLater(_) => (Phase::Held, Reason::Quarantined),
            };
            assert_eq!(stands, ends, "{record:?}");
            assert_eq!(self.log.hardened, 1, "one rollout, whatever happened");
            assert_eq!(self.log.undone, usize::from(image != Image::Works));
            if image != Image::Works {
                assert_eq!(self.cluster.template(), self.original);
            }
            return;
        }
        // Every new image of an environmental failure is another try.
        let tries = if image == Image::CannotPull { self.images } else { 1 };
        assert!(self.log.hardened <= tries, "{} rollouts: {record:?}", self.log.hardened);
        let rests = match image {
            Image::Works => hardened && stands == (Phase::Succeeded, Reason::Verified),
            _ if hardened => record.phase == Phase::Held,
            Image::CannotPull => {
                record.phase == Phase::Held && [Reason::Environment, Reason::Fight].contains(&record.reason)
            }
            _ => stands == (Phase::Held, Reason::Quarantined),
        };
        assert!(rests, "hardened {hardened}: {record:?}");
    }
}

fn cases(default: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default);
    ProptestConfig {
        cases,
        max_shrink_iters: 4000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn whatever_fails_one_repair_is_one_rollout(
        image in image(),
        replicas in 1..4_u32,
        happenings in prop::collection::vec(happening(), 1..80),
    ) {
        let mut play = Play::new(replicas, image);
        for what in happenings {
            play.happens(what);
        }
        play.ends();
        play.check(image, false);
    }

    #[test]
    fn whatever_others_write_it_rests_and_never_fights(
        image in image(),
        replicas in 1..4_u32,
        happenings in prop::collection::vec(prop_oneof![8 => happening(), 1 => foreign()], 1..80),
    ) {
        let mut play = Play::new(replicas, image);
        for what in happenings {
            play.happens(what);
        }
        play.ends();
        play.check(image, true);
    }
}
