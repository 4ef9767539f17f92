//! What each detection sees and what it does not, by objects before and after.

use serde_json::{Value, json};

use super::*;
use crate::model::{Kind, ObjectRef};
use crate::world::{Delta, Object, World};

/// What is seen when `after` follows `before`; nothing in place of either for an object that comes or goes.
fn seen_when(kind: Kind, before: Option<Value>, after: Option<Value>) -> Vec<String> {
    told(&sightings(kind, before, after))
}

fn told(sightings: &[Sighting]) -> Vec<String> {
    let told = |sighting: &Sighting| format!("{} {}", sighting.detection.id(), sighting.what);
    sightings.iter().map(told).collect()
}

fn sightings(kind: Kind, before: Option<Value>, after: Option<Value>) -> Vec<Sighting> {
    let mut world = World::new(37);
    world.apply(Delta::Apply(decode(
        Kind::Namespace,
        &json!({"metadata": {"name": "shop"}}),
    )));
    let mut reference = None;
    if let Some(before) = before {
        let before = decode(kind, &before);
        reference = Some(before.reference());
        world.apply(Delta::Apply(before));
    }
    let delta = match after {
        Some(after) => Delta::Apply(decode(kind, &after)),
        None => Delta::Delete(reference.expect("something that goes")),
    };
    seen(world.current(), &delta, None)
}

fn decode(kind: Kind, object: &Value) -> Object {
    Object::decode(kind, object).expect("a readable object")
}

/// An object of this name in `shop` with these other fields.
fn object(mut rest: Value) -> Value {
    rest["metadata"] = json!({"name": "web", "namespace": "shop", "uid": "u"});
    rest
}

fn changed(kind: Kind, before: Value, after: Value) -> Vec<String> {
    seen_when(kind, Some(object(before)), Some(object(after)))
}

fn namespace(labels: Value) -> Value {
    let mut namespace = json!({"metadata": {"name": "shop", "managedFields": [
        {"manager": "kubectl-label", "operation": "Update", "time": "2026-11-29T01:02:03Z"},
        {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status", "time": "2026-11-29T01:02:04Z"},
    ]}});
    namespace["metadata"]["labels"] = labels;
    namespace
}

fn labels(before: Value, after: Value) -> Vec<String> {
    seen_when(Kind::Namespace, Some(namespace(before)), Some(namespace(after)))
}

#[test]
fn pod_security_labels_that_are_lowered_are_seen_and_others_not() {
    let restricted =
        json!({"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/warn": "baseline"});
    let baseline =
        json!({"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/warn": "restricted"});
    assert_eq!(
        labels(restricted.clone(), json!({})),
        ["D-17 enforce lowered from restricted to privileged, warn lowered from baseline to privileged"]
    );
    assert_eq!(
        labels(restricted.clone(), baseline.clone()),
        ["D-17 enforce lowered from restricted to baseline"]
    );
    assert_eq!(labels(json!({}), restricted.clone()), [""; 0]);
    assert_eq!(labels(restricted.clone(), restricted), [""; 0]);
    let held = |version: &str| json!({"pod-security.kubernetes.io/enforce": "baseline", "pod-security.kubernetes.io/enforce-version": version});
    assert_eq!(
        labels(held("v1.36"), held("v1.30")),
        ["D-17 enforce held to the older version v1.30"]
    );
    assert_eq!(labels(held("v1.30"), held("latest")), [""; 0]);
}

#[test]
fn a_sighting_names_who_wrote_last_and_when() {
    let lowered = sightings(
        Kind::Namespace,
        Some(namespace(json!({"pod-security.kubernetes.io/enforce": "baseline"}))),
        Some(namespace(json!({}))),
    );
    assert_eq!(
        lowered[0].to_string(),
        "Namespace shop: enforce lowered from baseline to privileged; last written by kubectl-label at 2026-11-29T01:02:03Z"
    );
    assert_eq!(lowered[0].namespace, "shop");
    assert_eq!(lowered[0].regarding, Some(ObjectRef::new(Kind::Namespace, "", "shop")));
}

fn policy(spec: Value) -> Value {
    let mut policy = object(json!({}));
    policy["spec"] = spec;
    policy
}

#[test]
fn a_network_policy_that_goes_or_opens_is_seen() {
    let closed = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
    let from = |peer: Value, ports: Value| json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer], "ports": ports}]});
    let web = json!({"podSelector": {"matchLabels": {"app": "web"}}});
    let narrow = from(web.clone(), json!([{"port": 80}]));
    let wide = from(web.clone(), json!([]));
    let see = |before: &Value, after: &Value| {
        seen_when(
            Kind::NetworkPolicy,
            Some(policy(before.clone())),
            Some(policy(after.clone())),
        )
    };
    assert_eq!(see(&narrow, &wide), ["D-18 lets more in"]);
    assert_eq!(see(&wide, &narrow), [""; 0]);
    assert_eq!(
        see(&narrow, &from(json!({}), json!([{"port": 80}]))),
        ["D-18 lets more in"]
    );
    assert_eq!(
        see(&closed, &json!({"podSelector": {}, "policyTypes": ["Ingress"]})),
        ["D-18 restricts egress no more"]
    );
    let elsewhere = json!({"podSelector": {"matchLabels": {"app": "none"}}, "policyTypes": ["Ingress", "Egress"]});
    assert_eq!(see(&closed, &elsewhere), ["D-18 selects other pods"]);
    let also_out = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": [{}]});
    assert_eq!(see(&closed, &also_out), ["D-18 lets more out"]);
    assert_eq!(
        seen_when(Kind::NetworkPolicy, Some(policy(closed.clone())), None),
        ["D-18 is gone"]
    );
    assert_eq!(seen_when(Kind::NetworkPolicy, None, Some(policy(closed))), [""; 0]);
}

