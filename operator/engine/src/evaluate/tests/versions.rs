//! Versions of a cluster: the API server's own, those that nodes report, and how far they are apart.

use std::sync::Arc;

use jiff::{Timestamp, ToSpan};
use serde_json::json;

use super::*;
use crate::components::{Distribution, Observed, Version};
use crate::controls::Component;
use crate::releases::kubernetes;

const POLICY: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec: {profile: {name: NsaCisa, version: v1}}
---
";

/// A cluster whose API server and kubelets name these versions.
fn cluster(server: &str, kubelets: &[&str]) -> Case {
    let mut case = Case::of(POLICY);
    for (index, version) in kubelets.iter().enumerate() {
        let node =
            json!({"metadata": {"name": format!("node-{index}")}, "status": {"nodeInfo": {"kubeletVersion": version}}});
        let node = Object::decode(Kind::Node, &node).unwrap();
        case.world.apply(Delta::Apply(node));
    }
    case.world.observe(&Arc::new(Observed {
        distribution: Distribution::of_version(server),
        version: Version::parse(server),
        ..Observed::default()
    }));
    case
}

fn at(case: &mut Case, now: Timestamp) -> Finding {
    let (world, _) = case.world.drain();
    let target = Component::KubeApiserver.target().unwrap();
    let evaluation = evaluate(&world, &case.policies, &case.exceptions, &target, now);
    let mut findings = evaluation.findings.into_iter();
    findings
        .find(|finding| finding.control.id.as_str() == "VER-001")
        .unwrap()
}

fn judged(server: &str, kubelets: &[&str]) -> Finding {
    at(&mut cluster(server, kubelets), now())
}

fn places(finding: &Finding) -> Vec<&str> {
    finding
        .evidence
        .iter()
        .map(|evidence| evidence.pointer.as_str())
        .collect()
}

#[test]
fn a_cluster_of_supported_versions_passes() {
    let finding = judged("v1.37.2", &["v1.37.2", "v1.36.4", "v1.35.9+k3s1"]);
    assert_eq!(
        finding.verdict,
        Verdict::Pass,
        "{:?} {:?}",
        finding.evidence,
        finding.gaps
    );
}

#[test]
fn kubelets_may_be_three_releases_behind_and_never_ahead() {
    let finding = judged("v1.37.2", &["v1.34.10", "v1.34.10", "v1.33.9", "v1.37.3"]);
    let apart: Vec<_> = finding
        .evidence
        .iter()
        .filter(|evidence| evidence.expected.contains("behind the API server (v1.37.2)"))
        .map(|evidence| evidence.pointer.as_str())
        .collect();
    assert_eq!(
        apart,
        ["/nodes/node-2/status/nodeInfo/kubeletVersion"],
        "three behind is near, a patch ahead is no skew"
    );
    let finding = judged("v1.36.4", &["v1.37.1", "v1.37.1"]);
    assert_eq!(finding.verdict, Verdict::Fail);
    assert_eq!(
        places(&finding),
        ["/nodes/node-0 and 1 more/status/nodeInfo/kubeletVersion"]
    );
}

#[test]
fn who_supports_it_decides_when_it_is_over() {
    let finding = judged("v1.34.10", &[]);
    assert_eq!((finding.verdict, places(&finding)), (Verdict::Fail, vec!["/version"]));
    assert!(finding.evidence[0].expected.contains("2026-10-27"));
    for server in ["v1.34.1-eks-abc", "v1.33.0-gke.100"] {
        let finding = judged(server, &[server]);
        assert_eq!(finding.verdict, Verdict::Unknown, "{server}");
        assert_eq!(finding.gaps[0].reason, "ProviderSupport");
        assert_eq!(finding.gaps[0].responsibility, Responsibility::Provider);
    }
    // Two that show it by their nodes, as `kubectl get nodes --show-labels` has them.
    for (label, version) in [
        ("kubernetes.azure.com/cluster", "v1.33.5"),
        ("node.openshift.io/os_id", "v1.33.4+bd9e442"),
    ] {
        let mut case = cluster(version, &[]);
        let node = json!({"metadata": {"name": "a", "labels": {label: "x"}}, "status": {"nodeInfo": {"kubeletVersion": version}}});
        case.world
            .apply(Delta::Apply(Object::decode(Kind::Node, &node).unwrap()));
        let finding = at(&mut case, now());
        assert_eq!(finding.verdict, Verdict::Unknown, "{label}");
        assert_eq!(finding.gaps[0].reason, "ProviderSupport");
    }
    // Supported by the upstream, with the provider's own patches.
    assert_eq!(judged("v1.36.0-gke.100", &["v1.35.3-eks-abc"]).verdict, Verdict::Pass);
    assert_eq!(judged("v1.34.1+k3s1", &[]).verdict, Verdict::Fail);
}

