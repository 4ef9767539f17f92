//! Each gate, shut and open, and the order in which they are asked.

use std::time::Duration;

use ironside_crds::policy::RepairSettings;
use ironside_crds::{HardeningPolicy, HardeningPolicySpec, Mode as WireMode, PolicySpec};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{InFlight, Phase, Reason, Rollout, Shut, Surroundings, first_shut};
use super::cluster::{Cluster, Image, START, plan_for};
use crate::model::{Kind, ObjectRef};
use crate::plan::Plan;
use crate::policy::{Limits, Pause, PolicySet};
use crate::world::Snapshot;

/// Everything that gates look at, all open.
struct Gates {
    cluster: Cluster,
    others: Vec<(Kind, Value)>,
    limits: Limits,
    permitted: bool,
    stopped: bool,
    pauses: Vec<Pause>,
    in_flight: InFlight,
    owner_busy: Option<&'static str>,
    edit: fn(&mut Plan),
}

impl Gates {
    fn open() -> Self {
        let mut cluster = Cluster::new(3, Image::Works);
        cluster.skip_hours(1);
        Self {
            cluster,
            others: Vec::new(),
            limits: Limits::default(),
            permitted: true,
            stopped: false,
            pauses: Vec::new(),
            in_flight: InFlight::default(),
            owner_busy: None,
            edit: |_| {},
        }
    }

    fn first(&self) -> Option<Shut> {
        let world: Snapshot = self.cluster.snapshot_with(self.others.clone());
        let workload = world
            .workload(&ObjectRef::new(Kind::Deployment, "shop", "web"))
            .unwrap();
        let mut plan = plan_for(&world).unwrap();
        (self.edit)(&mut plan);
        let rollout = Rollout::of(&world, workload, None, Phase::Pending);
        let around = Surroundings {
            permitted: self.permitted,
            pauses: &self.pauses,
            stopped: self.stopped,
            limits: &self.limits,
            in_flight: self.in_flight,
            owner_busy: self.owner_busy,
        };
        first_shut(&around, &world, workload, &rollout, &plan, self.cluster.now)
    }

    fn reason(&self) -> Option<Reason> {
        self.first().map(|shut| shut.reason)
    }
}

