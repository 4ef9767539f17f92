//! `HardeningRemediation`: one repair target, the human decision about it, and what the operator shows and remembers.
//!
//! People write `spec.decision` and nothing else; the operator writes `status` and never reads a change to execute from it.

mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use status::{
    Attempt, Baseline, Change, ChangeOp, Failure, HistoryEntry, Memory, Phase, Plan, RemediationStatus, Restart,
    RestartStrategy, Revert, Risk, ShortWorkload,
};

/// The repair target, and the human decision about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "hardening.ironside.dev",
    version = "v1alpha1",
    kind = "HardeningRemediation",
    plural = "hardeningremediations",
    shortname = "hrem",
    category = "hardening",
    namespaced,
    status = "RemediationStatus",
    derive = "PartialEq",
    derive = "Default",
    cel,
    doc = "One repair target: what would change, its risk, the human decision and its state. Created by the operator only, in the target's namespace (the operator's for cluster-scoped targets). To decide, edit spec.decision or use `ironside approve`.",
    selectable = ".status.phase",
    selectable = ".status.plan.risk",
    selectable = ".spec.target.kind",
    selectable = ".spec.target.name",
    printcolumn(
        name = "Target",
        type_ = "string",
        json_path = ".spec.target.name",
        description = "Name of the object to repair"
    ),
    printcolumn(
        name = "Controls",
        type_ = "string",
        json_path = ".status.summary",
        description = "Controls that the repair serves"
    ),
    printcolumn(
        name = "Risk",
        type_ = "string",
        json_path = ".status.plan.risk",
        description = "Low, Medium or High"
    ),
    printcolumn(
        name = "Phase",
        type_ = "string",
        json_path = ".status.phase",
        description = "Where the repair stands"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.reason",
        description = "Why it stands there"
    ),
    printcolumn(
        name = "Plan",
        type_ = "string",
        json_path = ".status.plan.hash",
        description = "Hash of the plan, for spec.decision.plan",
        priority = 1
    ),
    printcolumn(
        name = "Kind",
        type_ = "string",
        json_path = ".spec.target.kind",
        description = "Kind of the object to repair",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::spec)]
pub struct HardeningRemediationSpec {
    /// The object to repair. Immutable.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("is immutable: the operator creates one HardeningRemediation for each target")
        .reason(Reason::FieldValueForbidden))]
    pub target: Target,
    /// The human decision. The only field that people write; the operator never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// A reference to an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// API version, such as apps/v1.
    #[schemars(length(min = 1, max = 253))]
    pub api_version: String,
    /// Kind, such as Deployment.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// Namespace. Absent for cluster-scoped objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// A human decision about a repair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.action != 'Approve' || has(self.plan)")
        .message("is required for Approve: at least 12 characters of status.plan.hash, so that you approve what you have read")
        .field_path(".plan")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("!(self.action in ['Hold', 'Revert']) || (has(self.reason) && size(self.reason) > 0)")
        .message("is required for Hold and Revert")
        .field_path(".reason")
        .reason(Reason::FieldValueRequired)
)]
pub struct Decision {
    /// Approve: do the repair that `plan` names. Hold: do not start it. Retry: try again after a hold or a failure. Revert: undo what was repaired.
    pub action: DecisionAction,
    /// The plan that is approved: at least 12 characters of status.plan.hash. The approval ends when the plan changes. Required for Approve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 12, max = 64), regex(pattern = "^[0-9a-f]*$"))]
    pub plan: Option<String>,
    /// The user name of who decides, as the API server knows it. Admission refuses anybody else's.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// Why. Required for Hold and Revert.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub reason: String,
}

/// What a human decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum DecisionAction {
    /// Do the repair that `plan` names.
    Approve,
    /// Do not start it.
    #[default]
    Hold,
    /// Try again after a hold or a failure.
    Retry,
    /// Undo what was repaired.
    Revert,
}
