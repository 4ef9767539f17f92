//! ConfigMaps and Secrets. Of a ConfigMap's data only what looks like a credential is remembered, by its place; of a Secret's data nothing.

use serde::Deserialize;
use serde_json::Value;

use super::literal::{assigned, could_be_secret, credential, escape, is_sensitive_name};
use super::{Configuration, Kind, Meta, null_as_default};
use crate::components::{Corefile, Malformed};

/// Trimmed `ConfigMap`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ConfigMap {
    /// Metadata.
    pub metadata: Meta,
    /// Entries that look like credentials.
    pub suspicious: Vec<Suspicion>,
    /// Value of `allow-snippet-annotations`, the setting of ingress-nginx that lets tenants write parts of its configuration.
    pub allow_snippets: Option<bool>,
    /// Entries that are documents which configure a component.
    pub documents: Box<[Embedded]>,
    /// The entry that configures CoreDNS, or why it cannot be read.
    pub corefile: Option<Box<Result<Corefile, Malformed>>>,
}

/// The entry that CoreDNS reads, as its manifests name it.
pub const COREFILE: &str = "Corefile";

/// A document that is an entry of a ConfigMap.
#[derive(Clone, Debug, PartialEq)]
pub struct Embedded {
    /// JSON pointer of the entry.
    pub pointer: String,
    /// What it is.
    pub kind: Kind,
    /// The document.
    pub configuration: Configuration,
}

/// Longest entry that is read as a document, in bytes; real ones have a few thousand.
const LONGEST_DOCUMENT: usize = 64 * 1024;

/// What marks an entry that is worth reading as YAML: the groups of the documents that installers keep in ConfigMaps.
const MARKS: [&str; 2] = ["kubelet.config.k8s.io/", "kubeproxy.config.k8s.io/"];

fn embedded(key: &str, text: &str) -> Option<Embedded> {
    if text.len() > LONGEST_DOCUMENT || !MARKS.iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let document: Value = serde_saphyr::from_str(text).ok()?;
    let kind = Kind::from_manifest(document.get("apiVersion")?.as_str()?, document.get("kind")?.as_str()?)?;
    kind.configures()?;
    Some(Embedded {
        pointer: format!("/data/{}", escape(key)),
        kind,
        configuration: serde_json::from_value(document).ok()?,
    })
}

/// An entry that looks like a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    /// JSON pointer of the entry.
    pub pointer: String,
    /// What it looks like.
    pub what: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct View {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
    #[serde(deserialize_with = "null_as_default")]
    data: serde_json::Map<String, Value>,
}

impl<'de> Deserialize<'de> for ConfigMap {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let view = View::deserialize(deserializer)?;
        let suspicious = view.data.iter().filter_map(|(key, value)| {
            let what = looks_like(key, value.as_str()?)?;
            Some(Suspicion {
                pointer: format!("/data/{}", escape(key)),
                what,
            })
        });
        let allow_snippets = view.data.get("allow-snippet-annotations").map(|value| match value {
            Value::String(text) => text.trim() != "false",
            other => other.as_bool() != Some(false),
        });
        let documents = view.data.iter();
        let documents = documents.filter_map(|(key, value)| embedded(key, value.as_str()?));
        Ok(Self {
            corefile: corefile(&view.data),
            documents: documents.collect(),
            suspicious: suspicious.collect(),
            allow_snippets,
            metadata: view.metadata,
        })
    }
}

fn corefile(data: &serde_json::Map<String, Value>) -> Option<Box<Result<Corefile, Malformed>>> {
    let text = data.get(COREFILE)?.as_str()?;
    let readable = text.len() <= LONGEST_DOCUMENT && !text.trim().is_empty();
    readable.then(|| Box::new(Corefile::parse(text)))
}

fn looks_like(key: &str, value: &str) -> Option<String> {
    if let Some(what) = credential(value) {
        return Some(what.to_owned());
    }
    if is_sensitive_name(key) && could_be_secret(value) && !value.trim().contains(['\n', ' ']) {
        return Some("a value whose key names a credential".to_owned());
    }
    assigned(value).map(|name| format!("a text that sets {name}"))
}

/// Trimmed `Secret`: what kind it is, never what is in it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Secret {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Meta,
    /// `kubernetes.io/service-account-token` and the like.
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

/// Trimmed `LimitRange`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LimitRange {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Meta,
    /// Spec.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: LimitRangeSpec,
}

/// Trimmed `LimitRange.spec`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct LimitRangeSpec {
    /// One item for each type.
    #[serde(deserialize_with = "null_as_default")]
    pub limits: Vec<LimitRangeItem>,
}

/// Limits of one type.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct LimitRangeItem {
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    /// Limits of containers that state none.
    #[serde(deserialize_with = "null_as_default")]
    pub default: std::collections::BTreeMap<String, Value>,
    /// Requests of containers that state none.
    #[serde(deserialize_with = "null_as_default")]
    pub default_request: std::collections::BTreeMap<String, Value>,
}
