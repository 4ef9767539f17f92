//! Fewer pods than a rollout leaves: when the repair is to blame, and when a node, a quota or somebody who deletes pods is.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{Phase, Rollout, Symptom};
use crate::model::{Kind, ObjectRef};
use crate::world::{Object, Snapshot};

/// When availability went below.
fn began() -> Timestamp {
    "2026-01-01T01:00:00Z".parse().unwrap()
}

fn later(seconds: i64) -> Timestamp {
    began() + SignedDuration::from_secs(seconds)
}

/// So many seconds after it began, what a rollout that counts then is judged by: a failure, or too few pods.
fn blamed(rollout: &Rollout, seconds: i64) -> Option<Symptom> {
    let now = later(seconds);
    let failure = rollout.failed(now).map(|failure| failure.symptom);
    failure.or_else(|| rollout.is_below(now).then_some(Symptom::Unavailable))
}

/// A pod of an hour ago, ready since.
fn ready() -> Value {
    let started = later(-3600).to_string();
    json!({
        "metadata": {"creationTimestamp": started},
        "status": {
            "phase": "Running", "startTime": started,
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": started}],
            "containerStatuses": [{"name": "web", "ready": true, "state": {"running": {}}}],
        },
    })
}

/// The same, which does not answer its probes any more.
fn unready() -> Value {
    let mut pod = ready();
    pod["status"]["conditions"] = json!([
        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": began().to_string()},
    ]);
    pod["status"]["containerStatuses"][0]["ready"] = json!(false);
    pod
}

/// The same, whose node does not answer any more: what its kubelet said last stands.
fn away() -> Value {
    let mut pod = ready();
    pod["status"]["conditions"] = json!([
        {"type": "Ready", "status": "False", "lastTransitionTime": began().to_string()},
    ]);
    pod
}

/// One that was created when availability went below, and never was ready.
fn replacement() -> Value {
    let created = began().to_string();
    json!({
        "metadata": {"creationTimestamp": created},
        "status": {
            "phase": "Pending", "startTime": created,
            "conditions": [{"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": created}],
            "containerStatuses": [{"name": "web", "ready": false, "state": {"waiting": {"reason": "ContainerCreating"}}}],
        },
    })
}

/// One whose kubelet put it out of a node that ran short of something: it stays for people to look at.
fn evicted() -> Value {
    let mut pod = ready();
    pod["status"]["phase"] = json!("Failed");
    pod["status"]["reason"] = json!("Evicted");
    pod["status"]["conditions"] = json!([
        {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": began().to_string()},
    ]);
    pod
}

/// A Deployment or StatefulSet of three with these pods, as many of them available as are ready.
fn rollout(kind: Kind, pods: &[Value], conditions: &Value) -> Rollout {
    let template = json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {"terminationGracePeriodSeconds": 0, "containers": [{"name": "web", "image": "web:1"}]},
    });
    let is_ready =
        |pod: &&Value| pod["status"]["conditions"][0]["status"] == "True" && pod["status"]["phase"] == "Running";
    let available = pods.iter().filter(is_ready).count();
    let workload = json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "u-1", "generation": 1},
        "spec": {
            "replicas": 3, "template": template,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        },
        "status": {
            "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": available,
            "updateRevision": "r-1", "conditions": conditions,
        },
    });
    let owner = |kind: &str, name: &str, uid: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}]);
    let mut objects = vec![Object::decode(kind, &workload).unwrap()];
    let mut of_pods = owner("StatefulSet", "web", "u-1");
    if kind == Kind::Deployment {
        let set = json!({
            "metadata": {"name": "web-1", "namespace": "shop", "uid": "rs-1", "ownerReferences": owner("Deployment", "web", "u-1")},
            "spec": {"template": template},
        });
        objects.push(Object::decode(Kind::ReplicaSet, &set).unwrap());
        of_pods = owner("ReplicaSet", "web-1", "rs-1");
    }
    for (number, pod) in pods.iter().enumerate() {
        let mut pod = pod.clone();
        for (field, value) in [
            ("name", json!(format!("web-{number}"))),
            ("namespace", json!("shop")),
            ("uid", json!(format!("p-{number}"))),
            ("labels", json!({"app": "web", "controller-revision-hash": "r-1"})),
            ("ownerReferences", of_pods.clone()),
        ] {
            pod["metadata"][field] = value;
        }
        objects.push(Object::decode(Kind::Pod, &pod).unwrap());
    }
    let world = Snapshot::of(objects);
    let workload = world.workload(&ObjectRef::new(kind, "shop", "web")).unwrap();
    Rollout::of(&world, workload, None, Phase::Verifying)
}