#[test]
fn what_is_no_version_is_unknown_and_breaks_nothing() {
    for garbage in ["", "latest", "v1.99999999999.1", "v1.37", "\u{0}", "v2.0.0", "🦀.🦀.🦀"] {
        let finding = judged("v1.37.2", &["v1.37.2", garbage]);
        assert_eq!(finding.verdict, Verdict::Unknown, "{garbage}");
        assert_eq!(finding.gaps[0].reason, "Malformed", "{garbage}");
        let finding = judged(garbage, &["v1.37.2"]);
        assert_eq!(finding.verdict, Verdict::Unknown, "{garbage}");
        assert_eq!(finding.gaps[0].reason, "NotObservable", "{garbage}");
    }
    let finding = judged("v1.4294967295.0", &["v1.4294967295.4294967295"]);
    assert_eq!(finding.gaps[0].reason, "StaleData", "newer than the table");
}

#[test]
fn an_old_table_decides_nothing_but_how_far_versions_are_apart() {
    let day = |days: i32| {
        let day = kubernetes().as_of.checked_add(days.days()).unwrap();
        day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp()
    };
    let mut case = cluster("v1.37.2", &["v1.37.2"]);
    assert_eq!(at(&mut case, day(180)).verdict, Verdict::Pass);
    let finding = at(&mut case, day(181));
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert_eq!(finding.gaps.len(), 1);
    assert_eq!(finding.gaps[0].reason, "StaleData");
    let mut apart = cluster("v1.37.2", &["v1.30.1"]);
    assert_eq!(at(&mut apart, day(181)).verdict, Verdict::Fail);
}

#[test]
fn nodes_that_may_not_be_read_are_a_gap() {
    let mut case = cluster("v1.37.2", &[]);
    case.world.apply(Delta::Unavailable {
        kind: Kind::Node,
        namespace: None,
        gap: Gap {
            reason: "PermissionDenied",
            message: "nodes cannot be listed".to_owned(),
            responsibility: Responsibility::SelfManaged,
        },
    });
    let finding = at(&mut case, now());
    assert_eq!(finding.verdict, Verdict::Unknown);
    assert_eq!(finding.gaps[0].reason, "PermissionDenied");
}

#[test]
fn a_node_that_says_something_new_has_its_components_judged_again() {
    let mut case = cluster("v1.37.2", &["v1.37.2"]);
    case.world.drain();
    let node = |version: &str, heartbeat: &str| {
        let node = json!({"metadata": {"name": "node-0", "resourceVersion": heartbeat},
            "status": {"nodeInfo": {"kubeletVersion": version}, "conditions": [{"lastHeartbeatTime": heartbeat}]}});
        Delta::Apply(Object::decode(Kind::Node, &node).unwrap())
    };
    case.world.apply(node("v1.37.2", "7"));
    assert!(case.world.drain().1.is_empty(), "a heartbeat");
    case.world.apply(node("v1.36.4", "8"));
    let dirty = case.world.drain().1;
    assert!(dirty.contains(&Component::KubeApiserver.target().unwrap()));
    let node = case.evaluate(Kind::Node, "", "node-0");
    assert!(node.findings.is_empty(), "judged once, in the component");
}

#[test]
fn programs_tell_their_version_by_their_image() {
    let said = |program: &str, tag: &str| {
        let mut case = cluster("v1.37.2", &[]);
        let pod = json!({"metadata": {"name": "p", "namespace": "kube-system"},
            "spec": {"containers": [{"name": "p", "image": format!("registry.k8s.io/{program}:{tag}"), "command": [program]}]}});
        case.world.apply(Delta::Apply(Object::decode(Kind::Pod, &pod).unwrap()));
        at(&mut case, now())
    };
    for (program, oldest, too_old) in [
        ("kube-proxy", "v1.34.1", "v1.33.1-eksbuild.2"),
        ("kube-scheduler", "v1.36.0", "v1.35.4"),
        ("kube-controller-manager", "v1.36.0", "v1.35.4"),
    ] {
        assert_eq!(said(program, oldest).verdict, Verdict::Pass, "{program}");
        assert_eq!(said(program, "latest").verdict, Verdict::Pass, "it does not say");
        for wrong in [too_old, "v1.38.0"] {
            let finding = said(program, wrong);
            let place = "/objects/Pod/kube-system/p/spec/containers/0/image";
            assert_eq!(places(&finding), [place], "{program} {wrong}");
        }
    }
}

