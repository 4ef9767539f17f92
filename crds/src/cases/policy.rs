//! Cases of `HardeningPolicy` and `ClusterHardeningPolicy`.

use serde_json::{Value, json};

use super::{Case, Check, case, object};

const NAMESPACED: &str = "HardeningPolicy";
const CLUSTER: &str = "ClusterHardeningPolicy";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = vec![long_name(NAMESPACED), long_name(CLUSTER)];
    cases.extend(cluster_only());
    cases.extend(rules());
    cases.extend(schema());
    cases
}

/// The policy's name is a label value on generated objects.
fn long_name(kind: &'static str) -> Case {
    let named = |length| {
        let mut object = object(kind, &json!({}));
        object["metadata"]["name"] = Value::from("a".repeat(length));
        object
    };
    Case {
        name: "a name that is no label value",
        check: Check::Rule,
        old: None,
        bad: named(64),
        good: named(63),
        message: "metadata.name is longer than 63 characters",
    }
}

/// Fields of the cluster kind, refused in the namespaced one.
fn cluster_only() -> Vec<Case> {
    let selector = json!({"matchLabels": {"hardening": "enforce"}});
    [
        (
            "namespaceSelector",
            json!({"namespaceSelector": selector}),
            "a HardeningPolicy covers exactly its own namespace",
        ),
        (
            "an empty namespaceSelector",
            json!({"namespaceSelector": {}}),
            "is only for ClusterHardeningPolicy",
        ),
        (
            "excludeNamespaces",
            json!({"excludeNamespaces": ["shop"]}),
            "spec.excludeNamespaces: Forbidden",
        ),
        (
            "systemNamespaces",
            json!({"systemNamespaces": ["kube-system"]}),
            "spec.systemNamespaces: Forbidden",
        ),
        (
            "podSecurity",
            json!({"podSecurity": {"enforce": "Baseline", "version": "v1.37"}}),
            "a HardeningPolicy never touches the Namespace object",
        ),
        (
            "delegation",
            json!({"delegation": {"maxAutoApprove": "Low"}}),
            "a namespace cannot delegate to itself",
        ),
        (
            "detections",
            json!({"detections": {"allowed": [{"name": "backup", "users": ["velero"]}]}}),
            "what is told of a namespace is not for the namespace to say",
        ),
        (
            "remediation.namespaceSelector",
            json!({"remediation": {"namespaceSelector": selector}}),
            "a HardeningPolicy repairs in exactly its own namespace",
        ),
        (
            "remediation.maxConcurrent",
            json!({"remediation": {"maxConcurrent": 5, "maxConcurrentPerNamespace": 1}}),
            "use maxConcurrentPerNamespace",
        ),
    ]
    .into_iter()
    .map(|(name, bad, message)| {
        // The very same spec is right in the cluster kind.
        let good = object(CLUSTER, &bad);
        Case {
            good,
            ..case(Check::Rule, NAMESPACED, name, &bad, &json!({}), message)
        }
    })
    .collect()
}