#[test]
fn policies_that_go_with_their_namespace_and_allows_of_ours_are_not_seen() {
    let mut world = World::new(37);
    let terminating = json!({"metadata": {"name": "shop"}, "status": {"phase": "Terminating"}});
    world.apply(Delta::Apply(decode(Kind::Namespace, &terminating)));
    world.apply(Delta::Apply(decode(
        Kind::NetworkPolicy,
        &policy(json!({"podSelector": {}})),
    )));
    let gone = Delta::Delete(ObjectRef::new(Kind::NetworkPolicy, "shop", "web"));
    assert_eq!(seen(world.current(), &gone, None), []);

    let ours = |spec: Value| {
        let mut ours = policy(spec);
        ours["metadata"]["managedFields"] = json!([{"manager": "ironside/owned", "operation": "Apply"}]);
        seen_when(Kind::NetworkPolicy, Some(ours), None)
    };
    assert_eq!(
        ours(json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})),
        [""; 0]
    );
    assert_eq!(
        ours(json!({"podSelector": {}, "policyTypes": ["Ingress"]})),
        ["D-18 is gone"]
    );
}

#[test]
fn rights_that_grow_are_seen_and_rights_that_shrink_are_not() {
    let rules = |verbs: Value, resources: Value| json!({"rules": [{"apiGroups": [""], "verbs": verbs, "resources": resources}]});
    let read = rules(json!(["get"]), json!(["pods"]));
    let all = rules(json!(["*"]), json!(["*"]));
    assert_eq!(changed(Kind::Role, read.clone(), all.clone()), ["D-05 now allows * *"]);
    assert_eq!(changed(Kind::Role, all, read.clone()), [""; 0]);
    assert_eq!(seen_when(Kind::Role, None, Some(object(read.clone()))), [""; 0]);
    let mut named = read.clone();
    named["rules"][0]["resourceNames"] = json!(["web-1"]);
    assert_eq!(
        changed(Kind::Role, named.clone(), read.clone()),
        ["D-05 now allows get pods"]
    );
    assert_eq!(changed(Kind::Role, read, named), [""; 0]);

    let binding =
        |subjects: Value| json!({"roleRef": {"kind": "ClusterRole", "name": "cluster-admin"}, "subjects": subjects});
    let eve = json!({"kind": "User", "name": "eve"});
    let robot = json!({"kind": "ServiceAccount", "name": "robot", "namespace": "shop"});
    let one = binding(json!([eve]));
    let two = binding(json!([eve, robot]));
    assert_eq!(
        changed(Kind::RoleBinding, one.clone(), two.clone()),
        ["D-05 gives ClusterRole cluster-admin to ServiceAccount shop/robot"]
    );
    assert_eq!(changed(Kind::RoleBinding, two, one.clone()), [""; 0]);
    assert_eq!(
        seen_when(Kind::RoleBinding, None, Some(object(one))),
        ["D-05 gives ClusterRole cluster-admin to User eve"]
    );
}