fn budget(allowed: i32, app: &str) -> (Kind, Value) {
    let object = json!({"metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"matchLabels": {"app": app}}}, "status": {"disruptionsAllowed": allowed}});
    (Kind::PodDisruptionBudget, object)
}

fn quota(hard: &str, used: &str) -> (Kind, Value) {
    let object = json!({"metadata": {"name": "small", "namespace": "shop"},
        "status": {"hard": {"pods": hard}, "used": {"pods": used}}});
    (Kind::ResourceQuota, object)
}

#[test]
fn all_open() {
    assert_eq!(Gates::open().first(), None);
}

#[test]
fn permission_and_stops() {
    let mut gates = Gates::open();
    gates.stopped = true;
    assert_eq!(gates.reason(), Some(Reason::Stopped));
    gates.permitted = false;
    assert_eq!(gates.reason(), Some(Reason::PermissionDenied), "asked first");
}

#[test]
fn a_pause_tells_when_it_ends_and_a_malformed_one_does_not() {
    let mut gates = Gates::open();
    let end = gates.cluster.now + SignedDuration::from_hours(2);
    gates.pauses = vec![Pause::Until(end), Pause::Until(end - SignedDuration::from_hours(1))];
    let shut = gates.first().unwrap();
    assert_eq!(
        (shut.reason, shut.opens),
        (Reason::Paused, Some(end)),
        "the last one counts"
    );
    gates.pauses.push(Pause::Malformed);
    assert_eq!(gates.first().unwrap().opens, None);
    gates.pauses = vec![Pause::Until(gates.cluster.now)];
    assert_eq!(gates.reason(), None);
}

#[test]
fn windows() {
    let mut gates = Gates::open(); // a Thursday, past one in the morning
    gates.limits =
        limits_with(json!([{"name": "weekend", "schedule": "0 3 * * SAT", "timeZone": "UTC", "duration": "2h"}]));
    let shut = gates.first().unwrap();
    assert_eq!(shut.reason, Reason::OutsideWindow);
    assert_eq!(shut.opens, Some("2026-01-03T03:00:00Z".parse::<Timestamp>().unwrap()));
    gates.limits =
        limits_with(json!([{"name": "always", "schedule": "0 * * * *", "timeZone": "UTC", "duration": "1h"}]));
    assert_eq!(gates.reason(), None);
}

#[test]
fn story_22_what_must_not_be_restarted_needs_a_window() {
    let mut gates = Gates::open();
    gates.edit = |plan| plan.restart.only_in_window = Some("it drains for 20 minutes".to_owned());
    let shut = gates.first().unwrap();
    assert_eq!(shut.reason, Reason::OutsideWindow);
    assert!(shut.message.contains("drains"), "{shut}");
    gates.limits =
        limits_with(json!([{"name": "always", "schedule": "0 * * * *", "timeZone": "UTC", "duration": "1h"}]));
    assert_eq!(gates.reason(), None);
}

#[test]
fn story_09_another_rollout_or_a_busy_owner() {
    let mut gates = Gates::open();
    gates.owner_busy = Some("a sync is running");
    assert_eq!(gates.reason(), Some(Reason::OwnerBusy));
    gates.owner_busy = None;
    gates.cluster.foreign("argo-like", |object| {
        *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = json!("web:2");
    });
    assert_eq!(gates.reason(), Some(Reason::RollingOut));
    gates.cluster.pass(5 * START);
    assert_eq!(gates.reason(), Some(Reason::Settling));
}

#[test]
fn story_19_an_unhealthy_workload_is_left_alone() {
    let mut gates = Gates::open();
    gates
        .cluster
        .foreign("autoscaler", |object| object["spec"]["replicas"] = json!(6));
    gates.cluster.image = Image::Works;
    assert!(matches!(gates.reason(), Some(Reason::RollingOut | Reason::Unhealthy)));

    let mut failing = Gates::open();
    failing.cluster.break_pods();
    let shut = failing.first().unwrap();
    assert_eq!(shut.reason, Reason::Unhealthy);
    assert!(shut.message.contains("exit code 1"), "{shut}");
}

#[test]
fn waits_that_end_soon_or_only_just_began_are_brief() {
    let mut gates = Gates::open();
    gates.limits.settle = Duration::from_hours(3);
    let shut = gates.first().unwrap();
    assert_eq!(shut.brief_until(gates.cluster.now), None, "hours");
    let opens = shut.opens.unwrap();
    assert_eq!(shut.brief_until(opens - SignedDuration::from_secs(9)), Some(opens));
    let mut rolling = Gates::open();
    rolling.cluster.foreign("argo-like", |object| {
        *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = json!("web:2");
    });
    let shut = rolling.first().unwrap();
    assert_eq!(shut.reason, Reason::RollingOut);
    let until = shut.brief_until(rolling.cluster.now).unwrap();
    assert_eq!(shut.brief_until(until), None, "it lasts: it is written down");
}

#[test]
fn story_09_another_part_of_the_release_changed_or_rolls_out() {
    let mut gates = Gates::open();
    let release = json!({"meta.helm.sh/release-name": "shop", "deployment.kubernetes.io/revision": "1"});
    gates.cluster.foreign("helm", |object| {
        object["metadata"]["annotations"] =
            json!({"meta.helm.sh/release-name": "shop", "deployment.kubernetes.io/revision": "1"});
    });
    gates.cluster.skip_hours(2);
    let now = gates.cluster.now;
    let part = |wrote: Timestamp, manager: &str, updated: i32, release: &Value| {
        let object = json!({
            "metadata": {"name": "api", "namespace": "shop", "uid": "api", "generation": 2, "annotations": release,
                "managedFields": [{"manager": manager, "operation": "Update", "time": wrote.to_string(),
                    "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {"f:template": {}}}}]},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"name": "a", "image": "a:1"}]}}},
            "status": {"observedGeneration": 2, "replicas": 3, "updatedReplicas": updated},
        });
        (Kind::Deployment, object)
    };
    let ago = |minutes: i64| now - SignedDuration::from_mins(minutes);
    let settle = gates.limits.settle;
    assert_eq!(settle, Duration::from_mins(10), "the default");
    let cases = [
        (
            "changed just now",
            part(ago(1), "helm", 3, &release),
            Some(Reason::OwnerBusy),
        ),
        ("changed long ago", part(ago(30), "helm", 3, &release), None),
        ("rolls out", part(ago(30), "helm", 1, &release), Some(Reason::OwnerBusy)),
        ("is stuck for hours", part(ago(90), "helm", 1, &release), None),
        (
            "is repaired by us",
            part(ago(1), "ironside/workload", 1, &release),
            None,
        ),
        (
            "is of another release",
            part(ago(1), "helm", 1, &json!({"meta.helm.sh/release-name": "blog"})),
            None,
        ),
        ("is of no release", part(ago(1), "helm", 1, &json!({})), None),
    ];
    for (what, part, expected) in cases {
        gates.others = vec![part];
        let shut = gates.first();
        assert_eq!(shut.as_ref().map(|shut| shut.reason), expected, "{what}");
        if let Some(shut) = shut {
            assert!(shut.message.contains("release shop"), "{shut}");
            assert!(shut.opens.is_some_and(|opens| opens > now), "{what}: it looks again");
        }
    }
}

#[test]
fn settling_ends_by_itself() {
    let mut gates = Gates::open();
    gates.limits.settle = Duration::from_hours(3);
    let shut = gates.first().unwrap();
    assert_eq!(shut.reason, Reason::Settling);
    gates.cluster.now = shut.opens.unwrap() - SignedDuration::from_secs(1);
    assert_eq!(gates.reason(), Some(Reason::Settling));
    gates.cluster.now = shut.opens.unwrap();
    assert_eq!(gates.reason(), None);
}

#[test]
fn budgets_of_cluster_and_namespace() {
    let mut gates = Gates::open();
    gates.in_flight.namespace = 1;
    assert_eq!(gates.reason(), Some(Reason::Budget));
    gates.limits.max_concurrent_per_namespace = 2;
    assert_eq!(gates.reason(), None);
    gates.in_flight.cluster = 5;
    assert_eq!(gates.reason(), Some(Reason::Budget));
}

#[test]
fn story_21_a_disruption_budget_is_a_gate_before_the_start() {
    let mut gates = Gates::open();
    gates.others = vec![budget(0, "web")];
    assert_eq!(gates.reason(), Some(Reason::DisruptionBudget));
    gates.others = vec![budget(1, "web"), budget(0, "other")];
    assert_eq!(gates.reason(), None);
}

#[test]
fn story_18_a_rollout_needs_room_for_its_surge() {
    let mut gates = Gates::open();
    gates.others = vec![quota("3", "3")];
    assert_eq!(gates.reason(), Some(Reason::NoRoom));
    gates.others = vec![quota("4", "3")];
    assert_eq!(gates.reason(), None);
}

/// Limits with these windows, the way a policy brings them.
fn limits_with(windows: Value) -> Limits {
    let remediation = RepairSettings {
        windows: serde_json::from_value(windows).unwrap(),
        ..RepairSettings::default()
    };
    let spec = PolicySpec {
        mode: WireMode::Enforce,
        remediation,
        ..PolicySpec::default()
    };
    let mut policy = HardeningPolicy::new("team", HardeningPolicySpec(spec));
    policy.metadata.namespace = Some("shop".to_owned());
    let set = PolicySet::compile(&[], &[policy], "ironside-system");
    let namespace = json!({"metadata": {"name": "shop"}});
    let world = Cluster::new(1, Image::Works).snapshot_with([(Kind::Namespace, namespace)]);
    set.limits(&world, "shop")
}
