//! Live pods: what they run as and how they fare. Their spec belongs to their workload; a bare pod is a workload itself.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use super::network::Protocol;
use super::template::ContainerPort;
use super::{Meta, null_as_default};

/// Trimmed `Pod`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Pod {
    /// Metadata without managed fields.
    #[serde(deserialize_with = "Meta::without_writers")]
    pub metadata: Meta,
    /// Placement only.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: PodPlacement,
    /// Status.
    #[serde(deserialize_with = "null_as_default")]
    pub status: PodStatus,
}

/// The spec fields of a live pod that do not come from its template, or that network rules need.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct PodPlacement {
    pub node_name: Option<String>,
    pub host_network: Option<bool>,
    pub service_account_name: Option<String>,
    /// Number of ephemeral containers matters, their content does not.
    #[serde(deserialize_with = "null_as_default")]
    pub ephemeral_containers: Vec<serde::de::IgnoredAny>,
    /// Ports that the containers declare, injected containers included: what named ports of Services and NetworkPolicies mean for this pod.
    #[serde(rename = "containers", deserialize_with = "declared_ports")]
    pub ports: Box<[DeclaredPort]>,
    /// The same of init containers that keep running (`restartPolicy: Always`).
    #[serde(rename = "initContainers", deserialize_with = "sidecar_ports")]
    pub sidecar_ports: Box<[DeclaredPort]>,
}

/// A port that a container of a live pod declares; small, because there are many pods.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeclaredPort {
    /// Name, if it has one.
    pub name: Option<Box<str>>,
    /// Protocol.
    pub protocol: Protocol,
    /// Port of the pod.
    pub port: u16,
    /// Whether the node forwards a port of its own to it (`hostPort`).
    pub on_host: bool,
}

/// Trimmed `Pod.status`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct PodStatus {
    pub phase: Option<String>,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub start_time: Option<jiff::Timestamp>,
    /// Address of its node: where its kubelet listens.
    #[serde(rename = "hostIP", deserialize_with = "address")]
    pub host_ip: Option<IpAddr>,
    /// Readiness, and what is wrong; nothing reads a condition that says that all is well.
    #[serde(deserialize_with = "telling")]
    pub conditions: Box<[PodCondition]>,
    #[serde(deserialize_with = "null_as_default")]
    pub container_statuses: Box<[ContainerStatus]>,
    #[serde(deserialize_with = "null_as_default")]
    pub init_container_statuses: Box<[ContainerStatus]>,
    #[serde(deserialize_with = "null_as_default")]
    pub ephemeral_container_statuses: Box<[ContainerStatus]>,
}

/// One pod condition.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct PodCondition {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_as_default")]
    pub status: String,
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
    pub last_transition_time: Option<jiff::Timestamp>,
}

/// Trimmed container status.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct ContainerStatus {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub ready: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub restart_count: i32,
    /// Shared by the pods of one controller.
    #[serde(rename = "imageID", deserialize_with = "shared_text")]
    pub image_id: Arc<str>,
    #[serde(deserialize_with = "null_as_default")]
    pub state: ContainerState,
    #[serde(deserialize_with = "null_as_default")]
    pub last_state: ContainerState,
    pub user: Option<ContainerUser>,
}

/// `waiting`, `running` or `terminated`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ContainerState {
    pub waiting: Option<Box<Waiting>>,
    pub running: Option<Running>,
    pub terminated: Option<Box<Terminated>>,
}

/// Why a container does not run yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Waiting {
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
}

/// Since when a container runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Running {
    pub started_at: Option<jiff::Timestamp>,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Terminated {
    #[serde(deserialize_with = "null_as_default")]
    pub exit_code: i32,
    #[serde(deserialize_with = "null_as_default")]
    pub reason: String,
    #[serde(deserialize_with = "null_as_default")]
    pub message: String,
    pub finished_at: Option<jiff::Timestamp>,
}

