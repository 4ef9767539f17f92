//! Who may what, and who comes in: rights, certificates, nodes, what opens to the outside.

use serde_json::{Value, json};

use super::*;

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
fn a_role_that_is_made_under_a_binding_that_waited_for_it_is_seen() {
    let role = object(json!({"rules": [{"apiGroups": [""], "verbs": ["get"], "resources": ["secrets"]}]}));
    let see = |name: &str, subjects: Value| {
        let mut world = World::new(37);
        let mut binding = object(json!({"roleRef": {"kind": "Role", "name": name}, "subjects": subjects}));
        binding["metadata"]["name"] = json!("waiting");
        world.apply(Delta::Apply(decode(Kind::RoleBinding, &binding)));
        let made = Delta::Apply(decode(Kind::Role, &role));
        told(&seen(world.current(), &made, None))
    };
    let eve = json!([{"kind": "User", "name": "eve"}]);
    assert_eq!(see("web", eve.clone()), ["D-05 now allows get secrets"]);
    assert_eq!(see("another", eve), [""; 0]);
    assert_eq!(see("web", json!([])), [""; 0], "the binding names nobody");
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
fn a_credential_that_is_written_into_a_config_map_is_seen_by_its_place() {
    let map = |data: Value| object(json!({ "data": data }));
    let kind = Kind::ConfigMap;
    let plain = json!({"LOG_LEVEL": "debug"});
    let with = json!({"LOG_LEVEL": "debug", "DB_PASSWORD": "hunter2-Xy7"});
    let seen = seen_when(kind, Some(map(plain.clone())), Some(map(with.clone())));
    assert_eq!(
        seen,
        ["D-04 now holds what looks like a credential at /data/DB_PASSWORD (a value whose key names a credential)"]
    );
    assert!(!seen[0].contains("hunter2"));
    assert_eq!(seen_when(kind, None, Some(map(with.clone()))).len(), 1);
    let another = json!({"LOG_LEVEL": "info", "DB_PASSWORD": "hunter3-Xy7"});
    assert_eq!(seen_when(kind, Some(map(with.clone())), Some(map(another))), [""; 0]);
    assert_eq!(seen_when(kind, Some(map(with)), Some(map(plain))), [""; 0]);
}