/// Rules of single fields; they are the same in both kinds.
fn rules() -> Vec<Case> {
    let rule = |kind, name, bad: Value, good: Value, message| case(Check::Rule, kind, name, &bad, &good, message);
    let requirement = |requirement: Value| json!({"namespaceSelector": {"matchExpressions": [requirement]}});
    let window = |schedule: &str, duration: &str| json!({"remediation": {"windows": [{"name": "night", "schedule": schedule, "timeZone": "Europe/Berlin", "duration": duration}]}});
    let peer =
        |peer: Value| json!({"network": {"extraAllows": [{"name": "a", "direction": "Egress", "peers": [peer]}]}});
    let port =
        |port: Value| json!({"network": {"extraAllows": [{"name": "a", "direction": "Ingress", "ports": [port]}]}});
    vec![
        rule(
            CLUSTER,
            "Enforce without saying where",
            json!({"mode": "Enforce"}),
            json!({"mode": "Enforce", "remediation": {"namespaceSelector": {}}}),
            "is required with mode Enforce",
        ),
        rule(
            CLUSTER,
            "Enforce with other repair settings, but without saying where",
            json!({"mode": "Enforce", "remediation": {"autoApprove": "Low"}}),
            json!({"mode": "Enforce", "remediation": {"autoApprove": "Low", "namespaceSelector": {"matchLabels": {"a": "b"}}}}),
            "spec.remediation.namespaceSelector: Required value",
        ),
        rule(
            NAMESPACED,
            "a control that is named only",
            json!({"controls": [{"id": "POD-012"}]}),
            json!({"controls": [{"id": "POD-012", "mode": "Disabled"}]}),
            "says nothing about the control",
        ),
        rule(
            CLUSTER,
            "In without values",
            requirement(json!({"key": "tier", "operator": "In"})),
            requirement(json!({"key": "tier", "operator": "In", "values": ["web"]})),
            "operators In and NotIn need values",
        ),
        rule(
            CLUSTER,
            "Exists with values",
            requirement(json!({"key": "tier", "operator": "Exists", "values": ["web"]})),
            requirement(json!({"key": "tier", "operator": "Exists"})),
            "Exists and DoesNotExist take none",
        ),
        rule(
            NAMESPACED,
            "a cron expression of six fields",
            window("0 0 2 * * 1-5", "2h"),
            window("0 2 * * 1-5", "2h"),
            "is not a cron expression of five fields",
        ),
        rule(
            NAMESPACED,
            "a time zone in the schedule",
            window("TZ=Europe/Berlin 0 2 * * 1-5", "2h"),
            window("*/5 0-6,22-23 1 JAN SUN", "2h"),
            "the time zone goes to timeZone",
        ),
        rule(
            NAMESPACED,
            "a window that never opens",
            window("0 2 * * *", "59s"),
            window("0 2 * * *", "60s"),
            "is shorter than 1m",
        ),
        rule(
            NAMESPACED,
            "no verification",
            json!({"remediation": {"verify": {"soak": "0m"}}}),
            json!({"remediation": {"verify": {"soak": "1s", "minDeadline": "0s", "probation": "0s"}}}),
            "a repair cannot go unverified",
        ),
        rule(
            NAMESPACED,
            "rollbacks forgotten too soon",
            json!({"remediation": {"stopAfter": {"rollbacks": 2, "within": "59m59s"}}}),
            json!({"remediation": {"stopAfter": {"rollbacks": 2, "within": "60m"}}}),
            "is shorter than 1h",
        ),
        rule(
            NAMESPACED,
            "an allow of everything",
            json!({"network": {"extraAllows": [{"name": "a", "direction": "Ingress"}]}}),
            json!({"network": {"extraAllows": [{"name": "a", "direction": "Ingress", "ports": [{"protocol": "TCP", "port": 443}]}]}}),
            "would keep everything open",
        ),
        rule(
            CLUSTER,
            "anybody allowed to do something",
            json!({"detections": {"allowed": [{"name": "a", "detections": ["D-03"]}]}}),
            json!({"detections": {"allowed": [{"name": "a", "detections": ["D-03"], "users": ["velero"]}]}}),
            "would allow everybody: give users, managers or both",
        ),
        rule(
            NAMESPACED,
            "a peer of pods and addresses",
            peer(json!({"name": "p", "cidr": "10.0.0.0/8", "podSelector": {}})),
            peer(json!({"name": "p", "namespaceSelector": {}, "podSelector": {}})),
            "is either addresses (cidr) or pods",
        ),
        rule(
            NAMESPACED,
            "a peer of nothing",
            peer(json!({"name": "p"})),
            peer(json!({"name": "p", "cidr": "10.0.0.0/8"})),
            "is either addresses (cidr) or pods",
        ),
        rule(
            NAMESPACED,
            "an address that is no range",
            peer(json!({"name": "p", "cidr": "10.0.0.1"})),
            peer(json!({"name": "p", "cidr": "fd00::/8"})),
            "is not an address range",
        ),
        rule(
            NAMESPACED,
            "a range of ports that ends before it starts",
            port(json!({"protocol": "TCP", "port": 8080, "endPort": 8079})),
            port(json!({"protocol": "TCP", "port": 8080, "endPort": 8090})),
            "is below port",
        ),
        rule(
            CLUSTER,
            "pod security labels of no kind",
            json!({"podSecurity": {"version": "v1.37"}}),
            json!({"podSecurity": {"version": "v1.37", "warn": "Restricted"}}),
            "sets no label",
        ),
    ]
}

