//! ConfigMaps and Secrets. Of a ConfigMap's data only what looks like a credential is remembered, by its place; of a Secret's data nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
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

/// What marks an entry that is worth reading as YAML: how the groups of the documents that installers keep in ConfigMaps end.
const MARK: &[u8] = b".config.k8s.io/";

fn embedded(key: &str, text: &str) -> Option<Embedded> {
    if text.len() > LONGEST_DOCUMENT || memchr::memmem::find(text.as_bytes(), MARK).is_none() {
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
struct View<'a> {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
    #[serde(borrow, deserialize_with = "null_as_default")]
    data: BTreeMap<String, Entry<'a>>,
}

/// An entry, read where it stands if that can be.
enum Entry<'a> {
    Text(Cow<'a, str>),
    Bool(bool),
    /// What no entry may be.
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entry<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyEntry)
    }
}

struct AnyEntry;

impl<'de> Visitor<'de> for AnyEntry {
    type Value = Entry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Entry<'de>, E> {
        Ok(Entry::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Entry<'de>, E> {
        Ok(Entry::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<Entry<'de>, E> {
        Ok(Entry::Text(Cow::Owned(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Entry<'de>, E> {
        Ok(Entry::Bool(value))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Entry<'de>, E> {
        Ok(Entry::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Entry<'de>, E> {
        Ok(Entry::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Entry<'de>, E> {
        Ok(Entry::Other)
    }

    fn visit_unit<E>(self) -> Result<Entry<'de>, E> {
        Ok(Entry::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Entry<'de>, A::Error> {
        IgnoredAny.visit_seq(items).map(|_| Entry::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Entry<'de>, A::Error> {
        IgnoredAny.visit_map(fields).map(|_| Entry::Other)
    }
}

impl<'de> Deserialize<'de> for ConfigMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let view = View::deserialize(deserializer)?;
        let texts = || {
            view.data.iter().filter_map(|(key, entry)| match entry {
                Entry::Text(text) => Some((key.as_str(), &**text)),
                _ => None,
            })
        };
        let suspicious = texts().filter_map(|(key, text)| {
            let what = looks_like(key, text)?;
            Some(Suspicion {
                pointer: format!("/data/{}", escape(key)),
                what,
            })
        });
        let allow_snippets = view.data.get("allow-snippet-annotations").map(|entry| match entry {
            Entry::Text(text) => text.trim() != "false",
            Entry::Bool(value) => *value,
            Entry::Other => true,
        });
        Ok(Self {
            corefile: corefile(texts()),
            documents: texts().filter_map(|(key, text)| embedded(key, text)).collect(),
            suspicious: suspicious.collect(),
            allow_snippets,
            metadata: view.metadata,
        })
    }
}

fn corefile<'a>(mut texts: impl Iterator<Item = (&'a str, &'a str)>) -> Option<Box<Result<Corefile, Malformed>>> {
    let (_, text) = texts.find(|(key, _)| *key == COREFILE)?;
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
    pub default: BTreeMap<String, Value>,
    /// Requests of containers that state none.
    #[serde(deserialize_with = "null_as_default")]
    pub default_request: BTreeMap<String, Value>,
}
