//! NODE-002 Operating system of nodes out of support, or not the same in one pool

use std::collections::BTreeMap;

use serde_json::json;

use crate::components::{ComponentScope, pool};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{
    Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity, Threat,
};
use crate::model::literal::escape;
use crate::model::{ClusterNode, Kind};
use crate::releases::{SystemStanding, systems};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NODE-002"),
    title: "Operating system of nodes out of support, or not the same in one pool",
    severity: Severity::Medium,
    component: Component::Kubelet,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[nsa(&["U-01", "P-16", "P-17"]), mitre(&["T1068"])],
    docs: Docs {
        why: "All containers of a node share its kernel: one hole in it that nobody closes any more leads out of every one of them. A node with another kernel than the others of its pool was left out when those were patched.",
        reads: "`status.nodeInfo.osImage` and `status.nodeInfo.kernelVersion` of Nodes, as kubelets report them; labels that name the pool of a node, and those of Node Feature Discovery about SELinux; a table of operating systems with a date and its sources (`operator/engine/src/releases/systems.json`).",
        allowed: "A release that gets fixes for everybody. Unknown where only those get them who pay (Ubuntu Pro, extended support), for systems that do not name their release or are replaced as a whole (Bottlerocket, Container-Optimized OS, Talos, Flatcar), for others that the table does not have, and once it is older than 180 days. In each pool one system and one kernel; while a pool is being replaced it has two. SELinux on nodes of the Red Hat family where Node Feature Discovery labels them; AppArmor and SELinux of other nodes no object shows. Kernels are judged by their system alone, which mends old ones.",
        repair: "None: replace the nodes by ones with a newer image, one after another (EKS: a new AMI of the node group; GKE and AKS: the upgrade of the node pool; Talos: `talosctl upgrade`; kubeadm, k3s and RKE2: drain the node, upgrade the system, uncordon it).",
        breaks: "Pods of drained nodes restart; what needs modules of the old kernel.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Upgrading and application security practices; Kubernetes Pod security",
            "The life cycle pages of each system, by endoflife.date",
            "Node Feature Discovery, Feature labels",
        ],
    },
    needs: &[Need { kind: Kind::Node }],
    // Nothing but Nodes, which every check of components may look at.
    check: Check::Component(&[], check),
    ..Control::COMPONENT
};

const IMAGE: &str = "/status/nodeInfo/osImage";
const KERNEL: &str = "/status/nodeInfo/kernelVersion";

/// Systems that have SELinux on unless somebody turned it off.
const RED_HAT: [&str; 6] = ["Red Hat", "CentOS", "Rocky", "AlmaLinux", "Oracle Linux", "Fedora"];

const DISCOVERED: &str = "feature.node.kubernetes.io/";
const SELINUX: &str = "feature.node.kubernetes.io/kernel-selinux.enabled";

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let Some(now) = at.now else { return };
    judgement.witness();
    for nodes in at.nodes(judgement, |node| &*node.status.node_info.os_image) {
        let place = nodes.place(IMAGE);
        match systems().standing(nodes.said, now) {
            Err(stale) => judgement.unknown(stale),
            Ok(standing) => is_supported(standing, nodes.said, &nodes.node.metadata.name, &place, judgement),
        }
    }
    for nodes in at.nodes(judgement, lacks_selinux).iter().filter(|nodes| nodes.said) {
        let place = nodes.place(&format!("/metadata/labels/{}", escape(SELINUX)));
        judgement.fail_at(&place, None, "true: SELinux is on");
    }
    are_alike(at, judgement);
}

fn is_supported(standing: SystemStanding, image: &str, name: &str, place: &str, judgement: &mut Judgement) {
    let (reason, why) = match standing {
        SystemStanding::Supported => return judgement.pass(),
        SystemStanding::Ended(day) => {
            let expected = format!("a system that gets fixes: those of this one ended on {day}");
            return judgement.fail_at(place, Some(json!(image)), &expected);
        }
        SystemStanding::Extended(since, until) => (
            "ExtendedSupport",
            format!(
                "only who pays gets fixes of {image} since {since}, until {until}; whether node {name} gets them no object shows"
            ),
        ),
        SystemStanding::UnknownRelease => (
            "UnknownRelease",
            format!("{image} of node {name}: until when this release is supported is not known"),
        ),
        SystemStanding::UnknownSystem if image.is_empty() => {
            ("Malformed", format!("node {name} does not name its operating system"))
        }
        SystemStanding::UnknownSystem => (
            "UnknownRelease",
            format!("{image} of node {name} is a system of which nothing is known"),
        ),
    };
    judgement.unknown(Gap {
        reason,
        message: why,
        responsibility: Responsibility::SelfManaged,
    });
}

/// Whether a node has a label for what its kernel can do, and none that says that SELinux is on although its system has it.
fn lacks_selinux(node: &ClusterNode) -> bool {
    let labels = &node.metadata.labels;
    let is_of_family = RED_HAT
        .iter()
        .any(|name| node.status.node_info.os_image.starts_with(name));
    let is_discovered = labels.keys().any(|label| label.starts_with(DISCOVERED));
    is_of_family && is_discovered && labels.get(SELINUX).is_none_or(|value| value != "true")
}

/// Judges whether the nodes of each pool have one system and one kernel.
fn are_alike(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let mut first: BTreeMap<&str, (&str, &str, &str)> = BTreeMap::new();
    let said = |node| {
        let node: &ClusterNode = node;
        let info = &node.status.node_info;
        (pool(node), &*info.os_image, &*info.kernel_version)
    };
    for nodes in at.nodes(judgement, said) {
        let (Some(pool), image, kernel) = nodes.said else {
            continue;
        };
        let name = nodes.node.metadata.name.as_str();
        let (other, its_image, its_kernel) = *first.entry(pool).or_insert((name, image, kernel));
        let expected = |it: &str| format!("{it}, as node {other} of pool {pool} has it");
        if image != its_image {
            judgement.fail_at(&nodes.place(IMAGE), Some(json!(image)), &expected(its_image));
        } else if kernel != its_kernel {
            judgement.fail_at(&nodes.place(KERNEL), Some(json!(kernel)), &expected(its_kernel));
        } else {
            judgement.pass();
        }
    }
}
