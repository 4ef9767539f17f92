//! Each event dirties what depends on it, and nothing else.

use serde_json::{Value, json};

use super::build::{apply, decode, object, owned, shop, with, workload};
use crate::controls::{Gap, Responsibility};
use crate::model::{Kind, ObjectRef};
use crate::world::{Delta, World};

/// What a delta dirties in the shop, as text.
fn dirty(deltas: impl IntoIterator<Item = Delta>) -> Vec<String> {
    let mut world = shop();
    world.drain();
    deltas.into_iter().for_each(|delta| world.apply(delta));
    drained(&mut world)
}

fn drained(world: &mut World) -> Vec<String> {
    world.drain().1.iter().map(ToString::to_string).collect()
}

fn put(kind: Kind, value: impl std::borrow::Borrow<Value>) -> Delta {
    Delta::Apply(decode(kind, value.borrow()))
}

fn delete(kind: Kind, name: &str) -> Delta {
    Delta::Delete(ObjectRef::new(kind, "shop", name))
}

fn pod_of_web(name: &str) -> Value {
    owned(workload(Kind::Pod, name, "web:2"), Kind::ReplicaSet, "web")
}

const READY: &str = r#"{"status": {"conditions": [{"type": "Ready", "status": "True"}]}}"#;

#[test]
fn of_what_is_judged_once_nothing_is_noted() {
    let mut world = World::to_judge_once();
    let role = |verb: &str| json!({"metadata": {"name": "reader"}, "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": [verb]}]});
    world.apply(put(Kind::Deployment, workload(Kind::Deployment, "web", "web:1")));
    world.apply(put(Kind::ClusterRole, role("get")));
    let everyone = json!({"metadata": {"name": "everyone"}, "roleRef": {"kind": "ClusterRole", "name": "reader"}, "subjects": [{"kind": "Group", "name": "system:authenticated"}]});
    world.apply(put(Kind::ClusterRoleBinding, everyone));
    let before = format!("{:?}", world.current().rights());
    world.apply(put(Kind::ClusterRole, role("list")));
    world.set_minor(33);
    assert_ne!(format!("{:?}", world.current().rights()), before);
    assert_eq!(drained(&mut world), [""; 0]);
}

#[test]
fn a_version_that_says_nothing_new_dirties_nothing() {
    let moved = json!({"metadata": {"resourceVersion": "99"}});
    let unread = json!({"metadata": {"annotations": {"example.com/note": "x"}}, "spec": {"dnsPolicy": "Default"}});
    assert_eq!(
        dirty([put(Kind::Pod, with(pod_of_web("web-a"), moved.clone()))]),
        [""; 0]
    );
    assert_eq!(
        dirty([put(Kind::Pod, with(pod_of_web("web-a"), unread))]),
        [""; 0],
        "no view has these fields"
    );
    for kind in [Kind::Deployment, Kind::StatefulSet, Kind::CronJob] {
        let name = match kind {
            Kind::Deployment => ("web", "web:2"),
            Kind::StatefulSet => ("db", "db:1"),
            _ => ("nightly", "job:1"),
        };
        let same = with(workload(kind, name.0, name.1), moved.clone());
        assert_eq!(dirty([put(kind, same)]), [""; 0], "{kind}");
    }
    assert_eq!(
        dirty([put(
            Kind::Namespace,
            with(object(Kind::Namespace, "shop", json!({})), moved)
        )]),
        [""; 0]
    );
    assert_eq!(
        dirty([delete(Kind::Pod, "never-seen"), delete(Kind::Deployment, "never-seen")]),
        [""; 0]
    );
}

#[test]
fn what_a_child_does_dirties_the_top_of_its_chain_only() {
    let ready: Value = serde_json::from_str(READY).unwrap();
    assert_eq!(
        dirty([put(Kind::Pod, with(pod_of_web("web-a"), ready.clone()))]),
        ["Deployment shop/web"]
    );
    assert_eq!(
        dirty([put(Kind::Pod, with(workload(Kind::Pod, "bare", "bare:1"), ready))]),
        ["Pod shop/bare"]
    );
    let scaled = with(
        owned(workload(Kind::ReplicaSet, "web", "web:2"), Kind::Deployment, "web"),
        json!({"status": {"readyReplicas": 2}}),
    );
    assert_eq!(dirty([put(Kind::ReplicaSet, scaled)]), ["Deployment shop/web"]);
    assert_eq!(
        dirty([put(
            Kind::Deployment,
            with(
                workload(Kind::Deployment, "web", "web:2"),
                json!({"status": {"replicas": 2}})
            )
        )]),
        ["Deployment shop/web"]
    );
}

