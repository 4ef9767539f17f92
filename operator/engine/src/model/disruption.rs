//! Disruption budgets and quotas: gates before a rollout starts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{LabelSelector, Meta, null_as_default};

/// Trimmed `PodDisruptionBudget`. A rollout is not limited by it (Kubernetes documentation, "Disruptions"), so it is a gate before the start.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PodDisruptionBudget {
    /// Metadata.
    pub metadata: Meta,
    /// Spec.
    pub spec: PodDisruptionBudgetSpec,
    /// Status.
    pub status: PodDisruptionBudgetStatus,
}

/// Trimmed `PodDisruptionBudget.spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PodDisruptionBudgetSpec {
    /// Pods of the budget; absent selects none.
    pub selector: Option<LabelSelector>,
}

/// Trimmed `PodDisruptionBudget.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodDisruptionBudgetStatus {
    /// Pods that may be disrupted now.
    pub disruptions_allowed: i32,
    /// Pods expected.
    pub expected_pods: i32,
}

/// Trimmed `ResourceQuota`: whether there is room for the surge of a rollout.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ResourceQuota {
    /// Metadata.
    pub metadata: Meta,
    /// Spec.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: ResourceQuotaSpec,
    /// Status.
    pub status: ResourceQuotaStatus,
}

/// Trimmed `ResourceQuota.spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ResourceQuotaSpec {
    /// Limits by resource name, as a manifest writes them.
    #[serde(deserialize_with = "null_as_default")]
    pub hard: BTreeMap<String, serde_json::Value>,
}

/// Trimmed `ResourceQuota.status`: quantities as written by the API server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ResourceQuotaStatus {
    /// Limits by resource name.
    #[serde(deserialize_with = "null_as_default")]
    pub hard: BTreeMap<String, String>,
    /// Use by resource name.
    #[serde(deserialize_with = "null_as_default")]
    pub used: BTreeMap<String, String>,
}
