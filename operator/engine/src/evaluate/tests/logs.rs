//! Where logs go: the audit log of the API server, and what nodes write.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::components::{Answer, Flags, Observed};
use crate::controls::Component;

const POLICY: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec: {profile: {name: NsaCisa, version: v1}}
---
";

fn object(kind: Kind, object: &Value) -> Object {
    Object::decode(kind, object).unwrap()
}

fn node(name: &str, more: &Value) -> Object {
    let mut node = json!({"metadata": {"name": name}});
    for (field, value) in more.as_object().unwrap() {
        node[field] = value.clone();
    }
    object(Kind::Node, &node)
}

fn control_plane(name: &str) -> Object {
    let labels = json!({"node-role.kubernetes.io/control-plane": ""});
    object(Kind::Node, &json!({"metadata": {"name": name, "labels": labels}}))
}

/// A DaemonSet that has a folder of its nodes, and its pods on some.
fn daemon_set(image: &str, folder: &str, nodes: &[(&str, bool)]) -> Vec<Object> {
    let spec = json!({"containers": [{"name": "c", "image": image}], "volumes": [{"name": "v", "hostPath": {"path": folder}}]});
    let set = json!({"metadata": {"name": image, "namespace": "logs", "uid": image},
        "spec": {"selector": {"matchLabels": {"app": image}}, "template": {"metadata": {"labels": {"app": image}}, "spec": spec}}});
    let mut objects = vec![object(Kind::DaemonSet, &set)];
    for (node, is_ready) in nodes {
        let mut spec = spec.clone();
        spec["nodeName"] = json!(node);
        let owner =
            json!({"apiVersion": "apps/v1", "kind": "DaemonSet", "name": image, "uid": image, "controller": true});
        let ready = if *is_ready { "True" } else { "False" };
        let pod = json!({"metadata": {"name": format!("{image}-{node}"), "namespace": "logs", "uid": format!("{image}-{node}"), "ownerReferences": [owner]},
            "spec": spec, "status": {"conditions": [{"type": "Ready", "status": ready}]}});
        objects.push(object(Kind::Pod, &pod));
    }
    objects
}

/// A cluster of which everything was read.
fn cluster(flags: &[(&str, &str)], objects: &[Object]) -> Case {
    let mut case = Case::of(POLICY);
    for kind in [Kind::Node, Kind::Pod, Kind::DaemonSet] {
        let of_kind = objects.iter().filter(|object| object.reference().kind == kind);
        case.world.apply(Delta::Replace {
            kind,
            namespace: None,
            objects: of_kind.cloned().collect(),
        });
    }
    let flags = flags
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    case.world.observe(&Arc::new(Observed {
        flags: Answer::Said(Flags::of(flags.collect())),
        ..Observed::default()
    }));
    case
}

fn on(case: &mut Case, component: Component, control: &str) -> Finding {
    let target = component.target().unwrap();
    let evaluation = case.evaluate(Kind::Component, "", &target.name);
    let mut findings = evaluation.findings.into_iter();
    findings.find(|finding| finding.control.id.as_str() == control).unwrap()
}

fn audit(flags: &[(&str, &str)], objects: &[Object]) -> Finding {
    on(&mut cluster(flags, objects), Component::KubeApiserver, "AUD-003")
}

const FILE: (&str, &str) = ("audit-log-path", "/var/log/kubernetes/audit.log");

#[test]
fn the_audit_log_has_to_leave_each_node_of_the_control_plane() {
    let with = |mut agents: Vec<Object>| {
        agents.extend([control_plane("a"), control_plane("b"), node("worker", &json!({}))]);
        audit(&[FILE], &agents)
    };
    let everywhere = [("a", true), ("b", true)];
    let verdict = |image, folder, nodes: &[(&str, bool)]| with(daemon_set(image, folder, nodes)).verdict;
    assert_eq!(
        verdict("cr.fluentbit.io/fluent/fluent-bit:4.2", "/var/log", &everywhere),
        Verdict::Pass
    );
    assert_eq!(
        verdict("grafana/alloy", "/var/log/kubernetes", &everywhere),
        Verdict::Pass
    );
    assert_eq!(
        verdict("grafana/alloy", "/var/log/pods", &everywhere),
        Verdict::Fail,
        "another folder"
    );
    assert_eq!(
        verdict("grafana/alloy", "/var/log", &[("a", true), ("b", false)]),
        Verdict::Fail,
        "not ready"
    );
    let finding = with(daemon_set(
        "grafana/alloy",
        "/var/log",
        &[("a", true), ("worker", true)],
    ));
    assert_eq!(finding.evidence.len(), 1);
    assert_eq!(finding.evidence[0].pointer, "/flagz/audit-log-path");
    assert!(
        finding.evidence[0].expected.ends_with("such as b"),
        "{:?}",
        finding.evidence
    );
    let finding = with(daemon_set("node-problem-detector", "/var/log", &everywhere));
    assert_eq!(
        (finding.verdict, finding.gaps[0].reason),
        (Verdict::Unknown, "UnknownAgent")
    );
}

#[test]
fn a_webhook_is_enough_if_it_loses_nothing() {
    let webhook = ("audit-webhook-config-file", "/sink");
    for (more, expected) in [
        (("audit-webhook-mode", "batch"), Verdict::Pass),
        (("audit-webhook-mode", "blocking"), Verdict::Fail),
        (("audit-webhook-batch-buffer-size", "10000"), Verdict::Pass),
        (("audit-webhook-batch-buffer-size", "9999"), Verdict::Fail),
        (("audit-webhook-batch-buffer-size", "many"), Verdict::Fail),
        (("audit-webhook-batch-max-wait", "1m"), Verdict::Pass),
        (("audit-webhook-batch-max-wait", "1m1s"), Verdict::Fail),
    ] {
        assert_eq!(audit(&[webhook, FILE, more], &[]).verdict, expected, "{more:?}");
    }
}