#[test]
fn pods_that_come_and_go_dirty_the_namespace_too_because_traffic_rules_see_them() {
    assert_eq!(
        dirty([put(Kind::Pod, pod_of_web("web-c"))]),
        ["Namespace shop", "Deployment shop/web"]
    );
    assert_eq!(
        dirty([delete(Kind::Pod, "web-a")]),
        ["Namespace shop", "Deployment shop/web"]
    );
    assert_eq!(dirty([delete(Kind::Pod, "bare")]), ["Namespace shop", "Pod shop/bare"]);
    let relabelled = with(
        pod_of_web("web-a"),
        json!({"metadata": {"labels": {"app": "quarantine"}}}),
    );
    assert_eq!(
        dirty([put(Kind::Pod, relabelled)]),
        ["Namespace shop", "Deployment shop/web"]
    );
    let finished = with(pod_of_web("web-a"), json!({"status": {"phase": "Succeeded"}}));
    assert_eq!(
        dirty([put(Kind::Pod, finished)]),
        ["Namespace shop", "Deployment shop/web"]
    );
}

#[test]
fn a_new_template_dirties_the_workload_and_its_namespace() {
    let changed = put(Kind::Deployment, workload(Kind::Deployment, "web", "web:3"));
    assert_eq!(dirty([changed]), ["Namespace shop", "Deployment shop/web"]);
    assert_eq!(
        dirty([delete(Kind::StatefulSet, "db")]),
        ["Namespace shop", "StatefulSet shop/db"]
    );
}

#[test]
fn a_pod_that_is_adopted_dirties_both_what_it_was_and_its_owner() {
    let adopted = put(
        Kind::Pod,
        owned(workload(Kind::Pod, "bare", "bare:1"), Kind::ReplicaSet, "web"),
    );
    let dirty = dirty([adopted]);
    assert!(
        dirty.contains(&"Pod shop/bare".to_owned()) && dirty.contains(&"Deployment shop/web".to_owned()),
        "{dirty:?}"
    );
}

#[test]
fn a_service_account_dirties_the_workloads_that_run_as_it() {
    let runs_as = with(
        workload(Kind::StatefulSet, "db", "db:1"),
        json!({"spec": {"template": {"spec": {"serviceAccountName": "db"}}}}),
    );
    let mut world = shop();
    apply(&mut world, Kind::StatefulSet, runs_as);
    apply(
        &mut world,
        Kind::ServiceAccount,
        object(Kind::ServiceAccount, "db", json!({})),
    );
    world.drain();
    let muted = json!({"automountServiceAccountToken": false});
    apply(
        &mut world,
        Kind::ServiceAccount,
        object(Kind::ServiceAccount, "db", muted.clone()),
    );
    assert_eq!(drained(&mut world), ["StatefulSet shop/db", "ServiceAccount shop/db"]);
    apply(
        &mut world,
        Kind::ServiceAccount,
        object(Kind::ServiceAccount, "default", muted),
    );
    assert_eq!(
        drained(&mut world),
        [
            "Pod shop/bare",
            "Deployment shop/web",
            "CronJob shop/nightly",
            "ServiceAccount shop/default"
        ]
    );
    world.apply(delete(Kind::ServiceAccount, "db"));
    assert_eq!(drained(&mut world), ["StatefulSet shop/db", "ServiceAccount shop/db"]);
}

#[test]
fn a_disruption_budget_dirties_the_workloads_it_selects_before_and_after() {
    let budget = |app: &str, allowed: i64| {
        let spec =
            json!({"spec": {"selector": {"matchLabels": {"app": app}}}, "status": {"disruptionsAllowed": allowed}});
        put(
            Kind::PodDisruptionBudget,
            object(Kind::PodDisruptionBudget, "pdb", spec),
        )
    };
    let mut world = shop();
    world.apply(budget("web", 0));
    world.drain();
    world.apply(budget("web", 1));
    assert_eq!(
        drained(&mut world),
        ["Deployment shop/web", "PodDisruptionBudget shop/pdb"]
    );
    world.apply(budget("db", 1));
    assert_eq!(
        drained(&mut world),
        [
            "Deployment shop/web",
            "StatefulSet shop/db",
            "PodDisruptionBudget shop/pdb"
        ]
    );
    world.apply(budget("db", 1));
    assert_eq!(drained(&mut world), [""; 0]);
    world.apply(delete(Kind::PodDisruptionBudget, "pdb"));
    assert_eq!(
        drained(&mut world),
        ["StatefulSet shop/db", "PodDisruptionBudget shop/pdb"]
    );
}