fn deployment(pods: &[Value]) -> Rollout {
    let unavailable = json!([{"type": "Available", "status": "False", "lastTransitionTime": began().to_string()}]);
    rollout(Kind::Deployment, pods, &unavailable)
}

#[test]
fn a_pod_that_stops_answering_speaks_against_the_repair_soon() {
    let rollout = deployment(&[ready(), ready(), unready()]);
    assert_eq!(blamed(&rollout, 29), None);
    assert_eq!(blamed(&rollout, 30), Some(Symptom::Unavailable));
    assert_eq!(rollout.fails_at(began()), Some(later(30)));
}

/// A node that is drained, somebody who deletes a pod: the next one has to be pulled and started.
#[test]
fn what_replaces_a_pod_may_take_the_time_that_a_start_takes() {
    let rollout = deployment(&[ready(), ready(), replacement()]);
    // A minute to pull and start, and half of it again.
    assert_eq!(blamed(&rollout, 89), None);
    assert_eq!(blamed(&rollout, 90), Some(Symptom::Unavailable));
    assert_eq!(rollout.fails_at(began()), Some(later(90)));
}

#[test]
fn one_pod_on_its_way_excuses_one_pod() {
    let rollout = deployment(&[ready(), unready(), replacement()]);
    assert_eq!(blamed(&rollout, 30), Some(Symptom::Unavailable));
}

#[test]
fn pods_that_nobody_replaces_are_missed_soon() {
    assert_eq!(blamed(&deployment(&[ready(), ready()]), 30), Some(Symptom::Unavailable));
}

#[test]
fn a_lost_node_is_waited_for_and_is_never_the_repairs_fault() {
    let rollout = deployment(&[ready(), ready(), away()]);
    assert_eq!(
        blamed(&rollout, 599),
        None,
        "pods are deleted after five minutes, and replaced"
    );
    assert_eq!(blamed(&rollout, 600), Some(Symptom::NodeLost));
    assert_eq!(rollout.cause_of_delay().symptom, Symptom::NodeLost);
    // What is deleted at last is replaced: it says nothing, however long its node keeps it from going.
    let mut leaving = away();
    leaving["metadata"]["deletionTimestamp"] = json!(later(300).to_string());
    let rollout = deployment(&[ready(), ready(), ready(), leaving]);
    assert_eq!(blamed(&rollout, 3600), None);
    assert_eq!(rollout.failures, []);
}

/// It starts no second pod of a name before the first is gone.
#[test]
fn a_stateful_set_waits_for_the_pod_on_the_lost_node() {
    let mut leaving = away();
    leaving["metadata"]["deletionTimestamp"] = json!(later(300).to_string());
    let none = json!([]);
    let rollout = rollout(Kind::StatefulSet, &[ready(), leaving.clone(), leaving], &none);
    assert_eq!(blamed(&rollout, 599), None);
    assert_eq!(blamed(&rollout, 600), Some(Symptom::NodeLost));
}

#[test]
fn no_node_and_no_quota_have_names_of_their_own() {
    let mut pending = replacement();
    pending["status"] = json!({"phase": "Pending", "conditions": [
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": began().to_string()},
    ]});
    let rollout = deployment(&[ready(), ready(), pending]);
    assert_eq!(blamed(&rollout, 299), None);
    assert_eq!(blamed(&rollout, 300), Some(Symptom::Unschedulable));

    let refused = json!([
        {"type": "Available", "status": "False", "lastTransitionTime": began().to_string()},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "lastTransitionTime": began().to_string(),
            "message": "pods \"web-5\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3"},
    ]);
    let rollout = self::rollout(Kind::Deployment, &[ready(), ready()], &refused);
    assert_eq!(blamed(&rollout, 299), None);
    assert_eq!(blamed(&rollout, 300), Some(Symptom::QuotaExceeded));
}

/// Nobody takes the remains of evicted pods away: they must neither undo a repair nor keep one from starting.
#[test]
fn the_remains_of_an_evicted_pod_say_nothing_once_it_is_replaced() {
    let rollout = deployment(&[ready(), ready(), ready(), evicted()]);
    assert!(rollout.complete);
    assert_eq!(rollout.failures, []);
    // Before that they explain a delay, and are no reason to undo anything.
    let rollout = deployment(&[ready(), ready(), replacement(), evicted()]);
    assert_eq!(blamed(&rollout, 89), None);
    assert_eq!(rollout.cause_of_delay().symptom, Symptom::NodeLost);
}