/// Enums, patterns, bounds and list keys.
fn schema() -> Vec<Case> {
    let schema = |kind, name, bad: Value, good: Value, message| case(Check::Schema, kind, name, &bad, &good, message);
    let control = |control: Value| json!({"controls": [control]});
    vec![
        schema(
            NAMESPACED,
            "a mode in lower case",
            json!({"mode": "enforce"}),
            json!({"mode": "Enforce"}),
            "supported values: \"Audit\", \"Preview\", \"Enforce\"",
        ),
        schema(
            NAMESPACED,
            "Disabled is for controls only",
            json!({"mode": "Disabled"}),
            json!({"suspend": true}),
            "spec.mode: Unsupported value",
        ),
        schema(
            NAMESPACED,
            "an unknown profile",
            json!({"profile": {"name": "PCI"}}),
            json!({"profile": {"name": "Cis"}}),
            "spec.profile.name: Unsupported value",
        ),
        schema(
            NAMESPACED,
            "a profile's version without v",
            json!({"profile": {"version": "1"}}),
            json!({"profile": {"version": "v1"}}),
            "spec.profile.version",
        ),
        schema(
            NAMESPACED,
            "a control's id in lower case",
            control(json!({"id": "pod-012", "mode": "Audit"})),
            control(json!({"id": "XYZ-999", "mode": "Audit"})),
            "spec.controls[0].id in body should match",
        ),
        schema(
            NAMESPACED,
            "a control twice",
            json!({"controls": [{"id": "POD-012", "mode": "Audit"}, {"id": "POD-012", "mode": "Enforce"}]}),
            json!({"controls": [{"id": "POD-012", "mode": "Audit"}, {"id": "POD-013", "mode": "Enforce"}]}),
            "spec.controls[1]: Duplicate value",
        ),
        schema(
            NAMESPACED,
            "a parameter that is no list",
            control(json!({"id": "IMG-001", "parameters": {"allowedRegistries": "registry.example.com/"}})),
            control(json!({"id": "IMG-001", "parameters": {"allowedRegistries": ["registry.example.com/"]}})),
            "must be of type array",
        ),
        schema(
            NAMESPACED,
            "too many controls",
            json!({"controls": (0..201).map(|n| json!({"id": format!("POD-{n:03}"), "mode": "Audit"})).collect::<Vec<_>>()}),
            json!({"controls": (0..200).map(|n| json!({"id": format!("POD-{n:03}"), "mode": "Audit"})).collect::<Vec<_>>()}),
            "must have at most 200 items",
        ),
        schema(
            NAMESPACED,
            "a duration in days",
            json!({"remediation": {"settle": "1d"}}),
            json!({"remediation": {"settle": "24h"}}),
            "spec.remediation.settle in body should match",
        ),
        schema(
            NAMESPACED,
            "a duration without a unit",
            json!({"remediation": {"verify": {"soak": "10"}}}),
            json!({"remediation": {"verify": {"soak": "1h30m"}}}),
            "spec.remediation.verify.soak in body should match",
        ),
        schema(
            NAMESPACED,
            "high risk without a human",
            json!({"remediation": {"autoApprove": "High"}}),
            json!({"remediation": {"autoApprove": "Medium"}}),
            "supported values: \"None\", \"Low\", \"Medium\"",
        ),
        schema(
            NAMESPACED,
            "an owner's route that does not exist",
            json!({"remediation": {"owners": {"argoCD": "Force"}}}),
            json!({"remediation": {"owners": {"argoCD": "Cooperate"}}}),
            "supported values: \"Propose\", \"Cooperate\"",
        ),
        schema(
            NAMESPACED,
            "never stop",
            json!({"remediation": {"stopAfter": {"rollbacks": 0}}}),
            json!({"remediation": {"stopAfter": {"rollbacks": 1}}}),
            "spec.remediation.stopAfter.rollbacks in body should be greater than or equal to 1",
        ),
        schema(
            NAMESPACED,
            "no repair at a time",
            json!({"remediation": {"maxConcurrentPerNamespace": 0}}),
            json!({"remediation": {"maxConcurrentPerNamespace": 20}}),
            "should be greater than or equal to 1",
        ),
        schema(
            NAMESPACED,
            "a window without a duration",
            json!({"remediation": {"windows": [{"name": "night", "schedule": "0 2 * * *"}]}}),
            json!({"remediation": {"windows": [{"name": "night", "schedule": "0 2 * * *", "duration": "2h"}]}}),
            "spec.remediation.windows[0].duration: Required value",
        ),
        schema(
            NAMESPACED,
            "an unknown direction",
            json!({"network": {"isolate": ["Both"]}}),
            json!({"network": {"isolate": ["Ingress", "Egress"]}}),
            "supported values: \"Ingress\", \"Egress\"",
        ),
        schema(
            NAMESPACED,
            "a direction twice",
            json!({"network": {"isolate": ["Ingress", "Ingress"]}}),
            json!({"network": {"isolate": ["Ingress"]}}),
            "spec.network.isolate[1]: Duplicate value",
        ),
        schema(
            NAMESPACED,
            "metadata service neither allowed nor denied",
            json!({"network": {"metadataService": "Block"}}),
            json!({"network": {"metadataService": "Deny"}}),
            "supported values: \"Allow\", \"Deny\"",
        ),
        schema(
            CLUSTER,
            "a wildcard in a namespace's name",
            json!({"excludeNamespaces": ["kube-*"]}),
            json!({"excludeNamespaces": ["kube-system"]}),
            "spec.excludeNamespaces[0] in body should match",
        ),
        schema(
            CLUSTER,
            "pod security without a version",
            json!({"podSecurity": {"enforce": "Baseline"}}),
            json!({"podSecurity": {"enforce": "Baseline", "version": "latest"}}),
            "spec.podSecurity.version: Required value",
        ),
        schema(
            CLUSTER,
            "a level in lower case",
            json!({"podSecurity": {"enforce": "baseline", "version": "v1.37"}}),
            json!({"podSecurity": {"enforce": "Privileged", "version": "v1.37"}}),
            "supported values: \"Privileged\", \"Baseline\", \"Restricted\"",
        ),
        schema(
            CLUSTER,
            "a delegation of all controls",
            json!({"delegation": {"exceptions": [{"name": "teams", "controls": ["*"]}]}}),
            json!({"delegation": {"exceptions": [{"name": "teams", "controls": ["POD-012"], "maxDuration": "720h"}]}}),
            "spec.delegation.exceptions[0].controls[0] in body should match",
        ),
        schema(
            CLUSTER,
            "a control where a detection belongs",
            json!({"detections": {"allowed": [{"name": "a", "detections": ["POD-001"], "users": ["velero"]}]}}),
            json!({"detections": {"allowed": [{"name": "a", "detections": ["D-03"], "users": ["velero"]}]}}),
            "spec.detections.allowed[0].detections[0] in body should match",
        ),
    ]
}