/// A cluster with nodes of the control plane and others; `true` for those that are kept free.
fn planes(of_control_plane: &[bool], others: usize) -> Finding {
    let mut case = cluster("v1.37.2", &vec!["v1.37.2"; others]);
    for (index, is_kept_free) in of_control_plane.iter().enumerate() {
        let taints =
            is_kept_free.then(|| json!([{"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}]));
        let node = json!({"metadata": {"name": format!("cp-{index}"), "labels": {"node-role.kubernetes.io/control-plane": ""}},
            "spec": {"taints": taints}});
        case.world
            .apply(Delta::Apply(Object::decode(Kind::Node, &node).unwrap()));
    }
    let target = Component::Kubelet.target().unwrap();
    let evaluation = case.evaluate(Kind::Component, "", &target.name);
    let mut findings = evaluation.findings.into_iter();
    findings
        .find(|finding| finding.control.id.as_str() == "NODE-003")
        .unwrap()
}

#[test]
fn nodes_of_the_control_plane_are_kept_free_where_there_are_others() {
    let finding = planes(&[true, false, false], 2);
    assert_eq!(places(&finding), ["/nodes/cp-1 and 1 more/spec/taints"]);
    assert_eq!(planes(&[true, true], 1).verdict, Verdict::Pass);
    assert_eq!(
        planes(&[false], 0).verdict,
        Verdict::NotApplicable,
        "a cluster of one node"
    );
    assert_eq!(
        planes(&[], 3).verdict,
        Verdict::NotApplicable,
        "somebody else's control plane"
    );
    assert_eq!(planes(&[], 0).verdict, Verdict::Unknown, "nothing was seen");
}

/// Nodes with labels and what they say of themselves.
fn nodes(said: &[(serde_json::Value, serde_json::Value)]) -> Case {
    let mut case = cluster("v1.37.2", &[]);
    for (index, (labels, info)) in said.iter().enumerate() {
        let node =
            json!({"metadata": {"name": format!("node-{index}"), "labels": labels}, "status": {"nodeInfo": info}});
        case.world
            .apply(Delta::Apply(Object::decode(Kind::Node, &node).unwrap()));
    }
    case
}

fn finding_at(case: &mut Case, component: Component, control: &str, now: Timestamp) -> Finding {
    let (world, _) = case.world.drain();
    let target = component.target().unwrap();
    let evaluation = evaluate(&world, &case.policies, &case.exceptions, &target, now);
    let mut findings = evaluation.findings.into_iter();
    findings.find(|finding| finding.control.id.as_str() == control).unwrap()
}

fn in_pool(name: &str) -> serde_json::Value {
    json!({"cloud.google.com/gke-nodepool": name})
}

#[test]
fn nodes_of_one_pool_have_one_system_and_one_kernel() {
    let info = |os: &str, kernel: &str| json!({"osImage": os, "kernelVersion": kernel});
    let judged = |said: &[_]| finding_at(&mut nodes(said), Component::Kubelet, "NODE-002", now());
    let (noble, debian) = ("Ubuntu 24.04.1 LTS", "Debian GNU/Linux 13 (trixie)");
    let finding = judged(&[
        (in_pool("a"), info(noble, "6.8.0-40")),
        (in_pool("b"), info(debian, "6.12.1")),
        (json!(null), info(noble, "6.8.0-1")),
        (json!(null), info(noble, "6.8.0-2")),
    ]);
    assert_eq!(
        finding.verdict,
        Verdict::Pass,
        "{:?} {:?}",
        finding.evidence,
        finding.gaps
    );
    let finding = judged(&[
        (in_pool("a"), info(noble, "6.8.0-40")),
        (in_pool("a"), info(noble, "6.8.0-41")),
        (in_pool("a"), info(debian, "6.12.1")),
        (in_pool("a"), info(debian, "6.12.1")),
    ]);
    assert_eq!(
        places(&finding),
        [
            "/nodes/node-1/status/nodeInfo/kernelVersion",
            "/nodes/node-2 and 1 more/status/nodeInfo/osImage"
        ]
    );
    assert!(
        finding.evidence[1].expected.contains("node node-0 of pool a"),
        "{:?}",
        finding.evidence
    );
}

#[test]
fn a_system_of_which_nothing_is_known_is_unknown() {
    for (os, reason) in [
        ("", "Malformed"),
        ("Linux From Scratch", "UnknownRelease"),
        ("Talos (v1.12)", "UnknownRelease"),
        ("Ubuntu 20.04.6 LTS", "ExtendedSupport"),
    ] {
        let mut case = nodes(&[(json!(null), json!({"osImage": os}))]);
        let finding = finding_at(&mut case, Component::Kubelet, "NODE-002", now());
        assert_eq!(
            (finding.verdict, finding.gaps[0].reason),
            (Verdict::Unknown, reason),
            "{os}"
        );
    }
    let late = crate::releases::systems().as_of.checked_add(181.days()).unwrap();
    let late = late.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let mut old = nodes(&[
        (json!(null), json!({"osImage": "CentOS Linux 7 (Core)"})),
        (json!(null), json!({"osImage": "Ubuntu 24.04"})),
    ]);
    let finding = finding_at(&mut old, Component::Kubelet, "NODE-002", late);
    assert_eq!(
        (finding.verdict, finding.gaps.len()),
        (Verdict::Unknown, 1),
        "{:?}",
        finding.gaps
    );
    assert_eq!(finding.gaps[0].reason, "StaleData");
}

#[test]
fn selinux_is_judged_where_something_looked_at_the_kernel() {
    let judged = |os: &str, labels: serde_json::Value| {
        let mut case = nodes(&[(labels, json!({"osImage": os}))]);
        finding_at(&mut case, Component::Kubelet, "NODE-002", now()).verdict
    };
    let on = json!({"feature.node.kubernetes.io/kernel-selinux.enabled": "true"});
    let off = json!({"feature.node.kubernetes.io/cpu-model.family": "6"});
    assert_eq!(judged("Rocky Linux 9.4", on), Verdict::Pass);
    assert_eq!(judged("Rocky Linux 9.4", off.clone()), Verdict::Fail);
    assert_eq!(judged("Rocky Linux 9.4", json!(null)), Verdict::Pass, "nobody looked");
    assert_eq!(judged("Ubuntu 24.04", off), Verdict::Pass, "it has AppArmor");
}

#[test]
fn container_runtimes_are_judged_by_their_own_releases() {
    let judged = |runtime: &str, kubelet: &str| {
        let info = json!({"containerRuntimeVersion": runtime, "kubeletVersion": kubelet});
        finding_at(
            &mut nodes(&[(json!(null), info)]),
            Component::ContainerRuntime,
            "RT-001",
            now(),
        )
    };
    for (runtime, kubelet, verdict, reason) in [
        ("containerd://2.3.4", "v1.37.1", Verdict::Pass, ""),
        ("containerd://2.3.4~ds1", "v1.37.1", Verdict::Pass, ""),
        ("containerd://2.3.0", "v1.37.1", Verdict::Fail, ""),
        ("containerd://1.6.38", "v1.37.1", Verdict::Fail, ""),
        (
            "containerd://1.6.38",
            "v1.37.1-gke.100",
            Verdict::Unknown,
            "ProviderSupport",
        ),
        ("containerd://2.3.0", "v1.37.1-eks-abc", Verdict::Pass, ""),
        ("containerd://1.7.30", "v1.37.1", Verdict::Unknown, "StaleData"),
        ("containerd://3.0.0", "v1.37.1", Verdict::Unknown, "StaleData"),
        ("cri-o://1.36.0", "v1.37.1", Verdict::Pass, ""),
        ("cri-o://1.34.9", "v1.37.1", Verdict::Fail, ""),
        ("docker://28.5.1", "v1.37.1", Verdict::Unknown, "UnknownRelease"),
        ("containerd://", "v1.37.1", Verdict::Unknown, "UnknownRelease"),
        ("containerd", "v1.37.1", Verdict::Unknown, "UnknownRelease"),
        ("", "v1.37.1", Verdict::Unknown, "Malformed"),
        ("://\u{0}🦀", "", Verdict::Unknown, "UnknownRelease"),
    ] {
        let finding = judged(runtime, kubelet);
        let why = finding.gaps.first().map_or("", |gap| gap.reason);
        assert_eq!(
            (finding.verdict, why),
            (verdict, reason),
            "{runtime} {kubelet} {:?}",
            finding.evidence
        );
    }
    let info = |version: &str| json!({"containerRuntimeVersion": format!("containerd://{version}")});
    let mut mixed = nodes(&[
        (in_pool("a"), info("2.3.4")),
        (in_pool("a"), info("2.3.3")),
        (in_pool("b"), info("2.3.3")),
    ]);
    let finding = finding_at(&mut mixed, Component::ContainerRuntime, "RT-001", now());
    assert_eq!(
        places(&finding),
        ["/nodes/node-1/status/nodeInfo/containerRuntimeVersion"]
    );
}