#[test]
fn what_nothing_shows_of_the_way_of_the_audit_log_is_unknown() {
    let finding = audit(&[FILE], &[node("worker", &json!({}))]);
    assert_eq!(
        (finding.verdict, finding.gaps[0].reason),
        (Verdict::Unknown, "NotSeen"),
        "no node of it"
    );
    let mut partly = cluster(&[FILE], &[control_plane("a")]);
    partly.world.apply(Delta::Unavailable {
        kind: Kind::DaemonSet,
        namespace: None,
        gap: Gap {
            reason: "PermissionDenied",
            message: "daemonsets cannot be listed".to_owned(),
            responsibility: Responsibility::SelfManaged,
        },
    });
    let finding = on(&mut partly, Component::KubeApiserver, "AUD-003");
    assert_eq!(
        (finding.verdict, finding.gaps[0].reason),
        (Verdict::Unknown, "PermissionDenied")
    );
    assert_eq!(
        audit(&[("v", "2")], &[]).verdict,
        Verdict::NotApplicable,
        "AUD-001 fails"
    );
    let mut unseen = Case::of(POLICY);
    unseen.world.observe(&Arc::default());
    let finding = on(&mut unseen, Component::KubeApiserver, "AUD-003");
    assert_eq!(
        (finding.verdict, finding.gaps[0].reason),
        (Verdict::Unknown, "NotAsked")
    );
}

#[test]
fn an_agent_that_comes_or_goes_has_the_components_judged_again() {
    let mut case = cluster(&[FILE], &[control_plane("a")]);
    case.world.drain();
    let target = Component::KubeApiserver.target().unwrap();
    for ready in [true, false] {
        for object in daemon_set("grafana/alloy", "/var/log", &[("a", ready)]) {
            case.world.apply(Delta::Apply(object));
        }
        assert!(case.world.drain().1.contains(&target), "{ready}");
    }
}

fn of_nodes(objects: &[Object]) -> Finding {
    on(&mut cluster(&[], objects), Component::Kubelet, "AUD-004")
}

#[test]
fn each_node_that_takes_pods_has_a_ready_agent() {
    let nodes = || {
        vec![
            node("a", &json!({})),
            node("b", &json!({})),
            node("drained", &json!({"spec": {"unschedulable": true}})),
            node(
                "fargate",
                &json!({"spec": {"taints": [{"key": "eks.amazonaws.com/compute-type", "effect": "NoSchedule"}]}}),
            ),
        ]
    };
    let with = |image, folder, on: &[(&str, bool)]| {
        let mut objects = nodes();
        objects.extend(daemon_set(image, folder, on));
        of_nodes(&objects)
    };
    let everywhere = [("a", true), ("b", true)];
    assert_eq!(
        with("fluent/fluent-bit:4", "/var/log", &everywhere).verdict,
        Verdict::Pass
    );
    assert_eq!(
        with("fluent/fluent-bit:4", "/var/lib/docker/containers", &everywhere).verdict,
        Verdict::Pass
    );
    let finding = with(
        "fluent/fluent-bit:4",
        "/var/log",
        &[("a", true), ("b", false), ("drained", true)],
    );
    assert_eq!(finding.evidence.len(), 1, "{:?}", finding.evidence);
    assert_eq!(finding.evidence[0].pointer, "/nodes/b");
    assert_eq!(finding.evidence[0].observed, Some(json!("no log agent is ready here")));
    assert_eq!(
        with("fluent/fluent-bit:4", "/var/log/calico", &everywhere)
            .evidence
            .len(),
        2
    );
    let finding = with("node-problem-detector", "/var/log", &everywhere);
    assert_eq!(
        (finding.verdict, finding.gaps[0].reason),
        (Verdict::Unknown, "UnknownAgent")
    );
    assert!(
        finding.gaps[0].message.contains("2 nodes"),
        "{}",
        finding.gaps[0].message
    );
    let finding = of_nodes(&nodes());
    assert_eq!(finding.evidence[0].observed, Some(json!("there is no log agent")));
    assert_eq!(of_nodes(&[]).verdict, Verdict::NotApplicable);
}

#[test]
fn that_no_agent_was_found_is_believed_only_where_everything_was_read() {
    for kind in [Kind::Node, Kind::Pod, Kind::DaemonSet] {
        let mut case = cluster(&[], &[node("a", &json!({}))]);
        case.world.apply(Delta::Unavailable {
            kind,
            namespace: None,
            gap: Gap {
                reason: "PermissionDenied",
                message: "it may not be read".to_owned(),
                responsibility: Responsibility::SelfManaged,
            },
        });
        let finding = on(&mut case, Component::Kubelet, "AUD-004");
        assert_eq!(
            (finding.verdict, finding.gaps[0].reason),
            (Verdict::Unknown, "PermissionDenied"),
            "{kind}"
        );
    }
    let mut files = Case::of(POLICY);
    files.world.apply(Delta::Apply(node("a", &json!({}))));
    files.world.observe(&Arc::default());
    let finding = on(&mut files, Component::Kubelet, "AUD-004");
    assert_eq!((finding.verdict, finding.gaps[0].reason), (Verdict::Unknown, "NotSeen"));
}
