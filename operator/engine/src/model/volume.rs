//! Volumes of pods and where containers mount them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::null_as_default;

/// One `volumeMounts` entry.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct VolumeMount {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub mount_path: String,
    pub read_only: Option<bool>,
}

/// Trimmed volume: sources that some control or risk rule reads.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Volume {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    pub host_path: Option<HostPath>,
    pub empty_dir: Option<EmptyDir>,
    pub persistent_volume_claim: Option<PersistentVolumeClaimSource>,
    pub projected: Option<Projected>,
    /// Every other source that is named, such as `secret` or `nfs`; `null` ones are not there.
    #[serde(flatten)]
    pub others: BTreeMap<String, Option<IgnoredAny>>,
}

/// `hostPath`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct HostPath {
    #[serde(deserialize_with = "null_as_default")]
    pub path: String,
}

/// `emptyDir`; its presence is what counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct EmptyDir {
    pub medium: Option<String>,
}

/// `persistentVolumeClaim`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct PersistentVolumeClaimSource {
    #[serde(deserialize_with = "null_as_default")]
    pub claim_name: String,
}

/// `projected`; only whether it carries a ServiceAccount token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Projected {
    #[serde(deserialize_with = "null_as_default")]
    pub sources: Vec<ProjectedSource>,
}

/// One projected source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct ProjectedSource {
    pub service_account_token: Option<TokenProjection>,
}

/// `serviceAccountToken` projection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct TokenProjection {
    pub audience: Option<String>,
    pub path: Option<String>,
}

impl Volume {
    /// Names of the sources that no control reads the content of.
    pub fn other_sources(&self) -> impl Iterator<Item = &str> {
        let named = self.others.iter().filter(|(_, source)| source.is_some());
        named.map(|(name, _)| name.as_str())
    }
}
