//! What counts against an isolation, and what does not.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::{Attempt, Health, Symptom};
use super::namespace::{Process, Server, set_ready, workload};
use crate::network::tests::snapshot;

/// A namespace whose isolation has just been applied.
fn isolated() -> (Vec<Value>, Attempt, Timestamp) {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    process.settle(&mut server);
    let attempt = server.record.attempt.clone().unwrap();
    (server.objects, attempt, server.now + SignedDuration::from_secs(10))
}

fn failed(objects: &[Value], attempt: &Attempt, now: Timestamp) -> Option<Symptom> {
    let health = Health::of(&snapshot(objects), "shop", Some(attempt));
    health.failed(now).map(|signature| signature.symptom)
}

/// The same workload in another namespace, on the same nodes.
fn elsewhere(name: &str) -> Vec<Value> {
    let mut objects = workload(name);
    for object in &mut objects {
        object["metadata"]["namespace"] = json!("other");
    }
    objects
}

#[test]
fn a_pod_that_loses_its_readiness_counts_at_once() {
    let (mut objects, attempt, now) = isolated();
    assert_eq!(failed(&objects, &attempt, now), None);
    set_ready(&mut objects, "web-1", false, now);
    assert_eq!(failed(&objects, &attempt, now), Some(Symptom::Unavailable));
}

#[test]
fn a_pod_that_was_not_ready_before_does_not_count() {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    let before = server.now - SignedDuration::from_hours(1);
    set_ready(&mut server.objects, "web-1", false, before);
    process.settle(&mut server);
    let attempt = server.record.attempt.clone().unwrap();
    assert_eq!(attempt.short["Deployment/web"], 1);
    assert_eq!(failed(&server.objects, &attempt, server.now), None);
    // The other one does.
    set_ready(&mut server.objects, "web-2", false, server.now);
    assert_eq!(
        failed(&server.objects, &attempt, server.now),
        Some(Symptom::Unavailable)
    );
}

#[test]
fn a_node_that_goes_away_takes_pods_of_other_namespaces_along() {
    let (mut objects, attempt, now) = isolated();
    objects.extend(elsewhere("api"));
    set_ready(&mut objects, "web-1", false, now);
    assert_eq!(
        failed(&objects, &attempt, now),
        Some(Symptom::Unavailable),
        "its neighbours are well"
    );
    set_ready(&mut objects, "api-1", false, now);
    assert_eq!(failed(&objects, &attempt, now), None, "node-1 is to blame");
    set_ready(&mut objects, "web-2", false, now);
    set_ready(&mut objects, "api-1", true, now);
    assert_eq!(failed(&objects, &attempt, now), Some(Symptom::Unavailable));
}

#[test]
fn an_evicted_pod_does_not_count() {
    let (mut objects, attempt, now) = isolated();
    set_ready(&mut objects, "web-1", false, now);
    let pod = objects
        .iter_mut()
        .find(|object| object["metadata"]["name"] == "web-1")
        .unwrap();
    pod["status"]["reason"] = json!("Evicted");
    pod["status"]["startTime"] = json!("2026-03-01T00:00:00Z");
    assert_eq!(failed(&objects, &attempt, now), None);
}

/// Replaces a pod by one that was created after the isolation.
fn replace(objects: &mut [Value], pod: &str, at: Timestamp) -> usize {
    let i = objects
        .iter()
        .position(|object| object["metadata"]["name"] == pod)
        .unwrap();
    objects[i]["metadata"]["creationTimestamp"] = json!(at.to_string());
    set_ready(objects, pod, false, at);
    i
}

#[test]
fn a_new_pod_may_take_its_time_and_not_more() {
    let (mut objects, attempt, now) = isolated();
    replace(&mut objects, "web-1", now);
    assert_eq!(failed(&objects, &attempt, now + SignedDuration::from_secs(60)), None);
    let late = now + SignedDuration::from_mins(10);
    assert_eq!(failed(&objects, &attempt, late), Some(Symptom::Unavailable));
}

#[test]
fn a_new_pod_in_a_crash_loop_counts_unless_its_release_is_new_too() {
    let (mut objects, attempt, now) = isolated();
    let i = replace(&mut objects, "web-1", now);
    objects[i]["status"]["containerStatuses"] = json!([
        {"name": "app", "restartCount": 2, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
    ]);
    assert_eq!(failed(&objects, &attempt, now), Some(Symptom::CrashLoopBackOff));
    let set = objects
        .iter_mut()
        .find(|object| object["metadata"]["name"] == "web-set");
    set.unwrap()["metadata"]["creationTimestamp"] = json!(now.to_string());
    assert_eq!(failed(&objects, &attempt, now), None, "the release is to blame");
}

#[test]
fn a_workload_that_is_scaled_down_has_lost_nothing() {
    let (mut objects, attempt, now) = isolated();
    set_ready(&mut objects, "web-1", false, now);
    for object in &mut objects {
        if object["kind"] == "Deployment" && object["metadata"]["name"] == "web" {
            object["spec"]["replicas"] = json!(1);
        }
    }
    assert_eq!(failed(&objects, &attempt, now), None);
}