#[test]
fn admission_that_is_weakened_says_how_and_a_new_ca_says_nothing() {
    let hooks = |policy: &str, bundle: &str, resources: &str| {
        json!({"metadata": {"name": "guard"}, "webhooks": [{"name": "a.example.com", "failurePolicy": policy,
            "clientConfig": {"url": "https://guard.example.com", "caBundle": bundle}, "rules": [{"resources": [resources]}]}]})
    };
    let kind = Kind::ValidatingWebhookConfiguration;
    let see = |before: Value, after: Value| seen_when(kind, Some(before), Some(after));
    assert_eq!(see(hooks("Fail", "a", "pods"), hooks("Fail", "b", "pods")), [""; 0]);
    assert_eq!(
        see(hooks("Fail", "a", "pods"), hooks("Ignore", "a", "pods")),
        ["D-16 webhook a.example.com: failurePolicy changed from Fail to Ignore"]
    );
    assert_eq!(
        see(hooks("Fail", "a", "pods"), hooks("Fail", "a", "events")),
        ["D-16 webhook a.example.com: what it decides over, or how, changed"]
    );
    let none = json!({"metadata": {"name": "guard"}, "webhooks": []});
    assert_eq!(
        see(hooks("Fail", "a", "pods"), none),
        ["D-16 webhook a.example.com: is gone"]
    );
    assert_eq!(
        seen_when(kind, Some(hooks("Fail", "a", "pods")), None),
        ["D-16 is gone"]
    );
    assert_eq!(seen_when(kind, None, Some(hooks("Fail", "a", "pods"))), ["D-16 is new"]);

    let binding = |actions: Value| json!({"metadata": {"name": "guard"}, "spec": {"policyName": "guard", "validationActions": actions}});
    assert_eq!(
        seen_when(
            Kind::ValidatingAdmissionPolicyBinding,
            Some(binding(json!(["Deny"]))),
            Some(binding(json!(["Warn", "Audit"])))
        ),
        ["D-16 validationActions changed from Deny to Audit+Warn"]
    );
}

#[test]
fn certificates_that_log_in_are_seen() {
    let request = |signer: &str, user: &str, conditions: Value| json!({"metadata": {"name": "csr-1"}, "spec": {"signerName": signer, "username": user}, "status": {"conditions": conditions}});
    let client = "kubernetes.io/kube-apiserver-client";
    let kubelet = "kubernetes.io/kube-apiserver-client-kubelet";
    let kind = Kind::CertificateSigningRequest;
    let asked = sightings(kind, None, Some(request(client, "eve", json!([]))));
    assert_eq!(
        told(&asked),
        ["D-11 a client certificate of kubernetes.io/kube-apiserver-client is asked for"]
    );
    assert_eq!(asked[0].user.as_deref(), Some("eve"));
    let approved = json!([{"type": "Approved"}]);
    assert_eq!(
        seen_when(
            kind,
            Some(request(client, "eve", json!([]))),
            Some(request(client, "eve", approved.clone()))
        ),
        ["D-11 a client certificate of kubernetes.io/kube-apiserver-client, asked for by eve, is approved"]
    );
    for usual in ["system:node:a", "system:bootstrap:abcdef"] {
        assert_eq!(
            seen_when(kind, None, Some(request(kubelet, usual, approved.clone()))),
            [""; 0]
        );
    }
    assert_eq!(seen_when(kind, None, Some(request(kubelet, "eve", json!([])))).len(), 1);
}

