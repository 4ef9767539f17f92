//! Whose Kubernetes it is, by facts that are in plain sight: how the API server names its version, what nodes are labelled with and which system they run, what an
//! installer leaves in kube-system.

use super::channel::Channel;
use crate::controls::{Component, Responsibility};
use crate::model::{ClusterNode, Kind, ObjectRef, Resource};
use crate::world::Snapshot;

/// A distribution of Kubernetes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // Each is its own name.
pub enum Distribution {
    /// None of the others shows itself.
    #[default]
    Upstream,
    Kubeadm,
    Kind,
    K3s,
    Rke2,
    Talos,
    Eks,
    Gke,
    Aks,
    OpenShift,
}

impl Distribution {
    /// Every distribution.
    pub const ALL: [Self; 10] = [
        Self::Upstream,
        Self::Kubeadm,
        Self::Kind,
        Self::K3s,
        Self::Rke2,
        Self::Talos,
        Self::Eks,
        Self::Gke,
        Self::Aks,
        Self::OpenShift,
    ];

    /// Name as its makers write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upstream => "none recognised",
            Self::Kubeadm => "kubeadm",
            Self::Kind => "kind",
            Self::K3s => "k3s",
            Self::Rke2 => "RKE2",
            Self::Talos => "Talos",
            Self::Eks => "EKS",
            Self::Gke => "GKE",
            Self::Aks => "AKS",
            Self::OpenShift => "OpenShift",
        }
    }

    /// By what it is recognised.
    pub const fn recognised_by(self) -> &'static str {
        match self {
            Self::Upstream => "nothing of the below",
            Self::Kubeadm => "ConfigMap kubeadm-config in kube-system",
            Self::Kind => "provider ID of a node begins with kind://",
            Self::K3s => "+k3s in the version",
            Self::Rke2 => "+rke2 in the version",
            Self::Talos => "operating system of a node: Talos",
            Self::Eks => "-eks- in the version; node labels eks.amazonaws.com/…; no node of the control plane",
            Self::Gke => "-gke. in the version; node labels cloud.google.com/gke-…; no node of the control plane",
            Self::Aks => "node labels kubernetes.azure.com/…; no node of the control plane",
            Self::OpenShift => "node label node.openshift.io/os_id",
        }
    }

    /// Of a version such as `v1.33.1-eks-595af52` or `v1.33.1+k3s1`.
    pub fn of_version(version: &str) -> Self {
        let marks = [
            ("-eks-", Self::Eks),
            ("-gke.", Self::Gke),
            ("+k3s", Self::K3s),
            ("+rke2", Self::Rke2),
        ];
        let found = marks.into_iter().find(|(mark, _)| version.contains(mark));
        found.map_or(Self::Upstream, |(_, distribution)| distribution)
    }

    /// Of a cluster: what the version says, else what nodes and kube-system show.
    ///
    /// A provider's build of Kubernetes is no provider's cluster: EKS Anywhere and GKE's clusters elsewhere run it on nodes of their owner, those of the control
    /// plane among them.
    pub fn of_cluster(by_version: Self, world: &Snapshot) -> Self {
        let is_owned = || nodes(world).any(ClusterNode::is_control_plane);
        let is_possible = |found: &Self| !(found.hides_control_plane() && is_owned());
        let by_nodes = || nodes(world).find_map(Self::of_node);
        let named = (by_version != Self::Upstream).then_some(by_version);
        if let Some(found) = named.filter(is_possible).or_else(|| by_nodes().filter(is_possible)) {
            return found;
        }
        let left_by_kubeadm = ObjectRef::new(Kind::ConfigMap, "kube-system", "kubeadm-config");
        if world.resource(&left_by_kubeadm).is_some() {
            return Self::Kubeadm;
        }
        Self::Upstream
    }

    /// By what a node shows of itself.
    pub fn of_node(node: &ClusterNode) -> Option<Self> {
        let by_label = LABELS.into_iter().find(|(prefix, _)| {
            let mut keys = node.metadata.labels.keys();
            keys.any(|key| key.starts_with(prefix))
        });
        if let Some((_, distribution)) = by_label {
            return Some(distribution);
        }
        if node.spec.provider_id.starts_with("kind://") {
            return Some(Self::Kind);
        }
        let of_version = Self::of_version(&node.status.node_info.kubelet_version);
        let is_talos = node.status.node_info.os_image.starts_with("Talos");
        match of_version {
            Self::Upstream => is_talos.then_some(Self::Talos),
            named => Some(named),
        }
    }

    /// Whether its makers mend releases by themselves, and for longer than the projects that these are from.
    pub const fn mends_releases(self) -> bool {
        matches!(self, Self::Eks | Self::Gke | Self::Aks | Self::OpenShift)
    }

    /// Whether somebody else runs the control plane, out of its owner's sight.
    pub const fn hides_control_plane(self) -> bool {
        matches!(self, Self::Eks | Self::Gke | Self::Aks)
    }

    /// Whether all components are parts of one process, so that no pod shows their arguments.
    pub const fn is_one_process(self) -> bool {
        matches!(self, Self::K3s)
    }

    /// Who can change what is not to be seen of a component.
    pub const fn responsibility(self, component: Component) -> Responsibility {
        if self.hides_control_plane() && is_control_plane(component) {
            Responsibility::Provider
        } else {
            Responsibility::SelfManaged
        }
    }

    /// What shows a component in a plain installation. Verdicts do not rest on it: they follow what is seen.
    pub fn channels(self, component: Component) -> Vec<Channel> {
        let has_static_pods = matches!(
            self,
            Self::Upstream | Self::Kubeadm | Self::Kind | Self::Rke2 | Self::Talos | Self::OpenShift
        );
        let has_corefile = self != Self::Gke;
        let has_proxy_pods = !matches!(self, Self::K3s | Self::OpenShift);
        let documents = matches!(self, Self::Kubeadm | Self::Kind);
        let all: &[(Channel, bool)] = match component {
            Component::KubeApiserver => &[
                (Channel::Flagz, true),
                (Channel::Metrics, true),
                (Channel::Anonymous, true),
                (Channel::Arguments, has_static_pods),
            ],
            Component::Etcd | Component::KubeScheduler | Component::KubeControllerManager => {
                &[(Channel::Arguments, has_static_pods)]
            }
            // Only where a cloud's own manager was installed by hand.
            Component::CloudControllerManager => &[(Channel::Arguments, !self.hides_control_plane())],
            Component::ContainerRuntime => &[(Channel::Nodes, true), (Channel::Workloads, true)],
            Component::Kubelet => &[
                (Channel::Configz, true),
                (Channel::ConfigMap, documents),
                (Channel::Nodes, true),
            ],
            Component::KubeProxy => &[
                (Channel::Arguments, has_proxy_pods),
                (Channel::ConfigMap, documents || matches!(self, Self::Eks)),
            ],
            Component::ClusterDns => &[(Channel::ConfigMap, has_corefile)],
            Component::Workloads => &[(Channel::Workloads, true)],
        };
        let shown = all.iter().filter(|(_, is_there)| *is_there);
        shown.map(|(channel, _)| *channel).collect()
    }
}

/// How labels begin that the provider or the installer sets on every node.
const LABELS: [(&str, Distribution); 4] = [
    ("eks.amazonaws.com/", Distribution::Eks),
    ("cloud.google.com/gke-", Distribution::Gke),
    ("kubernetes.azure.com/", Distribution::Aks),
    ("node.openshift.io/os_id", Distribution::OpenShift),
];

/// Whether a component belongs to the control plane.
pub(super) const fn is_control_plane(component: Component) -> bool {
    matches!(
        component,
        Component::KubeApiserver
            | Component::Etcd
            | Component::KubeScheduler
            | Component::KubeControllerManager
            | Component::CloudControllerManager
    )
}

fn nodes(world: &Snapshot) -> impl Iterator<Item = &ClusterNode> {
    let shard = world.shard("").into_iter();
    shard
        .flat_map(|shard| &shard.resources)
        .filter_map(|(_, resource)| match &**resource {
            Resource::Node(node) => Some(node),
            _ => None,
        })
}
