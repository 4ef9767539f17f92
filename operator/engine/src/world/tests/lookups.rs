//! Owners, children and what is judged.

use serde_json::json;

use super::build::{apply, object, owned, shop, with, workload};
use crate::model::{Kind, ObjectRef};
use crate::world::{Delta, Snapshot, World};

fn at(kind: Kind, name: &str) -> ObjectRef {
    ObjectRef::new(kind, "shop", name)
}

fn pods(world: &Snapshot, kind: Kind, name: &str) -> Vec<String> {
    let workload = world.workload(&at(kind, name)).unwrap();
    let pods = world.pods_of(workload);
    pods.iter().map(|pod| pod.metadata.name.clone()).collect()
}

#[test]
fn chains_of_owners_are_followed_to_the_top() {
    let mut world = shop();
    apply(
        &mut world,
        Kind::Job,
        owned(workload(Kind::Job, "nightly-1", "job:1"), Kind::CronJob, "nightly"),
    );
    apply(
        &mut world,
        Kind::Pod,
        owned(workload(Kind::Pod, "nightly-1-x", "job:1"), Kind::Job, "nightly-1"),
    );
    let (world, _) = world.drain();
    for (kind, name, top_kind, top) in [
        (Kind::Pod, "web-a", Kind::Deployment, "web"),
        (Kind::ReplicaSet, "web-old", Kind::Deployment, "web"),
        (Kind::Deployment, "web", Kind::Deployment, "web"),
        (Kind::Pod, "nightly-1-x", Kind::CronJob, "nightly"),
        (Kind::Pod, "bare", Kind::Pod, "bare"),
    ] {
        assert_eq!(world.topmost_owner(&at(kind, name)), at(top_kind, top));
    }
    assert_eq!(pods(&world, Kind::Deployment, "web"), ["web-a", "web-b"]);
    assert_eq!(pods(&world, Kind::ReplicaSet, "web-old"), [""; 0]);
    assert_eq!(pods(&world, Kind::CronJob, "nightly"), ["nightly-1-x"]);
    assert_eq!(pods(&world, Kind::Pod, "bare"), ["bare"]);
    let web = world.workload(&at(Kind::Deployment, "web")).unwrap();
    assert_eq!(world.new_replica_set(web).unwrap().meta.name, "web");
    assert_eq!(world.replica_sets_of(web).len(), 2);
}

#[test]
fn judged_are_namespaces_topmost_workloads_and_bare_pods() {
    let (world, _) = shop().drain();
    let targets: Vec<String> = world.targets().map(|target| target.to_string()).collect();
    assert_eq!(
        targets,
        [
            "Namespace shop",
            "Deployment shop/web",
            "StatefulSet shop/db",
            "CronJob shop/nightly",
            "Pod shop/bare",
            "ServiceAccount shop/default"
        ]
    );
    assert_eq!(world.workloads().count(), 4);
}

#[test]
fn what_a_custom_resource_controls_is_judged_itself() {
    let mut world = shop();
    let mut set = owned(workload(Kind::StatefulSet, "kafka", "kafka:1"), Kind::Deployment, "web");
    set["metadata"]["ownerReferences"][0]["apiVersion"] = json!("kafka.strimzi.io/v1");
    set["metadata"]["ownerReferences"][0]["kind"] = json!("Kafka");
    apply(&mut world, Kind::StatefulSet, set);
    let mut mirror = owned(workload(Kind::Pod, "etcd-node-1", "etcd:3"), Kind::Deployment, "web");
    mirror["metadata"]["ownerReferences"][0]["apiVersion"] = json!("v1");
    mirror["metadata"]["ownerReferences"][0]["kind"] = json!("Node");
    apply(&mut world, Kind::Pod, mirror);
    // A StatefulSet has no template of a Deployment, whoever claims to own it.
    apply(
        &mut world,
        Kind::StatefulSet,
        owned(workload(Kind::StatefulSet, "odd", "odd:1"), Kind::Deployment, "web"),
    );
    let (world, _) = world.drain();
    for target in [
        at(Kind::StatefulSet, "kafka"),
        at(Kind::Pod, "etcd-node-1"),
        at(Kind::StatefulSet, "odd"),
    ] {
        assert!(world.is_judged(&target), "{target}");
    }
}

