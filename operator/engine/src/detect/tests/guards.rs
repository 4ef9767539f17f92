//! What guards a cluster: admission, Pod Security labels, NetworkPolicies.

use serde_json::{Value, json};

use super::*;
use crate::model::ObjectRef;

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
fn a_sighting_names_who_wrote_last_and_when_if_that_was_the_change() {
    let by = |manager: &str, at: &str, labels: Value| {
        let mut namespace = namespace(labels);
        namespace["metadata"]["managedFields"][0]["manager"] = json!(manager);
        namespace["metadata"]["managedFields"][0]["time"] = json!(at);
        Some(namespace)
    };
    let restricted = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let baseline = json!({"pod-security.kubernetes.io/enforce": "baseline"});
    let before = || by("helm", "2026-11-29T00:00:00Z", restricted.clone());
    let lowered = sightings(
        Kind::Namespace,
        before(),
        by("kubectl-label", "2026-11-29T01:02:03Z", baseline),
    );
    assert_eq!(
        lowered[0].to_string(),
        "Namespace shop: enforce lowered from restricted to baseline; last written by kubectl-label at 2026-11-29T01:02:03Z"
    );
    assert_eq!(lowered[0].namespace, "shop");
    assert_eq!(lowered[0].regarding, Some(ObjectRef::new(Kind::Namespace, "", "shop")));
    // Whoever takes a label away owns nothing.
    let taken = sightings(Kind::Namespace, before(), by("helm", "2026-11-29T00:00:00Z", json!({})));
    assert_eq!(
        taken[0].to_string(),
        "Namespace shop: enforce lowered from restricted to privileged"
    );
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
    assert_eq!(see(&elsewhere, &closed), [""; 0], "it closes every pod now");
    let for_all = |selector: Value| json!({"podSelector": selector, "policyTypes": ["Ingress"], "ingress": [{}]});
    let for_some = for_all(json!({"matchLabels": {"app": "web"}}));
    assert_eq!(see(&for_some, &for_all(json!({}))), ["D-18 selects other pods"]);
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
