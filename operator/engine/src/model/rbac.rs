//! Roles and bindings.

use serde::Deserialize;

use super::{LabelSelector, Meta, null_as_default};

/// `Role` or `ClusterRole`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Role {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Meta,
    /// Rules. Those of an aggregated ClusterRole are written by the controller manager.
    #[serde(deserialize_with = "null_as_default")]
    pub rules: Vec<PolicyRule>,
    /// Which other ClusterRoles' rules this one takes in.
    pub aggregation_rule: Option<AggregationRule>,
}

/// `aggregationRule`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AggregationRule {
    /// A role that any of them selects is taken in.
    #[serde(deserialize_with = "null_as_default")]
    pub cluster_role_selectors: Vec<LabelSelector>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct PolicyRule {
    #[serde(deserialize_with = "null_as_default")]
    pub verbs: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub api_groups: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub resource_names: Vec<String>,
    #[serde(rename = "nonResourceURLs", deserialize_with = "null_as_default")]
    pub non_resource_urls: Vec<String>,
}

/// `RoleBinding` or `ClusterRoleBinding`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Binding {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Meta,
    /// The role that is granted.
    #[serde(deserialize_with = "null_as_default")]
    pub role_ref: RoleRef,
    /// To whom.
    #[serde(deserialize_with = "null_as_default")]
    pub subjects: Vec<Subject>,
}

/// `roleRef`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct RoleRef {
    #[serde(deserialize_with = "null_as_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
}

/// One subject: a `User`, a `Group` or a `ServiceAccount`.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Subject {
    #[serde(deserialize_with = "null_as_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Of a ServiceAccount.
    #[serde(deserialize_with = "null_as_default")]
    pub namespace: String,
}