#[test]
fn a_child_whose_owner_is_gone_is_judged_only_while_owners_cannot_be_read() {
    let mut world = shop();
    world.apply(Delta::Delete(at(Kind::Deployment, "web")));
    let (snapshot, _) = world.drain();
    assert!(
        !snapshot.is_judged(&at(Kind::ReplicaSet, "web")),
        "it is about to be collected"
    );
    assert!(!snapshot.is_judged(&at(Kind::Pod, "web-a")));

    let mut files = World::default();
    let set = owned(workload(Kind::ReplicaSet, "web", "web:2"), Kind::Deployment, "web");
    apply(&mut files, Kind::ReplicaSet, set);
    let pod = owned(workload(Kind::Pod, "web-a", "web:2"), Kind::ReplicaSet, "web");
    apply(&mut files, Kind::Pod, pod);
    let (snapshot, _) = files.drain();
    assert!(
        snapshot.is_judged(&at(Kind::ReplicaSet, "web")),
        "nobody looked for Deployments"
    );
    assert!(!snapshot.is_judged(&at(Kind::Pod, "web-a")));
    apply(&mut files, Kind::Deployment, workload(Kind::Deployment, "web", "web:2"));
    let (snapshot, dirty) = files.drain();
    assert!(!snapshot.is_judged(&at(Kind::ReplicaSet, "web")));
    assert!(dirty.contains(&at(Kind::ReplicaSet, "web")), "its findings must go");
}

#[test]
fn a_successor_of_the_same_name_is_not_the_owner() {
    let mut world = shop();
    let successor = with(
        workload(Kind::Deployment, "web", "web:2"),
        json!({"metadata": {"uid": "another"}}),
    );
    apply(&mut world, Kind::Deployment, successor);
    let (world, _) = world.drain();
    assert_eq!(
        world.topmost_owner(&at(Kind::ReplicaSet, "web")),
        at(Kind::ReplicaSet, "web")
    );
    assert_eq!(pods(&world, Kind::Deployment, "web"), [""; 0]);
}

#[test]
fn callers_of_the_api_server_are_collected() {
    let mut world = shop();
    let service = |name: &str| json!({"clientConfig": {"service": {"namespace": "shop", "name": name}}});
    let hooks = json!({"webhooks": [service("b"), service("a"), service("a"), {"clientConfig": {"url": "https://x"}}]});
    apply(
        &mut world,
        Kind::MutatingWebhookConfiguration,
        object(Kind::MutatingWebhookConfiguration, "m", hooks),
    );
    let api = json!({"spec": {"service": {"namespace": "metrics", "name": "server"}}});
    apply(
        &mut world,
        Kind::ApiService,
        object(Kind::ApiService, "v1beta1.metrics", api),
    );
    apply(
        &mut world,
        Kind::ApiService,
        object(Kind::ApiService, "v1.apps", json!({"spec": {"service": null}})),
    );
    let crd = json!({"spec": {"conversion": {"strategy": "Webhook", "webhook": service("c")}}});
    apply(
        &mut world,
        Kind::CustomResourceDefinition,
        object(Kind::CustomResourceDefinition, "things.x", crd),
    );
    let (snapshot, dirty) = world.drain();
    let backends: Vec<String> = snapshot
        .api_server_backends
        .iter()
        .map(|b| format!("{}/{} {}", b.namespace, b.service, b.caller))
        .collect();
    assert_eq!(
        backends,
        [
            "metrics/server APIService v1beta1.metrics",
            "shop/a MutatingWebhookConfiguration m",
            "shop/b MutatingWebhookConfiguration m",
            "shop/c CustomResourceDefinition things.x",
        ]
    );
    assert!(dirty.contains(&ObjectRef::new(Kind::Namespace, "", "metrics")));
    world.apply(Delta::Delete(ObjectRef::new(Kind::ApiService, "", "v1beta1.metrics")));
    let (snapshot, dirty) = world.drain();
    assert_eq!(snapshot.api_server_backends.len(), 3);
    assert_eq!(
        dirty.into_iter().collect::<Vec<_>>(),
        [ObjectRef::new(Kind::Namespace, "", "metrics")]
    );
}
