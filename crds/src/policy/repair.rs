//! `spec.remediation`: how repairs are approved, started, verified and stopped.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::is_default;
use crate::selector::LabelSelector;

/// How repairs are approved, started, verified and stopped. Where several policies vote Enforce, the strictest setting counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepairSettings {
    /// The namespaces in which mode Enforce acts, by their labels. Required with mode Enforce. Only in ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(merge_strategy = MapMerge::Atomic)]
    pub namespace_selector: Option<LabelSelector>,
    /// The highest risk that is repaired without a human: None, Low or Medium. High always needs one. Default: None.
    #[serde(default)]
    pub auto_approve: AutoApprove,
    /// What is done with objects that something else owns.
    #[serde(default, skip_serializing_if = "is_default")]
    pub owners: OwnerRoutes,
    /// How long an object must be unchanged, rolled out and healthy before it is touched. Default: 10m.
    #[serde(default = "default_settle")]
    pub settle: Duration,
    /// Repairs in flight in the cluster at once. Default: 5. Only in ClusterHardeningPolicy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_concurrent: Option<u32>,
    /// Repairs in flight in one namespace at once. Default: 1.
    #[serde(default = "default_max_concurrent_per_namespace")]
    #[schemars(range(min = 1, max = 20))]
    pub max_concurrent_per_namespace: u32,
    /// When repairs may start. Absent or empty: always. A window never delays verification or a rollback.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub windows: Vec<Window>,
    /// How a repair is verified.
    #[serde(default, skip_serializing_if = "is_default")]
    pub verify: VerifySettings,
    /// When Ironside stops repairing until a human clears condition RemediationStopped.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stop_after: StopAfter,
}

/// The highest risk that is repaired without a human.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AutoApprove {
    /// Every repair needs a human.
    #[default]
    None,
    /// Low risk is repaired without a human.
    Low,
    /// Low and medium risk are repaired without a human.
    Medium,
}

/// What is done with objects that something else owns, by owner. Propose: show the repair, change nothing. Cooperate: change fields that the owner
/// does not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OwnerRoutes {
    /// Objects that Argo CD tracks: Propose or Cooperate. Default: Propose.
    #[serde(default, rename = "argoCD")]
    pub argo_cd: OwnerRoute,
    /// Objects that Flux applies: Propose or Cooperate. Default: Propose.
    #[serde(default)]
    pub flux: OwnerRoute,
    /// Objects of a Helm release: Propose or Cooperate. Helm by server-side apply counts as Propose whatever is set here. Default: Cooperate.
    #[serde(default = "cooperate")]
    pub helm: OwnerRoute,
    /// Objects that another controller writes: Propose or Cooperate. Default: Propose.
    #[serde(default)]
    pub controller: OwnerRoute,
}

/// What is done with an object that something else owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum OwnerRoute {
    /// Show the repair, change nothing.
    #[default]
    Propose,
    /// Change fields that the owner does not set.
    Cooperate,
}

/// A recurring span of time in which repairs may start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new(r"self.schedule.matches('^[^ ]+( [^ ]+){4}$')")
        .message("is not a cron expression of five fields such as \"0 2 * * 1-5\"; the time zone goes to timeZone")
        .field_path(".schedule"),
    validation = Rule::new("duration(self.duration) >= duration('1m')")
        .message("is shorter than 1m")
        .field_path(".duration")
)]
pub struct Window {
    /// The window's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// When the window opens: a cron expression of five fields, such as "0 2 * * 1-5".
    #[schemars(length(min = 9, max = 100))]
    pub schedule: String,
    /// Time zone of the schedule by its IANA name, such as Europe/Berlin. Absent: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub time_zone: Option<String>,
    /// How long the window stays open, such as 2h.
    pub duration: Duration,
}

/// How a repair is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.soak) || duration(self.soak) >= duration('1s')")
        .message("is shorter than 1s: a repair cannot go unverified")
        .field_path(".soak")
)]
pub struct VerifySettings {
    /// How long all expected pods of the repaired template must be ready without a break. Default: 10m.
    #[serde(default = "default_soak")]
    pub soak: Duration,
    /// The least time a rollout gets before it counts as failed. The real deadline is computed per workload and may be later. Default: 15m.
    #[serde(default = "default_min_deadline")]
    pub min_deadline: Duration,
    /// How long a verified repair is still watched and undone when it fails late. Default: 168h.
    #[serde(default = "default_probation")]
    pub probation: Duration,
}

/// When Ironside stops repairing: so many rollbacks within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.within) || duration(self.within) >= duration('1h')")
        .message("is shorter than 1h: rollbacks would be forgotten before anybody sees them")
        .field_path(".within")
)]
pub struct StopAfter {
    /// Number of rollbacks that stops repairs. Default: 2.
    #[serde(default = "default_rollbacks")]
    #[schemars(range(min = 1, max = 100))]
    pub rollbacks: u32,
    /// The span in which the rollbacks are counted, at least 1h. Default: 24h.
    #[serde(default = "default_within")]
    pub within: Duration,
}

impl RepairSettings {
    /// The value of `maxConcurrent` when it is absent.
    pub const DEFAULT_MAX_CONCURRENT: u32 = 5;

    /// Repairs in flight in the cluster at once.
    pub fn max_concurrent(&self) -> u32 {
        self.max_concurrent.unwrap_or(Self::DEFAULT_MAX_CONCURRENT)
    }
}

impl Default for RepairSettings {
    fn default() -> Self {
        Self {
            namespace_selector: None,
            auto_approve: AutoApprove::default(),
            owners: OwnerRoutes::default(),
            settle: default_settle(),
            max_concurrent: None,
            max_concurrent_per_namespace: default_max_concurrent_per_namespace(),
            windows: Vec::new(),
            verify: VerifySettings::default(),
            stop_after: StopAfter::default(),
        }
    }
}

impl Default for OwnerRoutes {
    fn default() -> Self {
        Self {
            argo_cd: OwnerRoute::Propose,
            flux: OwnerRoute::Propose,
            helm: cooperate(),
            controller: OwnerRoute::Propose,
        }
    }
}

impl Default for VerifySettings {
    fn default() -> Self {
        Self {
            soak: default_soak(),
            min_deadline: default_min_deadline(),
            probation: default_probation(),
        }
    }
}

impl Default for StopAfter {
    fn default() -> Self {
        Self {
            rollbacks: default_rollbacks(),
            within: default_within(),
        }
    }
}

fn default_settle() -> Duration {
    Duration::from_mins(10)
}

fn default_max_concurrent_per_namespace() -> u32 {
    1
}

fn cooperate() -> OwnerRoute {
    OwnerRoute::Cooperate
}

fn default_soak() -> Duration {
    Duration::from_mins(10)
}

fn default_min_deadline() -> Duration {
    Duration::from_mins(15)
}

fn default_probation() -> Duration {
    Duration::from_hours(168)
}

fn default_rollbacks() -> u32 {
    2
}

fn default_within() -> Duration {
    Duration::from_hours(24)
}
