//! `status` of both policy kinds, written by the operator only.

use std::collections::BTreeSet;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Condition;
use crate::is_default;

/// What Ironside found under this policy. Counts are written at most every 30 s and only when they change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::status)]
pub struct PolicyStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, ControlsResolved, PermissionsGranted, ApprovalGuarded, Compliant, RemediationStopped, Paused, Stalled, Reconciling.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Passed of passed and failed, weighted by severity, in percent. Unknown results do not count here; they lower coveragePercent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub score_percent: Option<u32>,
    /// What could be looked at of what should have been, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub coverage_percent: Option<u32>,
    /// Number of controls by result.
    #[serde(default, skip_serializing_if = "is_default")]
    pub controls: ControlCounts,
    /// Number of controls by result for each component of the NSA/CISA guide, and for the workloads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub components: Vec<ComponentStatus>,
    /// Number of controls by result for each threat of the NSA/CISA guide.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub threats: Vec<ThreatStatus>,
    /// Number of repairs by state.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remediations: RemediationCounts,
    /// Namespaces that this policy would select but leaves out, such as system namespaces; the first 32 by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exempt_namespaces: BTreeSet<String>,
}

/// Number of controls by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ControlCounts {
    /// Controls that every object passes.
    #[serde(default)]
    pub passed: u32,
    /// Controls that some object fails.
    #[serde(default)]
    pub failed: u32,
    /// Controls that apply to nothing here.
    #[serde(default)]
    pub not_applicable: u32,
    /// Controls that could not be evaluated.
    #[serde(default)]
    pub unknown: u32,
    /// Controls whose every failure is covered by an exception.
    #[serde(default)]
    pub excepted: u32,
}

/// Number of controls by result for one component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// The component.
    pub name: Component,
    /// Controls that pass.
    pub passed: u32,
    /// Controls that fail.
    pub failed: u32,
    /// Controls that could not be evaluated.
    pub unknown: u32,
    /// Who can change this component: Self (the owner of the cluster) or Provider (a managed control plane).
    pub responsibility: Responsibility,
    /// Controls that pass of those that pass or fail, in percent, rounded down; absent if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub score_percent: Option<u32>,
    /// Controls that could be evaluated, in percent, rounded down; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub coverage_percent: Option<u32>,
}

/// A component of a cluster, as the NSA/CISA guide names them, or the workloads that run on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Component {
    /// kube-apiserver.
    KubeApiserver,
    /// etcd.
    Etcd,
    /// kube-scheduler.
    KubeScheduler,
    /// kube-controller-manager.
    KubeControllerManager,
    /// cloud-controller-manager.
    CloudControllerManager,
    /// The container runtime.
    ContainerRuntime,
    /// kubelet.
    Kubelet,
    /// kube-proxy.
    KubeProxy,
    /// The cluster's DNS.
    ClusterDns,
    /// Everything that runs on the cluster.
    Workloads,
}

/// Who can change a component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Responsibility {
    /// The owner of the cluster.
    #[default]
    #[serde(rename = "Self")]
    Owner,
    /// The provider of a managed control plane.
    Provider,
}

/// Number of controls by result for one threat.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreatStatus {
    /// The threat.
    pub name: Threat,
    /// Controls that pass.
    pub passed: u32,
    /// Controls that fail.
    pub failed: u32,
    /// Controls that could not be evaluated.
    pub unknown: u32,
    /// How far somebody gets by what is open: for MaliciousActor from outside the cluster, for SupplyChain from any program that runs in it. Absent where no way was
    /// looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ways: Option<OpenWays>,
}

/// Ways from workloads to cluster-admin or to a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct OpenWays {
    /// Their number.
    pub open: u32,
    /// The shortest, step by step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub shortest: Vec<String>,
}

/// A threat of the NSA/CISA guide's threat model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Threat {
    /// What is built into images, packages and hardware.
    SupplyChain,
    /// Attackers from outside.
    MaliciousActor,
    /// Administrators, users and providers who abuse their access.
    InsiderThreat,
}

/// Number of repairs by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemediationCounts {
    /// Repairs that wait for approval, a window, budget or a settled target.
    #[serde(default)]
    pub pending: u32,
    /// Repairs in flight: applying, verifying, in probation or rolling back.
    #[serde(default)]
    pub active: u32,
    /// Repairs that were kept.
    #[serde(default)]
    pub succeeded: u32,
    /// Repairs that were undone because they broke the workload.
    #[serde(default)]
    pub rolled_back: u32,
    /// Repairs that are not done; each names its reason.
    #[serde(default)]
    pub held: u32,
}
