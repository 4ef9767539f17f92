//! Nodes, as far as their objects show what runs on them. (`node` holds the tree of values that any object is read from.)

use serde::Deserialize;

use super::{Meta, null_as_default};

/// Trimmed `Node`. Conditions and images move with every heartbeat and are left out.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ClusterNode {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Meta,
    /// Spec.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: NodeSpec,
    /// Status.
    #[serde(deserialize_with = "null_as_default")]
    pub status: NodeStatus,
}

/// Labels of nodes of the control plane, and keys of the taints that keep other pods off them.
pub const CONTROL_PLANE: [&str; 2] = [
    "node-role.kubernetes.io/control-plane",
    "node-role.kubernetes.io/master",
];

impl ClusterNode {
    /// Whether it is labelled as one of the control plane. Providers that run the control plane themselves show no such node.
    pub fn is_control_plane(&self) -> bool {
        let labels = &self.metadata.labels;
        CONTROL_PLANE.iter().any(|role| labels.contains_key(role))
    }
}

/// Trimmed `Node.spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSpec {
    /// Whether it takes no further pods.
    #[serde(deserialize_with = "null_as_default")]
    pub unschedulable: bool,
    /// What keeps pods away.
    #[serde(deserialize_with = "null_as_default")]
    pub taints: Vec<Taint>,
    /// Which machine of which provider it is: `aws:///eu-west-1a/i-0abc`, `kind://docker/kind/kind-control-plane`.
    #[serde(rename = "providerID", deserialize_with = "null_as_default")]
    pub provider_id: Box<str>,
    /// Ranges of the addresses of its pods, where the cluster gives each node its own.
    #[serde(rename = "podCIDRs", deserialize_with = "null_as_default")]
    pub pod_cidrs: Vec<String>,
}

/// Trimmed `Taint`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // As the API names them.
pub struct Taint {
    #[serde(deserialize_with = "null_as_default")]
    pub key: String,
    #[serde(deserialize_with = "null_as_default")]
    pub effect: String,
}

/// Trimmed `Node.status`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    /// What the kubelet says of the machine and of itself.
    #[serde(deserialize_with = "null_as_default")]
    pub node_info: NodeInfo,
    /// Where it is reached.
    #[serde(deserialize_with = "null_as_default")]
    pub addresses: Vec<NodeAddress>,
}

/// Trimmed `NodeAddress`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NodeAddress {
    /// An IP address or a name.
    #[serde(deserialize_with = "null_as_default")]
    pub address: String,
}

/// Trimmed `Node.status.nodeInfo`. Not `kubeProxyVersion`: kubelets set it to their own version until it was taken out (KEP-4004).
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeInfo {
    /// Version of the kubelet, such as `v1.36.2` or `v1.35.3-eks-abc`.
    #[serde(deserialize_with = "null_as_default")]
    pub kubelet_version: String,
    /// Operating system, such as `Ubuntu 24.04.1 LTS`.
    #[serde(deserialize_with = "null_as_default")]
    pub os_image: Box<str>,
    /// Version of the kernel.
    #[serde(deserialize_with = "null_as_default")]
    pub kernel_version: Box<str>,
    /// Container runtime, such as `containerd://2.1.5`.
    #[serde(deserialize_with = "null_as_default")]
    pub container_runtime_version: Box<str>,
}
