//! What runs: workloads in system namespaces, templates that allow more, the DNS of the cluster.

use serde_json::{Value, json};

use super::*;

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
