//! Volumes of pods and where containers mount them.

use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Present, null_as_default};

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
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Volume {
    pub name: String,
    pub host_path: Option<HostPath>,
    pub empty_dir: Option<EmptyDir>,
    pub persistent_volume_claim: Option<PersistentVolumeClaimSource>,
    pub projected: Option<Projected>,
    /// Every other source that is named, such as `secret` or `nfs`.
    pub others: Present,
}

impl<'de> Deserialize<'de> for Volume {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

/// Not derived: whoever flattens a map makes a copy of all that is below it.
struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Volume;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("struct Volume")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Volume, A::Error> {
        let mut volume = Volume::default();
        let mut others = Vec::new();
        while let Some(field) = map.next_key::<Box<str>>()? {
            match &*field {
                "name" => volume.name = map.next_value::<Option<_>>()?.unwrap_or_default(),
                "hostPath" => volume.host_path = map.next_value()?,
                "emptyDir" => volume.empty_dir = map.next_value()?,
                "persistentVolumeClaim" => volume.persistent_volume_claim = map.next_value()?,
                "projected" => volume.projected = map.next_value()?,
                _ => {
                    let has_value = map.next_value::<Option<IgnoredAny>>()?.is_some();
                    others.push((field, has_value));
                }
            }
        }
        volume.others = others.into();
        Ok(volume)
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_source_is_there_unless_it_is_null() {
        let volume =
            json!({"name": "data", "hostPath": null, "emptyDir": {}, "nfs": {"path": "/"}, "csi": {}, "secret": null});
        let volume = Volume::deserialize(volume).unwrap();
        assert_eq!((&*volume.name, volume.host_path), ("data", None));
        assert!(volume.empty_dir.is_some());
        assert_eq!(volume.others.iter().collect::<Vec<_>>(), ["csi", "nfs"]);
        let wrong = Volume::deserialize(json!({"hostPath": {"path": 1}}));
        assert!(wrong.unwrap_err().to_string().contains("expected a string"));
    }
}
