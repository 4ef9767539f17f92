//! `HardeningException` and `ClusterHardeningException`: what is exempt, why, until when. One spec struct, two kinds.

use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::conditions::Condition;
use crate::time::Time;

/// What is exempt in this namespace, why, until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "hardening.ironside.dev",
    version = "v1alpha1",
    kind = "HardeningException",
    plural = "hardeningexceptions",
    shortname = "hexc",
    category = "hardening",
    namespaced,
    status = "ExceptionStatus",
    derive = "PartialEq",
    derive = "Default",
    cel,
    validation = Rule::new("has(self.spec.targets)")
        .message("is required in a HardeningException: name the objects that are exempt")
        .field_path(".spec.targets")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("has(self.spec.expiresAt)")
        .message("is required in a HardeningException: an RFC 3339 time such as 2027-01-31T00:00:00Z")
        .field_path(".spec.expiresAt")
        .reason(Reason::FieldValueRequired),
    validation = Rule::new("!has(self.spec.namespaces)")
        .message("is only for ClusterHardeningException: a HardeningException covers exactly its own namespace")
        .field_path(".spec.namespaces")
        .reason(Reason::FieldValueForbidden),
    doc = "Exempts named objects of its namespace from named controls, with a reason and an end. It counts only where a cluster policy delegates it, or no cluster policy applies.",
    printcolumn(
        name = "Controls",
        type_ = "string",
        json_path = ".spec.controls",
        description = "Controls that are excepted"
    ),
    printcolumn(
        name = "Effect",
        type_ = "string",
        json_path = ".spec.effect",
        description = "Accept or HoldRepair"
    ),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".spec.expiresAt",
        description = "When it ends"
    ),
    printcolumn(
        name = "Effective",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Effective\")].status",
        description = "Whether it counts"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
#[schemars(transform = crate::schema::spec)]
pub struct HardeningExceptionSpec(pub ExceptionSpec);

/// What is exempt in the cluster or in the listed namespaces, why, until when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, CustomResource, JsonSchema)]
#[kube(
    group = "hardening.ironside.dev",
    version = "v1alpha1",
    kind = "ClusterHardeningException",
    plural = "clusterhardeningexceptions",
    shortname = "chexc",
    category = "hardening",
    status = "ExceptionStatus",
    derive = "PartialEq",
    derive = "Default",
    cel,
    validation = Rule::new("has(self.spec.targets) || has(self.spec.namespaces)")
        .message("names neither targets nor namespaces; to switch a control off everywhere, set its mode to Disabled in the policy")
        .field_path(".spec")
        .reason(Reason::FieldValueRequired),
    doc = "Exempts objects of the cluster, or of the namespaces it lists, from named controls, with a reason and optionally an end.",
    printcolumn(
        name = "Controls",
        type_ = "string",
        json_path = ".spec.controls",
        description = "Controls that are excepted"
    ),
    printcolumn(
        name = "Effect",
        type_ = "string",
        json_path = ".spec.effect",
        description = "Accept or HoldRepair"
    ),
    printcolumn(
        name = "Expires",
        type_ = "string",
        json_path = ".spec.expiresAt",
        description = "When it ends"
    ),
    printcolumn(
        name = "Effective",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Effective\")].status",
        description = "Whether it counts"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(transparent)]
#[schemars(transform = crate::schema::spec)]
pub struct ClusterHardeningExceptionSpec(pub ExceptionSpec);

/// What is exempt, why, until when: the spec of both kinds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExceptionSpec {
    /// Ids of the controls that are excepted, such as POD-012. No wildcards.
    #[schemars(
        length(min = 1, max = 50),
        inner(length(max = 16), regex(pattern = r"^[A-Z]{2,8}-[0-9]{3}$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub controls: BTreeSet<String>,
    /// The objects that are exempt, by exact names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 50))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["kind".into(), "name".into()]))]
    pub targets: Vec<ExceptionTarget>,
    /// Namespaces in which it counts, by name. Absent: cluster-scoped objects and all namespaces. Only in ClusterHardeningException.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(
        length(min = 1, max = 50),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: BTreeSet<String>,
    /// Accept: findings count as excepted. HoldRepair: findings stay failed, but nothing is repaired, as in a release freeze. Default: Accept.
    #[serde(default)]
    pub effect: ExceptionEffect,
    /// Why, in a sentence an auditor understands; at least 10 characters.
    #[schemars(length(min = 10, max = 1024))]
    pub reason: String,
    /// Who answers for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub owner: Option<String>,
    /// Where it was agreed, such as a ticket's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ticket: Option<String>,
    /// When it ends: an RFC 3339 time such as 2027-01-31T00:00:00Z.
    // Stricter than format date-time, which lets the API server accept what is not RFC 3339; years past 2999 do not fit a timestamp's range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(
        pattern = r"^2[0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
    ))]
    pub expires_at: Option<Time>,
}

/// An object that is exempt.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!self.name.contains('*')")
        .message("is an exact name: wildcards are not supported")
        .field_path(".name")
)]
pub struct ExceptionTarget {
    /// The object's kind, such as Deployment.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[A-Z][A-Za-z0-9]*$"))]
    pub kind: String,
    /// The object's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Names of the containers that are exempt. Absent or empty: the whole object.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(max = 50), inner(length(min = 1, max = 63)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub containers: BTreeSet<String>,
}

/// What an exception does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum ExceptionEffect {
    /// Findings count as excepted.
    #[default]
    Accept,
    /// Findings stay failed, but nothing is repaired.
    HoldRepair,
}

/// Whether an exception counts, and how much.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::status)]
pub struct ExceptionStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Effective: whether the exception counts. Reasons when it does not: NotDelegated, TooLong, Expired, NoMatch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// Number of findings it covers.
    #[serde(default)]
    pub matched: u32,
    /// Until when it counts: expiresAt, or earlier where a delegation ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_until: Option<Time>,
}

impl From<ExceptionSpec> for HardeningExceptionSpec {
    fn from(spec: ExceptionSpec) -> Self {
        Self(spec)
    }
}

impl From<ExceptionSpec> for ClusterHardeningExceptionSpec {
    fn from(spec: ExceptionSpec) -> Self {
        Self(spec)
    }
}

impl Deref for HardeningExceptionSpec {
    type Target = ExceptionSpec;

    fn deref(&self) -> &ExceptionSpec {
        &self.0
    }
}

impl DerefMut for HardeningExceptionSpec {
    fn deref_mut(&mut self) -> &mut ExceptionSpec {
        &mut self.0
    }
}

impl Deref for ClusterHardeningExceptionSpec {
    type Target = ExceptionSpec;

    fn deref(&self) -> &ExceptionSpec {
        &self.0
    }
}

impl DerefMut for ClusterHardeningExceptionSpec {
    fn deref_mut(&mut self) -> &mut ExceptionSpec {
        &mut self.0
    }
}
