//! `HardeningPolicy` and `ClusterHardeningPolicy`: one spec struct, two kinds.
//!
//! The fields marked "only in ClusterHardeningPolicy" are in the schema of both kinds. In the namespaced kind a rule refuses them with a message:
//! left out of the schema they would be pruned in silence for clients that do not ask for strict field validation, and a policy that enforces
//! more than its author wrote is worse than an error.

mod detections;
mod network;
mod pod_security;
mod repair;
mod scope;
mod status;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use detections::{AllowedActors, DetectionSettings};
pub use network::{
    AllowDirection, AllowPeer, AllowPort, ExtraAllow, InferredAllows, IsolationDirection, MetadataServiceAccess,
    NetworkSettings, Protocol,
};
pub use pod_security::{PodSecurityLevel, PodSecuritySettings};
pub use repair::{AutoApprove, OwnerRoute, OwnerRoutes, RepairSettings, StopAfter, VerifySettings, Window};
pub use scope::{Delegation, ExceptionDelegation};
pub use status::{
    Component, ComponentStatus, ControlCounts, OpenWays, PolicyStatus, RemediationCounts, Responsibility, Threat,
    ThreatStatus,
};

use crate::is_default;
use crate::selector::LabelSelector;

/// What this policy asks for in its own namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "hardening.ironside.dev",
    version = "v1alpha1",
    kind = "HardeningPolicy",
    plural = "hardeningpolicies",
    shortname = "hpol",
    category = "hardening",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    cel,
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("metadata.name is longer than 63 characters: it is also a label value on generated objects"),
    validation = Rule::new("!has(self.spec.namespaceSelector)")
        .message("is only for ClusterHardeningPolicy: a HardeningPolicy covers exactly its own namespace")
        .field_path(".spec.namespaceSelector")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.spec.excludeNamespaces)")
        .message("is only for ClusterHardeningPolicy: a HardeningPolicy covers exactly its own namespace")
        .field_path(".spec.excludeNamespaces")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.spec.systemNamespaces)")
        .message("is only for ClusterHardeningPolicy: a HardeningPolicy covers exactly its own namespace")
        .field_path(".spec.systemNamespaces")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.spec.podSecurity)")
        .message("is only for ClusterHardeningPolicy: a HardeningPolicy never touches the Namespace object")
        .field_path(".spec.podSecurity")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.spec.delegation)")
        .message("is only for ClusterHardeningPolicy: a namespace cannot delegate to itself")
        .field_path(".spec.delegation")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.spec.detections)")
        .message("is only for ClusterHardeningPolicy: what is told of a namespace is not for the namespace to say")
        .field_path(".spec.detections")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.spec.remediation) || !has(self.spec.remediation.namespaceSelector)")
        .message("is only for ClusterHardeningPolicy: a HardeningPolicy repairs in exactly its own namespace")
        .field_path(".spec.remediation.namespaceSelector")
        .reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.spec.remediation) || !has(self.spec.remediation.maxConcurrent)")
        .message("is only for ClusterHardeningPolicy: use maxConcurrentPerNamespace")
        .field_path(".spec.remediation.maxConcurrent")
        .reason(Reason::FieldValueForbidden),
    doc = "A team's hardening policy for its own namespace: what is audited, and what is repaired how. It touches nothing outside its namespace and never the Namespace object.",
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "Audit, Preview or Enforce"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether Ironside works on this spec"
    ),
    printcolumn(
        name = "Compliant",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].status",
        description = "Whether every control passes"
    ),
    printcolumn(
        name = "Score",
        type_ = "integer",
        json_path = ".status.scorePercent",
        description = "Passed of passed and failed, weighted by severity, in percent"
    ),
    printcolumn(
        name = "Coverage",
        type_ = "integer",
        json_path = ".status.coveragePercent",
        description = "What could be looked at of what should have been, in percent"
    ),
    printcolumn(
        name = "Fail",
        type_ = "integer",
        json_path = ".status.controls.failed",
        description = "Controls that fail"
    ),
    printcolumn(
        name = "Pending",
        type_ = "integer",
        json_path = ".status.remediations.pending",
        description = "Repairs that wait"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
#[schemars(transform = crate::schema::spec)]
pub struct HardeningPolicySpec(pub PolicySpec);

/// What this policy asks for in the cluster or the namespaces it selects.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "hardening.ironside.dev",
    version = "v1alpha1",
    kind = "ClusterHardeningPolicy",
    plural = "clusterhardeningpolicies",
    shortname = "chpol",
    category = "hardening",
    status = "PolicyStatus",
    derive = "PartialEq",
    derive = "Default",
    cel,
    validation = Rule::new("size(self.metadata.name) <= 63")
        .message("metadata.name is longer than 63 characters: it is also a label value on generated objects"),
    validation = Rule::new("self.spec.mode != 'Enforce' || (has(self.spec.remediation) && has(self.spec.remediation.namespaceSelector))")
        .message("is required with mode Enforce: it names the namespaces in which repairs are made ({} for all of the policy's)")
        .field_path(".spec.remediation.namespaceSelector")
        .reason(Reason::FieldValueRequired),
    doc = "A hardening policy for the cluster or the namespaces it selects. Several policies on one object are judged separately: a further policy can only tighten.",
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.mode",
        description = "Audit, Preview or Enforce"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status",
        description = "Whether Ironside works on this spec"
    ),
    printcolumn(
        name = "Compliant",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].status",
        description = "Whether every control passes"
    ),
    printcolumn(
        name = "Score",
        type_ = "integer",
        json_path = ".status.scorePercent",
        description = "Passed of passed and failed, weighted by severity, in percent"
    ),
    printcolumn(
        name = "Coverage",
        type_ = "integer",
        json_path = ".status.coveragePercent",
        description = "What could be looked at of what should have been, in percent"
    ),
    printcolumn(
        name = "Fail",
        type_ = "integer",
        json_path = ".status.controls.failed",
        description = "Controls that fail"
    ),
    printcolumn(
        name = "Pending",
        type_ = "integer",
        json_path = ".status.remediations.pending",
        description = "Repairs that wait"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
#[schemars(transform = crate::schema::spec)]
pub struct ClusterHardeningPolicySpec(pub PolicySpec);

/// What a policy asks for: the spec of both kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicySpec {
    /// The set of controls to start from, at a fixed version.
    #[serde(default)]
    pub profile: Profile,
    /// What Ironside does with a finding. Audit: report it. Preview: also plan the repair and keep the plan fresh. Enforce: also repair.
    #[serde(default)]
    pub mode: Mode,
    /// Stops evaluation and the start of repairs. Repairs in flight are still verified or rolled back.
    #[serde(default)]
    pub suspend: bool,
    /// Changes to single controls of the profile, and controls beyond it. An unknown id does not fail the policy: condition ControlsResolved names it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["id".into()]))]
    pub controls: Vec<ControlOverride>,
    /// The namespaces this policy audits, by their labels. Absent or {}: all but system namespaces. Only in ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub namespace_selector: Option<LabelSelector>,
    /// Namespaces this policy leaves out, by name. Only in ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(
        length(max = 100),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub exclude_namespaces: BTreeSet<String>,
    /// System namespaces that are audited too, by name, such as kube-system. They are never repaired. Only in ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(
        length(max = 100),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub system_namespaces: BTreeSet<String>,
    /// How repairs are approved, started, verified and stopped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub remediation: RepairSettings,
    /// Generated network policies. Absent: none.
    #[serde(default, skip_serializing_if = "is_default")]
    pub network: NetworkSettings,
    /// Pod Security Admission labels of the selected namespaces. Absent: hands off the labels. Only in ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_security: Option<PodSecuritySettings>,
    /// What policies and exceptions in the selected namespaces may decide for themselves. Only in ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<Delegation>,
    /// What is told of what people and programs do: network policies removed, rights widened, Secrets read and the like. Absent: everything. Only in
    /// ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detections: Option<DetectionSettings>,
}