#[test]
fn who_may_talk_to_whom_dirties_the_namespace() {
    for kind in [Kind::Service, Kind::Ingress, Kind::NetworkPolicy, Kind::ResourceQuota] {
        let itself = kind.is_judged_alone().then(|| format!("{kind} shop/x"));
        let expected: Vec<String> = ["Namespace shop".to_owned()].into_iter().chain(itself).collect();
        let mut world = shop();
        world.drain();
        apply(&mut world, kind, object(kind, "x", json!({})));
        assert_eq!(drained(&mut world), expected, "{kind}");
        apply(
            &mut world,
            kind,
            with(
                object(kind, "x", json!({})),
                json!({"metadata": {"resourceVersion": "2"}}),
            ),
        );
        assert_eq!(drained(&mut world), [""; 0], "{kind}");
        world.apply(delete(kind, "x"));
        assert_eq!(drained(&mut world), expected, "{kind}");
    }
}

#[test]
fn a_namespace_dirties_everything_in_it_and_namespaces_that_select_it() {
    let mut world = shop();
    let policy = with(
        object(
            Kind::NetworkPolicy,
            "from-labelled",
            json!({"spec": {"ingress": [{"from": [{"namespaceSelector": {"matchLabels": {"team": "a"}}}]}]}}),
        ),
        json!({"metadata": {"namespace": "other"}}),
    );
    apply(&mut world, Kind::NetworkPolicy, policy);
    world.drain();
    let labelled = |labels: Value| {
        put(
            Kind::Namespace,
            object(Kind::Namespace, "shop", json!({"metadata": {"labels": labels}})),
        )
    };
    let everything = [
        "Namespace shop",
        "Deployment shop/web",
        "StatefulSet shop/db",
        "CronJob shop/nightly",
        "Pod shop/bare",
        "ServiceAccount shop/default",
    ];
    world.apply(labelled(json!({"unrelated": "x"})));
    assert_eq!(drained(&mut world), sorted(&everything));
    world.apply(labelled(json!({"team": "a"})));
    let mut with_other = everything.to_vec();
    with_other.push("Namespace other");
    assert_eq!(drained(&mut world), sorted(&with_other));
}

#[test]
fn a_kind_that_cannot_be_read_any_more_dirties_its_scope_once() {
    let lost = || Delta::Unavailable {
        kind: Kind::ServiceAccount,
        namespace: Some("shop".to_owned()),
        gap: Gap {
            reason: "PermissionDenied",
            message: "forbidden".to_owned(),
            responsibility: Responsibility::SelfManaged,
        },
    };
    let mut world = shop();
    world.drain();
    world.apply(lost());
    assert_eq!(drained(&mut world).len(), 6);
    world.apply(lost());
    assert_eq!(drained(&mut world), [""; 0]);
}

#[test]
fn a_relist_dirties_only_what_differs() {
    let same = [
        owned(workload(Kind::ReplicaSet, "web", "web:2"), Kind::Deployment, "web"),
        owned(workload(Kind::ReplicaSet, "web-old", "web:1"), Kind::Deployment, "web"),
    ];
    let relist = |kind, values: Vec<Value>| Delta::Replace {
        kind,
        namespace: None,
        objects: values.into_iter().map(|value| decode(kind, &value)).collect(),
    };
    assert_eq!(dirty([relist(Kind::ReplicaSet, same.to_vec())]), [""; 0]);
    let pods = vec![pod_of_web("web-a"), workload(Kind::Pod, "bare", "bare:1")];
    assert_eq!(
        dirty([relist(Kind::Pod, pods)]),
        ["Namespace shop", "Deployment shop/web"],
        "web-b is gone"
    );
}

/// In the order of references, by namespace first.
fn sorted(names: &[&str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let rank = |name: &String| {
        let kind = Kind::ALL
            .iter()
            .position(|kind| name.starts_with(&format!("{} ", kind.name())));
        (name.contains('/'), kind, name.clone())
    };
    names.sort_by_key(rank);
    names
}