/// The identity that a container's first process really has (SupplementalGroupsPolicy, on since 1.33, where the runtime reports it).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ContainerUser {
    pub linux: Option<LinuxUser>,
}

/// Linux identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct LinuxUser {
    #[serde(deserialize_with = "null_as_default")]
    pub uid: i64,
    #[serde(deserialize_with = "null_as_default")]
    pub gid: i64,
}

impl DeclaredPort {
    /// The declared ports of a container; those that the API server would refuse are left out.
    pub fn of(ports: &[ContainerPort]) -> impl Iterator<Item = Self> {
        ports.iter().filter_map(|port| {
            Some(Self {
                name: port.name.as_deref().map(Into::into),
                protocol: Protocol::parse(port.protocol.as_deref())?,
                port: u16::try_from(port.container_port).ok().filter(|port| *port != 0)?,
                on_host: port.host_port.is_some_and(|port| port != 0),
            })
        })
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct PortsOfContainer {
    #[serde(deserialize_with = "null_as_default")]
    ports: Vec<ContainerPort>,
    restart_policy: Option<String>,
}

fn telling<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[PodCondition]>, D::Error> {
    const WELL: [&str; 4] = [
        "PodScheduled",
        "Initialized",
        "ContainersReady",
        "PodReadyToStartContainers",
    ];
    let conditions: Vec<PodCondition> = null_as_default(deserializer)?;
    let tells = |condition: &PodCondition| condition.status != "True" || !WELL.contains(&condition.kind.as_str());
    Ok(conditions.into_iter().filter(tells).collect())
}

/// What is no address is none, and makes no pod unreadable.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<IpAddr>, D::Error> {
    null_as_default::<_, String>(deserializer).map(|text| text.parse().ok())
}

fn shared_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<str>, D::Error> {
    null_as_default::<_, String>(deserializer).map(Into::into)
}

fn declared_ports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[DeclaredPort]>, D::Error> {
    let containers: Vec<PortsOfContainer> = null_as_default(deserializer)?;
    Ok(containers.iter().flat_map(|c| DeclaredPort::of(&c.ports)).collect())
}

fn sidecar_ports<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<[DeclaredPort]>, D::Error> {
    let containers: Vec<PortsOfContainer> = null_as_default(deserializer)?;
    Ok(containers
        .iter()
        .filter(|c| c.restart_policy.as_deref() == Some("Always"))
        .flat_map(|c| DeclaredPort::of(&c.ports))
        .collect())
}

impl Pod {
    /// Takes what says the same from another pod of its controller instead of keeping a second copy: there are many pods.
    pub(crate) fn share_with(&mut self, sibling: &Self) {
        self.metadata.share_with(&sibling.metadata);
        let (own, of_sibling) = (&mut self.status, &sibling.status);
        for (own, of_sibling) in [
            (&mut own.container_statuses, &of_sibling.container_statuses),
            (&mut own.init_container_statuses, &of_sibling.init_container_statuses),
        ] {
            for (own, of_sibling) in own.iter_mut().zip(of_sibling) {
                if own.image_id == of_sibling.image_id {
                    own.image_id = Arc::clone(&of_sibling.image_id);
                }
            }
        }
    }

    /// Whether the kubelet reports the pod Ready.
    pub fn is_ready(&self) -> bool {
        self.status
            .conditions
            .iter()
            .any(|c| c.kind == "Ready" && c.status == "True")
    }

    /// Whether none of its containers runs or will run again.
    pub fn has_ended(&self) -> bool {
        matches!(self.status.phase.as_deref(), Some("Failed" | "Succeeded"))
    }

    /// When the pod became Ready, if it is.
    pub fn ready_since(&self) -> Option<jiff::Timestamp> {
        self.status
            .conditions
            .iter()
            .find(|c| c.kind == "Ready" && c.status == "True")
            .and_then(|c| c.last_transition_time)
    }
}
