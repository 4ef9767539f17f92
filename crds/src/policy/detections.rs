//! `spec.detections`: what somebody may do without being told of.

use std::collections::BTreeSet;

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// What is told of what people and programs do: every detection, less what is allowed here. With several policies that say something here, each must allow it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct DetectionSettings {
    /// Who may do what. Counted in ironside_detections_allowed_total, and not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub allowed: Vec<AllowedActors>,
}

/// Users and programs that may do something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.users) || has(self.managers)")
        .message("would allow everybody: give users, managers or both")
        .reason(Reason::FieldValueRequired)
)]
pub struct AllowedActors {
    /// The entry's name.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Ids of the detections, such as D-03. Absent: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(min = 1, max = 64), inner(length(max = 8), regex(pattern = r"^D-[0-9]{2}$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub detections: BTreeSet<String>,
    /// Namespaces in which it is allowed. Absent: everywhere, also outside of namespaces.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(
        length(min = 1, max = 100),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub namespaces: BTreeSet<String>,
    /// User names as the API server authenticates them, such as system:serviceaccount:backup:velero; a * at the end stands for any rest. Only detections from the
    /// audit log know the user.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 2, max = 512)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub users: BTreeSet<String>,
    /// Field managers, such as argocd-controller; a * at the end stands for any rest. A field manager is what a client says of itself: allow one for quiet, not
    /// for safety.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(length(min = 1, max = 100), inner(length(min = 2, max = 128)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub managers: BTreeSet<String>,
}
