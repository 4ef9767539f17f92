//! RT-001 Container runtime out of support, or not the same in one pool

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::json;

use crate::components::{ComponentScope, Distribution, Version, pool};
use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{
    Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity, Threat,
};
use crate::model::{ClusterNode, Kind};
use crate::releases::{Calendar, Standing, containerd, kubernetes};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RT-001"),
    title: "Container runtime out of support, or not the same in one pool",
    severity: Severity::High,
    component: Component::ContainerRuntime,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["U-01", "P-21"]),
        kubescape(&["C-0087", "C-0058", "C-0079"]),
        mitre(&["T1611", "T1068"]),
    ],
    docs: Docs {
        why: "The container runtime is what keeps a container in: holes in it, such as CVE-2022-23648 and CVE-2024-21626, let an image or a pod onto the node. In a release that nobody supports they stay open.",
        reads: "`status.nodeInfo.containerRuntimeVersion` of Nodes, as kubelets report it; labels that name the pool of a node; a table of containerd's releases with a date and its sources (`operator/engine/src/releases/containerd.json`). CRI-O has the releases of Kubernetes and ends with them.",
        allowed: "A release before its end, at a patch that is at most about a quarter of a year behind (containerd; CRI-O patches only where it must). In each pool one version; while a pool is being replaced it has two. Unknown where a release has passed an end that was only planned when the table was made, which projects often move; for EKS, GKE, AKS and OpenShift, which mend releases themselves; for other runtimes; and once the table is older than 180 days, or the release is newer than it.",
        repair: "None: upgrade the runtime of one node after another, drained (kubeadm: the package `containerd.io` or `cri-o` of the node; k3s, RKE2 and Talos bring theirs along and are upgraded themselves; EKS, GKE and AKS: a newer image of the node pool).",
        breaks: "Pods of drained nodes restart; containerd 2 refuses what version 1 only warned of, such as images of schema 1.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Upgrading and application security practices",
            "containerd, Versioning and Release, Current State of containerd Releases",
            "CRI-O, README, Compatibility matrix",
        ],
    },
    needs: &[Need { kind: Kind::Node }],
    // Nothing but Nodes, which every check of components may look at.
    check: Check::Component(&[], check),
    ..Control::COMPONENT
};

const RUNTIME: &str = "/status/nodeInfo/containerRuntimeVersion";

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let Some(now) = at.now else { return };
    judgement.witness();
    let said = |node| {
        let node: &ClusterNode = node;
        let info = &node.status.node_info;
        (
            &*info.container_runtime_version,
            Distribution::of_node(node).unwrap_or_default(),
        )
    };
    for nodes in at.nodes(judgement, said) {
        let (runtime, distribution) = nodes.said;
        let place = nodes.place(RUNTIME);
        let name = &nodes.node.metadata.name;
        match runtime
            .split_once("://")
            .map(|(kind, version)| (kind, Version::parse(version)))
        {
            Some(("containerd", Some(version))) => {
                let seen = Seen {
                    runtime,
                    version: &version,
                    place: &place,
                    distribution,
                };
                is_supported(containerd(), &seen, now, judgement);
            }
            Some(("cri-o", Some(version))) => {
                let seen = Seen {
                    runtime,
                    version: &version,
                    place: &place,
                    distribution,
                };
                is_supported(kubernetes(), &seen, now, judgement);
            }
            _ => {
                let (reason, what) = match runtime {
                    "" => ("Malformed", "no container runtime"),
                    runtime => ("UnknownRelease", runtime),
                };
                judgement.unknown(gap(
                    reason,
                    format!("node {name} names {what}, of which nothing is known"),
                    Responsibility::SelfManaged,
                ));
            }
        }
    }
    are_alike(at, judgement);
}

/// What some nodes run.
struct Seen<'a> {
    runtime: &'a str,
    version: &'a Version,
    place: &'a str,
    distribution: Distribution,
}

fn is_supported(calendar: &Calendar, seen: &Seen<'_>, now: Timestamp, judgement: &mut Judgement) {
    let table = match calendar.at(now) {
        Ok(table) => table,
        Err(stale) => return judgement.unknown(stale),
    };
    let (version, runtime) = (seen.version, seen.runtime);
    let release = format!("{}.{}", version.major, version.minor);
    let is_provided = seen.distribution.mends_releases();
    let is_own = std::ptr::eq(calendar, containerd());
    match table.standing(version.major, version.minor) {
        Standing::Ended(_) if is_provided => {
            let message = format!(
                "the project does not support {release} any more; whether the provider mends {runtime} no object shows"
            );
            judgement.unknown(gap("ProviderSupport", message, Responsibility::Provider));
        }
        Standing::Ended(Some(day)) if is_own && day > table.as_of() => {
            let message = format!(
                "{runtime}: on {} the end of {release} was planned for {day}; whether it was moved is not known",
                table.as_of()
            );
            judgement.unknown(gap("StaleData", message, Responsibility::SelfManaged));
        }
        Standing::Ended(day) => {
            let day = day.map_or_else(|| "long ago".to_owned(), |day| format!("on {day}"));
            let expected = format!("a supported release: the support of {release} ended {day}");
            judgement.fail_at(seen.place, Some(json!(runtime)), &expected);
        }
        Standing::Supported(oldest) if is_own && version.patch < oldest && !is_provided => {
            let expected =
                format!("{release}.{oldest} or newer, as the patches before it are more than a quarter of a year old");
            judgement.fail_at(seen.place, Some(json!(runtime)), &expected);
        }
        Standing::Supported(_) => judgement.pass(),
        Standing::Newer => judgement.unknown(table.newer(runtime)),
    }
}

/// Judges whether the nodes of each pool have one version.
fn are_alike(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let mut first: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
    let said = |node| {
        let node: &ClusterNode = node;
        (pool(node), &*node.status.node_info.container_runtime_version)
    };
    for nodes in at.nodes(judgement, said) {
        let (Some(pool), runtime) = nodes.said else { continue };
        let (other, its) = *first.entry(pool).or_insert((&nodes.node.metadata.name, runtime));
        if runtime == its {
            judgement.pass();
        } else {
            let expected = format!("{its}, as node {other} of pool {pool} has it");
            judgement.fail_at(&nodes.place(RUNTIME), Some(json!(runtime)), &expected);
        }
    }
}

fn gap(reason: &'static str, message: String, responsibility: Responsibility) -> Gap {
    Gap {
        reason,
        message,
        responsibility,
    }
}