/// A named, versioned set of controls.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// The set of controls: NsaCisa (the NSA/CISA hardening guide), PssBaseline, PssRestricted (Pod Security Standards), Cis (CIS Kubernetes
    /// Benchmark) or None (only what `controls` lists). Default: NsaCisa.
    #[serde(default)]
    pub name: ProfileName,
    /// Version of the set. Controls that are newer than it stay in mode Audit until it moves. Default: v1.
    #[serde(default = "Profile::first_version")]
    #[schemars(length(max = 8), regex(pattern = r"^v[1-9][0-9]{0,3}$"))]
    pub version: String,
}

/// The name of a profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ProfileName {
    /// The NSA/CISA Kubernetes Hardening Guide.
    #[default]
    NsaCisa,
    /// Pod Security Standards, baseline.
    PssBaseline,
    /// Pod Security Standards, restricted.
    PssRestricted,
    /// CIS Kubernetes Benchmark.
    Cis,
    /// Only what `controls` lists.
    None,
}

/// What is done with a finding, from least to most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Report.
    #[default]
    Audit,
    /// Report and plan the repair; never repair.
    Preview,
    /// Report, plan and repair.
    Enforce,
}

/// A change to one control.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.mode) || has(self.parameters)")
        .message("says nothing about the control: give mode, parameters or both")
        .reason(Reason::FieldValueRequired)
)]
pub struct ControlOverride {
    /// The control's id, such as POD-012.
    #[schemars(length(max = 16), regex(pattern = r"^[A-Z]{2,8}-[0-9]{3}$"))]
    pub id: String,
    /// What is done with findings of this control: Disabled (withdraws this policy's vote only), Audit, Preview or Enforce. Absent: as the policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<ControlMode>,
    /// The control's parameters, each a list of strings. Names and values are checked by the operator; condition ControlsResolved names bad ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend(
        "maxProperties" = 16,
        "additionalProperties" = {
            "type": "array",
            "maxItems": 64,
            "items": {"type": "string", "maxLength": 253},
            "x-kubernetes-list-type": "set"
        }
    ))]
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// What is done with findings of one control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ControlMode {
    /// Not evaluated for this policy. Other policies still vote.
    Disabled,
    /// Report.
    Audit,
    /// Report and plan.
    Preview,
    /// Report, plan and repair.
    Enforce,
}

impl Profile {
    /// The version that an absent `version` means. Stays v1 for ever: moving it would widen what existing policies enforce.
    fn first_version() -> String {
        "v1".to_owned()
    }
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            name: ProfileName::default(),
            version: Self::first_version(),
        }
    }
}

impl From<PolicySpec> for HardeningPolicySpec {
    fn from(spec: PolicySpec) -> Self {
        Self(spec)
    }
}

impl From<PolicySpec> for ClusterHardeningPolicySpec {
    fn from(spec: PolicySpec) -> Self {
        Self(spec)
    }
}

impl Deref for HardeningPolicySpec {
    type Target = PolicySpec;

    fn deref(&self) -> &PolicySpec {
        &self.0
    }
}

impl DerefMut for HardeningPolicySpec {
    fn deref_mut(&mut self) -> &mut PolicySpec {
        &mut self.0
    }
}

impl Deref for ClusterHardeningPolicySpec {
    type Target = PolicySpec;

    fn deref(&self) -> &PolicySpec {
        &self.0
    }
}

impl DerefMut for ClusterHardeningPolicySpec {
    fn deref_mut(&mut self) -> &mut PolicySpec {
        &mut self.0
    }
}
