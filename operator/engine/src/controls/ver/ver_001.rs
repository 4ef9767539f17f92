//! VER-001 Kubernetes out of support, or its versions too far apart

use serde_json::Value;

use crate::components::{ComponentScope, Distribution, Version};
use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity};
use crate::model::Kind;
use crate::model::image::Image;
use crate::releases::{Standing, Table, kubernetes};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("VER-001"),
    title: "Kubernetes out of support, or its versions too far apart",
    severity: Severity::High,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["U-01", "U-05"]),
        kubescape(&["C-0273"]),
        mitre(&["T1190", "T1068"]),
    ],
    docs: Docs {
        why: "Holes in a release that nobody supports stay open, and their descriptions are public. A kubelet that is too far from its API server is tested by nobody: fields that protect a pod may be dropped in silence.",
        reads: "The version that the API server names, `status.nodeInfo.kubeletVersion` of Nodes, the image tag of containers that run `kube-proxy`, `kube-scheduler` and `kube-controller-manager`; a table of the upstream's releases that Ironside brings along, which names its day and its sources (`operator/engine/src/releases/kubernetes.json`).",
        allowed: "A minor release before its end of life, at a patch that is at most about a quarter of a year behind. Kubelets and kube-proxy at most three minor releases behind the API server, scheduler and controller manager at most one, none ahead. Unknown once the table is older than 180 days, for a release that is newer than it, and for EKS, GKE, AKS and OpenShift after the upstream's end of life, where their own support counts. In files only the support of the kubelet is judged: no API server is there to compare it with.",
        repair: "None: upgrade the control plane one minor release after another, then drain and upgrade the nodes. Before, look for APIs that the next release leaves out.",
        breaks: "Whatever uses an API that the next release has left out; pods of drained nodes restart.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Upgrading and application security practices",
            "Kubernetes documentation, Version Skew Policy",
            "Kubernetes documentation, Releases, End of Life dates of each series",
        ],
    },
    needs: &[Need { kind: Kind::Pod }, Need { kind: Kind::Node }],
    // Beside the API server itself and Nodes, which every check of components may look at.
    check: Check::Component(
        &[
            Component::KubeProxy,
            Component::KubeScheduler,
            Component::KubeControllerManager,
        ],
        check,
    ),
    ..Control::COMPONENT
};

/// Minor releases that kubelets and kube-proxy may be behind the API server (Version Skew Policy, since 1.28).
const NODE: u32 = 3;

/// Those that the rest of the control plane may be: one, while it is upgraded.
const CONTROL_PLANE: u32 = 1;

/// Whose image names the version, and how many minor releases it may be behind.
const BY_IMAGE: [(Component, u32); 3] = [
    (Component::KubeProxy, NODE),
    (Component::KubeScheduler, CONTROL_PLANE),
    (Component::KubeControllerManager, CONTROL_PLANE),
];

const KUBELET: &str = "/status/nodeInfo/kubeletVersion";

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    // A workload has no time; what it runs is judged in its cluster.
    let Some(now) = at.now else { return };
    judgement.witness();
    let table = match kubernetes().at(now) {
        Ok(table) => Some(table),
        Err(stale) => {
            judgement.unknown(stale);
            None
        }
    };
    let by_provider = at.distribution().mends_releases();
    let server = at.version().filter(|version| version.major == 1);
    if at.is_cluster() {
        match server {
            Some(version) => is_supported(version, "/version", by_provider, table, judgement),
            None => judgement.unknown(Gap {
                reason: "NotObservable",
                message: "the API server has not named its version".to_owned(),
                responsibility: Responsibility::SelfManaged,
            }),
        }
    }
    for nodes in at.nodes(judgement, |node| node.status.node_info.kubelet_version.as_str()) {
        let place = nodes.place(KUBELET);
        match Version::parse(nodes.said).filter(|version| version.major == 1) {
            Some(version) => {
                is_supported(&version, &place, by_provider, table, judgement);
                is_near(&version, NODE, server, &place, judgement);
            }
            None => judgement.unknown(Gap {
                reason: "Malformed",
                message: format!(
                    "node {} names no version of its kubelet that can be read",
                    nodes.node.metadata.name
                ),
                responsibility: Responsibility::SelfManaged,
            }),
        }
    }
    for (component, behind) in BY_IMAGE {
        for process in at.processes(component) {
            // An image without such a tag does not tell what it holds.
            let tag = process.runs_in.and_then(|container| Image::parse(&container.image).tag);
            if let Some(version) = tag.and_then(Version::parse).filter(|version| version.major == 1) {
                is_near(
                    &version,
                    behind,
                    server,
                    &format!("{}/image", process.pointer),
                    judgement,
                );
            }
        }
    }
}

fn is_supported(
    version: &Version,
    place: &str,
    by_provider: bool,
    table: Option<Table<'_>>,
    judgement: &mut Judgement,
) {
    let Some(table) = table else { return };
    let (minor, patch) = (version.minor, version.patch);
    // Providers patch releases by themselves, and for longer.
    let is_provided = by_provider || Distribution::of_version(version.as_str()).mends_releases();
    let observed = || Some(Value::from(version.as_str()));
    match table.standing(version.major, minor) {
        Standing::Ended(_) if is_provided => judgement.unknown(Gap {
            reason: "ProviderSupport",
            message: format!(
                "the upstream does not support 1.{minor} any more; whether the provider still does for {version} no object shows"
            ),
            responsibility: Responsibility::Provider,
        }),
        Standing::Ended(last) => {
            let last = last.map_or_else(|| "long ago".to_owned(), |day| format!("on {day}"));
            let expected = format!("a supported release: the support of 1.{minor} ended {last}");
            judgement.fail_at(place, observed(), &expected);
        }
        Standing::Supported(oldest) if patch < oldest && !is_provided => {
            let expected = format!("1.{minor}.{oldest} or newer, as the patches before it are more than a quarter of a year old");
            judgement.fail_at(place, observed(), &expected);
        }
        Standing::Supported(_) => judgement.pass(),
        Standing::Newer => judgement.unknown(table.newer(version.as_str())),
    }
}

fn is_near(version: &Version, behind: u32, server: Option<&Version>, place: &str, judgement: &mut Judgement) {
    let Some(server) = server else { return };
    let is_ahead = version.minor > server.minor;
    if is_ahead || version.minor.saturating_add(behind) < server.minor {
        let releases = if behind == 1 {
            "one minor release"
        } else {
            &format!("{behind} minor releases")
        };
        let expected = format!("at most {releases} behind the API server ({server}), and never ahead of it");
        judgement.fail_at(place, Some(version.as_str().into()), &expected);
    } else {
        judgement.pass();
    }
}
