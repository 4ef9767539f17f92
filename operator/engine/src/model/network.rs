//! Objects that say who talks to whom: Services, Ingresses, NetworkPolicies, and what the API server itself calls.

use serde::Deserialize;
use serde_json::Value;

use super::{LabelSelector, Labels, Meta, null_as_default, one_or_many};

/// Transport protocol of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl ServiceSpec {
    /// Whether the Service has pods that Kubernetes finds by labels: neither an alias of a name outside nor endpoints kept by hand.
    pub fn selects_pods(&self) -> bool {
        self.kind.as_deref() != Some("ExternalName") && !self.selector.is_empty()
    }

    /// Whether the Service has no address of its own: clients get those of the pods, and no proxy limits the port.
    pub fn is_headless(&self) -> bool {
        self.cluster_ip.as_deref() == Some("None")
    }

    /// Whether clients outside the cluster can reach it.
    pub fn is_exposed(&self) -> bool {
        matches!(self.kind.as_deref(), Some("NodePort" | "LoadBalancer")) || !self.external_ips.is_empty()
    }
}

impl Protocol {
    /// Every protocol, in the order of the API documentation.
    pub const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// Reads the API's spelling; absent means TCP, as the API server defaults it. `None` for what it would refuse.
    pub fn parse(text: Option<&str>) -> Option<Self> {
        match text {
            None | Some("TCP") => Some(Self::Tcp),
            Some("UDP") => Some(Self::Udp),
            Some("SCTP") => Some(Self::Sctp),
            Some(_) => None,
        }
    }

    /// The API's spelling.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "TCP",
            Self::Udp => "UDP",
            Self::Sctp => "SCTP",
        }
    }
}

/// Trimmed `Service`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Service {
    /// Metadata.
    pub metadata: Meta,
    /// Spec.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: ServiceSpec,
}

/// Trimmed `Service.spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct ServiceSpec {
    #[serde(rename = "type")]
    pub kind: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub selector: Labels,
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Vec<ServicePort>,
    #[serde(rename = "externalIPs", deserialize_with = "null_as_default")]
    pub external_ips: Vec<String>,
    pub external_name: Option<String>,
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub publish_not_ready_addresses: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub load_balancer_source_ranges: Vec<String>,
}

/// One service port. `target_port` is a number or the name of a container port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct ServicePort {
    pub name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub port: i32,
    pub protocol: Option<String>,
    pub target_port: Option<Value>,
    pub node_port: Option<i32>,
}

/// Trimmed `Ingress`: only which Services it sends traffic to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Ingress {
    /// Metadata.
    pub metadata: Meta,
    /// Spec.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: IngressSpec,
}

/// Trimmed `Ingress.spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct IngressSpec {
    pub ingress_class_name: Option<String>,
    pub default_backend: Option<IngressBackend>,
    #[serde(deserialize_with = "null_as_default")]
    pub rules: Vec<IngressRule>,
    #[serde(deserialize_with = "null_as_default")]
    pub tls: Vec<IngressTls>,
}

/// One `tls` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct IngressTls {
    #[serde(deserialize_with = "null_as_default")]
    pub hosts: Vec<String>,
    pub secret_name: Option<String>,
}

/// One ingress rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IngressRule {
    pub host: Option<String>,
    pub http: Option<IngressHttp>,
}

/// `http` of an ingress rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IngressHttp {
    #[serde(deserialize_with = "one_or_many")]
    pub paths: Vec<IngressPath>,
}

/// One path.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IngressPath {
    pub path: Option<String>,
    pub backend: IngressBackend,
}

/// Where an ingress sends traffic.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IngressBackend {
    pub service: Option<IngressServiceBackend>,
    pub resource: Option<serde::de::IgnoredAny>,
}

impl IngressBackend {
    /// Whether it is an object of another kind, such as a bucket.
    pub const fn is_resource(&self) -> bool {
        self.resource.is_some()
    }
}

/// A Service as backend.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IngressServiceBackend {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub port: IngressServicePort,
}

/// Port of a Service, by name or number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IngressServicePort {
    pub name: Option<String>,
    pub number: Option<i32>,
}

/// `NetworkPolicy`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NetworkPolicy {
    /// Metadata, with managed fields: who deleted or changed what is ours.
    pub metadata: Meta,
    /// Spec.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: NetworkPolicySpec,
    /// What in it the API server refuses or drops, or what has no effect.
    #[serde(skip)]
    pub faults: Vec<PolicyFault>,
}

/// A part of a NetworkPolicy that does not do what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFault {
    /// JSON pointer of the part.
    pub pointer: String,
    /// What should stand there.
    pub expected: String,
}

/// `NetworkPolicy.spec`. Absent and empty rule lists differ from a list with an empty rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct NetworkPolicySpec {
    #[serde(deserialize_with = "null_as_default")]
    pub pod_selector: LabelSelector,
    pub policy_types: Option<Vec<String>>,
    #[serde(deserialize_with = "null_as_default")]
    pub ingress: Vec<IngressTraffic>,
    #[serde(deserialize_with = "null_as_default")]
    pub egress: Vec<EgressTraffic>,
}

/// One ingress rule. No `from` means every source, no `ports` every port.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IngressTraffic {
    #[serde(deserialize_with = "null_as_default")]
    pub from: Vec<Peer>,
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Vec<PolicyPort>,
}

/// One egress rule.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct EgressTraffic {
    #[serde(deserialize_with = "null_as_default")]
    pub to: Vec<Peer>,
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Vec<PolicyPort>,
}

/// One peer.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Peer {
    pub pod_selector: Option<LabelSelector>,
    pub namespace_selector: Option<LabelSelector>,
    pub ip_block: Option<IpBlock>,
}

/// A CIDR and its holes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct IpBlock {
    #[serde(deserialize_with = "null_as_default")]
    pub cidr: String,
    #[serde(deserialize_with = "null_as_default")]
    pub except: Vec<String>,
}

/// One port of a rule: number, name or range.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct PolicyPort {
    pub protocol: Option<String>,
    pub port: Option<Value>,
    pub end_port: Option<i32>,
}

/// A Service that the API server itself calls: behind an admission webhook, an APIService or a CRD conversion. Closing its namespace could stop the cluster
/// (`safety.md`, story 43).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ApiServerBackend {
    /// Namespace of the Service.
    pub namespace: String,
    /// Name of the Service.
    pub service: String,
    /// What calls it: `ValidatingWebhookConfiguration x`, `APIService v1.y`.
    pub caller: String,
}

impl NetworkPolicySpec {
    /// Whether ingress of the selected pods is restricted. Ingress is implied when `policyTypes` is absent or empty (NetworkPolicy API reference; the API
    /// server fills it in where it has no item).
    pub fn restricts_ingress(&self) -> bool {
        self.types().is_none_or(|types| types.iter().any(|t| t == "Ingress"))
    }

    fn types(&self) -> Option<&Vec<String>> {
        self.policy_types.as_ref().filter(|types| !types.is_empty())
    }

    /// Whether egress of the selected pods is restricted. Implied by egress rules when `policyTypes` is absent or empty.
    pub fn restricts_egress(&self) -> bool {
        match self.types() {
            Some(types) => types.iter().any(|t| t == "Egress"),
            None => !self.egress.is_empty(),
        }
    }
}
