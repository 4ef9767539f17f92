//! `status` of a remediation: display and memory, written by the operator only, never executed.

use std::collections::BTreeSet;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Condition;
use crate::duration::Duration;
use crate::is_default;
use crate::time::Time;

/// Where a repair stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::status)]
pub struct RemediationStatus {
    /// The generation of the spec whose decision the operator has taken note of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Where the repair stands: Pending, Held, Applying, Verifying, Probation, RollingBack, RolledBack, RollbackFailed, Succeeded, Reverting,
    /// Reverted or Closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Why it stands there, in one CamelCase word from a closed set, such as AwaitingApproval, Settling, Quarantined or Fight.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Why it stands there, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub message: String,
    /// The controls of the plan in one line, such as "POD-009,POD-013".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 256))]
    pub summary: String,
    /// What would change, recomputed from live objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// The repair in flight, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// What must not be forgotten: who undid repairs, and which failed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub memory: Memory,
    /// The last transitions, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub history: Vec<HistoryEntry>,
    /// Applied, Verified and Held, for `kubectl wait`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Where a repair stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Planned; it waits for what the reason names.
    #[default]
    Pending,
    /// Not done; it waits for a human or for the reason's input to change.
    Held,
    /// Being applied.
    Applying,
    /// Applied; pods of the new template are watched until they have been ready for the soak time.
    Verifying,
    /// Verified; still watched for late failures.
    Probation,
    /// It broke the workload; being undone.
    RollingBack,
    /// Undone.
    RolledBack,
    /// Undone, but the workload did not come back in time.
    RollbackFailed,
    /// Kept.
    Succeeded,
    /// Being undone because a human asked.
    Reverting,
    /// Undone because a human asked.
    Reverted,
    /// Nothing left to do: target, finding or policy is gone.
    Closed,
}

/// How much a repair can break.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Risk {
    /// Evidence says that nothing breaks.
    Low,
    /// It may break; it can be undone.
    Medium,
    /// It may break in ways that are not seen or not undone.
    #[default]
    High,
}

/// What would change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Hash of target, changes, risk and restart class. An approval is for this hash and ends when it changes; a new image does not change it.
    #[schemars(length(min = 12, max = 64))]
    pub hash: String,
    /// Ids of the controls that the repair serves.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 16)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub controls: BTreeSet<String>,
    /// The changes, one for each path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub changes: Vec<Change>,
    /// How much it can break: Low, Medium or High.
    pub risk: Risk,
    /// Why the risk is what it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub risk_reasons: Vec<String>,
    /// The restart that the repair causes. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// What was seen that speaks for or against the repair.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 256)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub evidence: Vec<String>,
}

/// One change to the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What changes, as a JSON pointer.
    #[schemars(length(max = 512))]
    pub path: String,
    /// How it changes: Add, Replace or Remove.
    pub op: ChangeOp,
    /// The value before, as JSON. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub from: Option<String>,
    /// The value after, as JSON. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub to: Option<String>,
    /// The field manager that owns the field today. Absent: nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub owner: Option<String>,
    /// The control that the change serves.
    #[schemars(length(max = 16))]
    pub control: String,
}

/// How a value changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ChangeOp {
    /// A value where there was none.
    #[default]
    Add,
    /// Another value.
    Replace,
    /// No value any more.
    Remove,
}

/// The restart that a repair causes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restart {
    /// How pods are replaced: RollingUpdate, Recreate, OnDelete or NextRun (CronJobs).
    pub strategy: RestartStrategy,
    /// Number of pods that restart.
    pub pods: u32,
}

/// How pods are replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RestartStrategy {
    /// A few at a time.
    #[default]
    RollingUpdate,
    /// All at once, with downtime.
    Recreate,
    /// When somebody deletes them.
    OnDelete,
    /// At the next run of a CronJob.
    NextRun,
}

/// A repair in flight, with the settings it started under: it finishes by them even when the policy is gone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Number of the attempt on this target, from 1.
    pub id: i64,
    /// Leadership term of the operator that started it.
    pub epoch: i64,
    /// Hash of the plan that is applied.
    #[schemars(length(min = 12, max = 64))]
    pub plan: String,
    /// Ids of the controls that it serves.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 16)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub controls: BTreeSet<String>,
    /// When it started.
    pub started_at: Time,
    /// UID of the target: an object of the same name that was created anew is another target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub target_uid: Option<String>,
    /// The newest generation of the target that this status was written from. An operator whose view is older keeps still until it has caught up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_generation: Option<i64>,
    /// How long pods of the new template must be ready.
    pub soak: Duration,
    /// How long it is watched after verification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probation: Option<Duration>,
    /// When the rollout counts as failed. Absent: no pod of the new template can be expected yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// Since when all expected pods of the new template have been ready without a break.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready_since: Option<Time>,
    /// When probation ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probation_until: Option<Time>,
    /// When the rollback started, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_at: Option<Time>,
    /// Hash of the pod template before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub template_before: Option<String>,
    /// Hash of the pod template after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub template_after: Option<String>,
    /// The workload's health before; of a Namespace: of all its pods.
    #[serde(default, skip_serializing_if = "is_default")]
    pub baseline: Baseline,
    /// Only of a Namespace: its workloads that had fewer ready pods than they wanted already before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["workload".into()]))]
    pub short: Vec<ShortWorkload>,
}

/// A workload that had fewer ready pods than it wanted before a repair of its namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShortWorkload {
    /// Kind and name, such as Deployment/web.
    #[schemars(length(max = 320))]
    pub workload: String,
    /// Pods that were ready.
    pub ready: u32,
}

/// A workload's health before a repair.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Baseline {
    /// Pods that were ready.
    #[serde(default)]
    pub ready: u32,
    /// Container restarts of its pods.
    #[serde(default)]
    pub restarts: u32,
}

/// What must not be forgotten about a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// Who undid a repair, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub reverts: Vec<Revert>,
    /// Repairs that broke the workload, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub failures: Vec<Failure>,
}

/// Somebody undid a repair.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Revert {
    /// The field manager that did.
    #[schemars(length(max = 128))]
    pub manager: String,
    /// When.
    pub time: Time,
}

/// A repair broke the workload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Ids of the controls that were repaired.
    #[schemars(length(max = 64), inner(length(max = 16)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub controls: BTreeSet<String>,
    /// Digest of the image that failed. Absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub image_digest: Option<String>,
    /// What was seen, in one CamelCase word, such as CrashLoopBackOff.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// When.
    pub time: Time,
}

/// A transition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// When.
    pub time: Time,
    /// The phase that began.
    pub phase: Phase,
    /// Hash of the plan at that time. Absent: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub plan: Option<String>,
    /// Why, in one CamelCase word.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub reason: String,
    /// Who decided. Absent: the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub by: Option<String>,
}
