//! Who reaches the cluster DNS, and on which ports.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::components::Observed;
use crate::controls::Component;

const CLUSTER: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec: {profile: {name: NsaCisa, version: v1}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: coredns, namespace: kube-system}
spec:
  template:
    metadata: {labels: {k8s-app: kube-dns}}
    spec:
      containers:
      - name: coredns
        image: registry.k8s.io/coredns/coredns:v1.12.1
        ports: [{name: metrics, containerPort: 9153}, {name: dns, containerPort: 53, protocol: UDP}]
---
";

fn policy(rules: &Value) -> Delta {
    let policy = json!({"metadata": {"name": "dns", "namespace": "kube-system"},
        "spec": {"podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}, "policyTypes": ["Ingress"], "ingress": rules}});
    Delta::Apply(Object::decode(Kind::NetworkPolicy, &policy).unwrap())
}

fn cluster(documents: &str) -> Case {
    let mut case = Case::of(documents);
    case.world.observe(&Arc::new(Observed::default()));
    case
}

fn judged(case: &mut Case) -> Finding {
    let target = Component::ClusterDns.target().unwrap();
    let evaluation = case.evaluate(Kind::Component, "", &target.name);
    let mut findings = evaluation.findings.into_iter();
    findings
        .find(|finding| finding.control.id.as_str() == "DNS-003")
        .unwrap()
}

#[test]
fn strangers_reach_names_and_nothing_else() {
    let mut case = cluster(CLUSTER);
    let finding = judged(&mut case);
    assert_eq!(finding.verdict, Verdict::Fail);
    assert_eq!(
        finding.evidence[0].observed,
        Some(json!("any pod reaches 9153 (metrics), 8080 (health), 8181 (readiness)"))
    );
    let everybody = json!([{"namespaceSelector": {}}]);
    let dns = json!([{"port": 53, "protocol": "UDP"}]);
    for (rules, expected) in [
        (json!([{"from": everybody, "ports": dns}]), Verdict::Pass),
        (json!([{"ports": dns}, {"from": [{"podSelector": {}}]}]), Verdict::Pass),
        (
            json!([{"from": everybody, "ports": [{"port": "metrics"}]}]),
            Verdict::Fail,
        ),
        (
            json!([{"from": everybody, "ports": [{"port": 8000, "endPort": 8100}]}]),
            Verdict::Fail,
        ),
        (
            json!([{"from": [{"namespaceSelector": {"matchLabels": {"team": "sre"}}}]}]),
            Verdict::Pass,
        ),
        (json!([{}]), Verdict::Fail),
        (json!([]), Verdict::Pass),
    ] {
        case.world.apply(policy(&rules));
        assert_eq!(judged(&mut case).verdict, expected, "{rules}");
    }
}

#[test]
fn what_is_not_seen_of_the_dns_is_unknown() {
    assert_eq!(
        judged(&mut cluster(CLUSTER.split_inclusive("---\n").next().unwrap())).gaps[0].reason,
        "NotObservable"
    );
    let on_host = CLUSTER.replace(
        "    spec:\n      containers",
        "    spec:\n      hostNetwork: true\n      containers",
    );
    let finding = judged(&mut cluster(&on_host));
    assert_eq!(
        (finding.verdict, finding.gaps[0].reason),
        (Verdict::Unknown, "HostNetwork")
    );
    let mut case = cluster(CLUSTER);
    case.world.apply(Delta::Unavailable {
        kind: Kind::NetworkPolicy,
        namespace: None,
        gap: Gap {
            reason: "PermissionDenied",
            message: "networkpolicies cannot be listed".to_owned(),
            responsibility: Responsibility::SelfManaged,
        },
    });
    assert_eq!(judged(&mut case).gaps[0].reason, "PermissionDenied");
}

#[test]
fn a_service_or_a_policy_of_the_dns_that_changes_has_it_judged_again() {
    let mut case = cluster(CLUSTER);
    case.world.drain();
    let target = Component::ClusterDns.target().unwrap();
    case.world
        .apply(policy(&json!([{"ports": [{"port": 53, "protocol": "UDP"}]}])));
    assert!(case.world.drain().1.contains(&target));
    assert_eq!(judged(&mut case).verdict, Verdict::Pass);
    let service = |kind: &str, namespace: &str| {
        let service = json!({"metadata": {"name": "kube-dns", "namespace": namespace},
            "spec": {"type": kind, "selector": {"k8s-app": "kube-dns"}, "externalIPs": []}});
        Delta::Apply(Object::decode(Kind::Service, &service).unwrap())
    };
    case.world.apply(service("LoadBalancer", "kube-system"));
    assert!(case.world.drain().1.contains(&target));
    let finding = judged(&mut case);
    assert_eq!(
        finding.evidence[0].pointer,
        "/objects/Service/kube-system/kube-dns/spec/type"
    );
    case.world.apply(service("ClusterIP", "kube-system"));
    assert_eq!(judged(&mut case).verdict, Verdict::Pass);
    case.world.drain();
    case.world.apply(service("LoadBalancer", "shop"));
    assert!(!case.world.drain().1.contains(&target), "somebody else's");
}