fn deployment(namespace: &str, pod: Value) -> Value {
    let mut deployment = json!({"metadata": {"name": "web", "namespace": namespace}});
    deployment["spec"]["template"] = json!({"metadata": {"labels": {"k8s-app": "kube-dns"}}});
    deployment["spec"]["template"]["spec"] = pod;
    deployment
}

#[test]
fn new_workloads_are_seen_in_system_namespaces_only() {
    let pod = json!({"containers": [{"name": "a", "image": "i"}], "serviceAccountName": "admin"});
    assert_eq!(
        seen_when(Kind::DaemonSet, None, Some(deployment("kube-system", pod.clone()))),
        ["D-14 is new in kube-system, with ServiceAccount admin"]
    );
    assert_eq!(
        seen_when(Kind::DaemonSet, None, Some(deployment("shop", pod.clone()))),
        [""; 0]
    );
    let mirror = json!({"metadata": {"name": "etcd-a", "namespace": "kube-system",
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "a", "controller": true}]}, "spec": pod});
    assert_eq!(seen_when(Kind::Pod, None, Some(mirror.clone())), [""; 0]);
    let bare = json!({"metadata": {"name": "debug", "namespace": "kube-system"}, "spec": mirror["spec"]});
    assert_eq!(seen_when(Kind::Pod, None, Some(bare)).len(), 1);
}

#[test]
fn a_template_that_allows_more_is_seen_with_what_it_allows() {
    let hardened = json!({"runAsNonRoot": true, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}});
    let pod = |security: &Value| json!({"containers": [{"name": "app", "image": "i", "securityContext": security}]});
    let see = |before: Value, after: Value| {
        seen_when(
            Kind::Deployment,
            Some(deployment("shop", before)),
            Some(deployment("shop", after)),
        )
    };
    let with = |key: &str, value: Value| {
        let mut changed = hardened.clone();
        changed[key] = value;
        see(pod(&hardened), pod(&changed))
    };
    assert_eq!(
        with("privileged", json!(true)),
        ["D-24 its pods may now: do anything, privileged (app)"]
    );
    assert_eq!(
        with("runAsNonRoot", json!(false)),
        ["D-24 its pods may now: run as root (app)"]
    );
    assert_eq!(with("runAsUser", json!(1000)), [""; 0]);
    assert_eq!(
        with("allowPrivilegeEscalation", json!(null)),
        ["D-24 its pods may now: gain privileges (app)"]
    );
    assert_eq!(
        with("capabilities", json!({"drop": ["ALL"], "add": ["NET_RAW"]})),
        ["D-24 its pods may now: use capability NET_RAW (app)"]
    );
    assert_eq!(
        with("seccompProfile", json!({"type": "Unconfined"})),
        ["D-24 its pods may now: make any system call (app)"]
    );
    // Tightening, restarts and images are nobody's loosening; nor is a sidecar that may no more than its neighbours.
    assert_eq!(see(pod(&json!({})), pod(&hardened)), [""; 0]);
    let two = json!({"containers": [{"name": "app", "image": "i:2"}, {"name": "sidecar", "image": "s"}]});
    assert_eq!(see(pod(&json!({})), two.clone()), [""; 0]);
    assert_eq!(see(pod(&hardened), two).len(), 1);
    let mut host = pod(&hardened);
    host["hostPID"] = json!(true);
    host["volumes"] = json!([{"name": "v", "hostPath": {"path": "/etc"}}]);
    assert_eq!(
        see(pod(&hardened), host),
        ["D-24 its pods may now: mount /etc of the node; see the processes of the node"]
    );
}

