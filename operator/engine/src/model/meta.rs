//! The part of `metadata` that decisions rest on.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::{Labels, ManagedFields, null_as_default, shared_list};

/// Annotations under these prefixes are kept; all others are dropped while decoding, so that a hostile object with a megabyte of annotations costs nothing.
const KEPT_ANNOTATIONS: [&str; 21] = [
    "hardening.ironside.dev/",
    "argocd.argoproj.io/",
    "kustomize.toolkit.fluxcd.io/",
    "helm.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "prometheus.io/",
    "deployment.kubernetes.io/",
    "cluster-autoscaler.kubernetes.io/",
    "karpenter.sh/",
    "kubernetes.io/config.",
    "kubectl.kubernetes.io/restartedAt",
    "olm.",
    "container.apparmor.security.beta.kubernetes.io/",
    "seccomp.security.alpha.kubernetes.io/",
    "vault.hashicorp.com/",
    "nginx.ingress.kubernetes.io/",
    "kubernetes.io/ingress.",
    "service.beta.kubernetes.io/",
    "networking.gke.io/",
    "cloud.google.com/",
    "rbac.authorization.kubernetes.io/",
];

/// Longest annotation value that is kept, in bytes. Our own annotation has at most 8 KiB; nothing else that we read is near it.
const LONGEST_ANNOTATION: usize = 16 * 1024;

/// Trimmed `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Name; `generateName` objects that were never sent to a server have none.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    /// Namespace, empty for cluster-scoped objects.
    #[serde(deserialize_with = "null_as_default")]
    pub namespace: String,
    /// UID, empty for objects that come from files.
    #[serde(deserialize_with = "null_as_default")]
    pub uid: String,
    /// Changes with `spec` only.
    #[serde(deserialize_with = "null_as_default")]
    pub generation: i64,
    /// Opaque version, for logging and stale-read checks only.
    #[serde(deserialize_with = "null_as_default")]
    pub resource_version: String,
    /// Labels, all of them: selectors can ask for any. Shared by the pods of one controller.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: Labels,
    /// Only annotations that some decision reads.
    #[serde(deserialize_with = "kept_annotations")]
    pub annotations: BTreeMap<String, String>,
    /// Owners. Shared by the pods of one controller.
    #[serde(deserialize_with = "shared_list")]
    pub owner_references: Arc<[OwnerReference]>,
    /// When the object was created.
    pub creation_timestamp: Option<Timestamp>,
    /// When deletion was asked for.
    pub deletion_timestamp: Option<Timestamp>,
    /// Who owns which field. Empty for pods (they do not need it) and for files.
    #[serde(deserialize_with = "null_as_default")]
    pub managed_fields: Vec<ManagedFields>,
}

impl Meta {
    /// Decodes metadata without its managed fields, which are half of a pod's bytes and cost more than all the rest.
    pub fn without_writers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Read(#[serde(with = "WithoutWriters")] Meta);
        Ok(Option::<Read>::deserialize(deserializer)?.map_or_else(Self::default, |read| read.0))
    }

    /// Takes what says the same from a sibling instead of keeping a second copy.
    pub(crate) fn share_with(&mut self, sibling: &Self) {
        self.labels.share_with(&sibling.labels);
        if self.owner_references == sibling.owner_references {
            self.owner_references = Arc::clone(&sibling.owner_references);
        }
    }

    /// The owner that is in charge of this object (`controller: true`).
    pub fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// [`Meta`] as it is decoded where nobody asks who wrote a field.
#[derive(Deserialize)]
#[serde(remote = "Meta", rename_all = "camelCase", default = "Meta::default")]
struct WithoutWriters {
    #[serde(deserialize_with = "null_as_default")]
    name: String,
    #[serde(deserialize_with = "null_as_default")]
    namespace: String,
    #[serde(deserialize_with = "null_as_default")]
    uid: String,
    #[serde(deserialize_with = "null_as_default")]
    generation: i64,
    #[serde(deserialize_with = "null_as_default")]
    resource_version: String,
    #[serde(deserialize_with = "null_as_default")]
    labels: Labels,
    #[serde(deserialize_with = "kept_annotations")]
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "shared_list")]
    owner_references: Arc<[OwnerReference]>,
    creation_timestamp: Option<Timestamp>,
    deletion_timestamp: Option<Timestamp>,
    #[serde(skip)]
    managed_fields: Vec<ManagedFields>,
}

/// One entry of `ownerReferences`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// API version of the owner.
    pub api_version: String,
    /// Kind of the owner, any kind at all.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// UID of the owner.
    pub uid: String,
    /// Whether this owner is the managing controller.
    #[serde(deserialize_with = "null_as_default")]
    pub controller: bool,
}

fn kept_annotations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let mut all: BTreeMap<String, String> = null_as_default(deserializer)?;
    all.retain(|key, value| {
        value.len() <= LONGEST_ANNOTATION && KEPT_ANNOTATIONS.iter().any(|prefix| key.starts_with(prefix))
    });
    Ok(all)
}
