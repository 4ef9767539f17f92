//! `spec.network`: which namespaces' traffic is closed by default, and what stays open.

use std::collections::BTreeSet;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::selector::LabelSelector;

/// Generated network policies: a default deny, and the allows that keep known traffic open. No generated policy adds an edge that was not there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSettings {
    /// Directions that are closed by default in the namespaces of this policy: Ingress, Egress. Absent or empty: none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub isolate: BTreeSet<IsolationDirection>,
    /// Where the allows beside a default deny come from. Inferred: from Services, Ingresses, probes and scrape settings that exist. Default: Inferred.
    #[serde(default)]
    pub allows: InferredAllows,
    /// Access of pods to the cloud's instance metadata service: Allow (no policy is generated) or Deny. Default: Allow.
    #[serde(default)]
    pub metadata_service: MetadataServiceAccess,
    /// Traffic that is kept open beside the inferred allows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub extra_allows: Vec<ExtraAllow>,
}

/// A direction of traffic that is closed by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum IsolationDirection {
    /// Traffic to pods.
    Ingress,
    /// Traffic from pods.
    Egress,
}

/// Where allows come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum InferredAllows {
    /// From what exists: Services, Ingresses, probes, scrape settings.
    #[default]
    Inferred,
}

/// Access of pods to the cloud's instance metadata service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum MetadataServiceAccess {
    /// Left as it is.
    #[default]
    Allow,
    /// Cut where it can be cut without opening anything else.
    Deny,
}

/// Traffic that is kept open.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.peers) || has(self.ports)")
        .message("would keep everything open: give peers, ports or both")
        .reason(Reason::FieldValueRequired)
)]
pub struct ExtraAllow {
    /// The allow's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// The direction, seen from the selected pods: Ingress or Egress.
    pub direction: AllowDirection,
    /// The pods whose traffic is kept open. Absent or {}: all pods of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub pod_selector: Option<LabelSelector>,
    /// The other ends. Absent: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub peers: Vec<AllowPeer>,
    /// Destination ports. Absent: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["protocol".into(), "port".into()]))]
    pub ports: Vec<AllowPort>,
}

/// A direction, seen from the selected pods.
pub type AllowDirection = IsolationDirection;

/// The other end of allowed traffic: pods, or addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.cidr) != (has(self.namespaceSelector) || has(self.podSelector))")
        .message("is either addresses (cidr) or pods (namespaceSelector, podSelector)"),
    validation = Rule::new("!has(self.cidr) || isCIDR(self.cidr)")
        .message("is not an address range such as 10.0.0.0/8 or fd00::/8")
        .field_path(".cidr")
)]
pub struct AllowPeer {
    /// The peer's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Namespaces of the peer's pods. Absent: the policy's own namespace. {}: all namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub namespace_selector: Option<LabelSelector>,
    /// The peer's pods. Absent or {}: all pods of those namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub pod_selector: Option<LabelSelector>,
    /// Addresses outside the cluster, such as 203.0.113.0/24 or 2001:db8::/32.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub cidr: Option<String>,
}

/// A destination port or range of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.endPort) || self.endPort >= self.port")
        .message("is below port")
        .field_path(".endPort")
)]
pub struct AllowPort {
    /// The protocol: TCP, UDP or SCTP.
    pub protocol: Protocol,
    /// The port, or the first of a range.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The last port of a range. Absent: one port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65535))]
    pub end_port: Option<u16>,
}

/// A protocol, spelled as in the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}