#[test]
fn cluster_dns_that_changes_is_seen() {
    let file =
        |text: &str| json!({"metadata": {"name": "coredns", "namespace": "kube-system"}, "data": {"Corefile": text}});
    let kind = Kind::ConfigMap;
    let before = file(".:53 {\n  forward . 10.0.0.1\n}");
    let after = file(".:53 {\n  forward . 203.0.113.1\n}");
    assert_eq!(
        seen_when(kind, Some(before.clone()), Some(after)),
        ["D-22 its Corefile says something else"]
    );
    assert_eq!(seen_when(kind, Some(before.clone()), Some(before.clone())), [""; 0]);
    assert_eq!(
        seen_when(kind, Some(before), None),
        ["D-22 the ConfigMap with the Corefile is gone"]
    );
    let pod = |image: &str| json!({"containers": [{"name": "coredns", "image": image}]});
    assert_eq!(
        seen_when(
            Kind::Deployment,
            Some(deployment("kube-system", pod("coredns:1"))),
            Some(deployment("kube-system", pod("evil:1")))
        ),
        ["D-22 the cluster's DNS runs evil:1 in place of coredns:1"]
    );
}

#[test]
fn what_opens_to_the_outside_is_seen() {
    let service = |kind: &str, ips: Value| json!({"spec": {"type": kind, "externalIPs": ips}});
    let kind = Kind::Service;
    assert_eq!(
        changed(kind, service("ClusterIP", json!([])), service("NodePort", json!([]))),
        ["D-23 type changed from ClusterIP to NodePort"]
    );
    assert_eq!(
        changed(kind, service("LoadBalancer", json!([])), service("NodePort", json!([]))),
        [""; 0]
    );
    assert_eq!(
        changed(
            kind,
            service("ClusterIP", json!([])),
            service("ClusterIP", json!(["203.0.113.9"]))
        ),
        ["D-23 gained the external IP 203.0.113.9"]
    );
    let new = seen_when(kind, None, Some(object(service("LoadBalancer", json!([])))));
    assert_eq!(new, ["D-23 is new, of type LoadBalancer"]);
    let ingress = |hosts: &[&str], tls: Value| {
        let rules: Vec<Value> = hosts.iter().map(|host| json!({"host": host})).collect();
        json!({"spec": {"rules": rules, "tls": tls}})
    };
    let kind = Kind::Ingress;
    let clear = ingress(
        &["a.example.com", "b.example.com"],
        json!([{"hosts": ["a.example.com"]}]),
    );
    assert_eq!(
        seen_when(kind, None, Some(object(clear.clone()))),
        ["D-23 serves b.example.com without TLS"]
    );
    let wild = ingress(
        &["a.example.com", "b.example.com"],
        json!([{"hosts": ["*.example.com"]}]),
    );
    assert_eq!(
        changed(kind, wild.clone(), clear.clone()),
        ["D-23 serves b.example.com without TLS"]
    );
    assert_eq!(changed(kind, clear, wild), [""; 0]);
}

#[test]
fn nodes_that_join_are_seen_once() {
    let node = json!({"metadata": {"name": "a"}});
    assert_eq!(
        seen_when(Kind::Node, None, Some(node.clone())),
        ["D-21 joined the cluster"]
    );
    assert_eq!(seen_when(Kind::Node, Some(node.clone()), Some(node)), [""; 0]);
}

#[test]
fn what_happened_while_a_watch_was_broken_is_seen_by_the_next_list() {
    let mut world = World::new(37);
    world.apply(Delta::Apply(decode(
        Kind::Namespace,
        &json!({"metadata": {"name": "shop"}}),
    )));
    let list = |objects: Vec<Object>| Delta::Replace {
        kind: Kind::NetworkPolicy,
        namespace: None,
        objects,
    };
    world.apply(list(vec![decode(
        Kind::NetworkPolicy,
        &policy(json!({"podSelector": {}})),
    )]));
    assert_eq!(told(&seen(world.current(), &list(Vec::new()), None)), ["D-18 is gone"]);
}
