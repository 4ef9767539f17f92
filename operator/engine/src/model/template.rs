//! Pod templates: the part of a workload that almost every control reads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::literal::Exposed;
use super::{Labels, Node, null_as_default, one_or_many};
use reading::Reading;

mod reading;

pub use super::container::*;
pub use super::security::*;
pub use super::volume::*;

/// Hash of a whole pod template, unknown fields included: two templates are the same for Kubernetes exactly if their hashes are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateHash([u8; 16]);

impl TemplateHash {
    /// Hashes a template in its JSON form. Object keys are sorted (`serde_json::Map` is a tree here), so the text is canonical.
    pub fn of(template: &Value) -> Self {
        Self::of_text(&template.to_string())
    }

    fn of_text(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Self(short)
    }

    /// Reads what `Display` writes.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for TemplateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TemplateHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A pod template with its hash and its exact text.
#[derive(Clone, Debug, PartialEq)]
pub struct PodTemplate {
    /// Labels of the pods.
    pub labels: Labels,
    /// Annotations of the pods: those that controls and gates read.
    pub annotations: BTreeMap<String, String>,
    /// Pod spec.
    pub spec: Arc<PodSpec>,
    /// Hash of the whole template. For a ReplicaSet the label `pod-template-hash` is left out, so it equals the hash of its Deployment's template.
    pub hash: TemplateHash,
    /// The whole template as canonical JSON, for planning exact changes; empty where nothing is ever planned (ReplicaSets, pods).
    pub text: Arc<str>,
    /// Strings of the template that have the form of a credential; the strings themselves are not kept here.
    pub exposed: Arc<[Exposed]>,
}

impl PodTemplate {
    /// Decodes a template from its JSON form. `keep_text` for kinds whose template may be patched.
    ///
    /// # Errors
    /// A field has a type or value that it may not have, or the template is nested deeper than any is.
    pub fn decode<'de>(template: impl Node<'de>, keep_text: bool) -> Result<Self, serde_json::Error> {
        let reading = Reading::of_template(template, keep_text)?;
        let view = TemplateView::deserialize(template)?;
        Ok(Self::of(reading, view, keep_text))
    }

    /// The part of a pod that a template could have said, so that a status write does not make another template of it.
    pub(super) fn of_pod<'de>(pod: impl Node<'de>) -> Result<Self, serde_json::Error> {
        let reading = Reading::of_pod(pod)?;
        let view = TemplateView::deserialize(pod)?;
        Ok(Self::of(reading, view, true))
    }

    /// One that says nothing.
    pub(super) fn empty() -> Self {
        let reading = Reading {
            text: "{}".to_owned(),
            exposed: Vec::new(),
        };
        Self::of(reading, TemplateView::default(), true)
    }

    fn of(reading: Reading, view: TemplateView, keep_text: bool) -> Self {
        Self {
            labels: view.metadata.labels,
            annotations: view.metadata.annotations,
            spec: Arc::new(view.spec),
            hash: TemplateHash::of_text(&reading.text),
            text: if keep_text { reading.text.into() } else { "".into() },
            exposed: reading.exposed.into(),
        }
    }

    /// The template as JSON; `null` where the text was not kept.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateView {
    #[serde(deserialize_with = "null_as_default")]
    metadata: super::Meta,
    #[serde(deserialize_with = "null_as_default")]
    spec: PodSpec,
}

/// Trimmed pod spec.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)] // Fields are Kubernetes' own and documented there.
pub struct PodSpec {
    #[serde(deserialize_with = "one_or_many")]
    pub containers: Vec<Container>,
    #[serde(deserialize_with = "null_as_default")]
    pub init_containers: Vec<Container>,
    #[serde(deserialize_with = "null_as_default")]
    pub ephemeral_containers: Vec<Container>,
    #[serde(deserialize_with = "null_as_default")]
    pub volumes: Vec<Volume>,
    pub security_context: Option<Box<PodSecurityContext>>,
    pub service_account_name: Option<String>,
    /// The old name of `serviceAccountName`; the API server keeps both equal.
    #[serde(rename = "serviceAccount")]
    pub deprecated_service_account: Option<String>,
    pub automount_service_account_token: Option<bool>,
    pub host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    pub host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    pub host_ipc: Option<bool>,
    pub host_users: Option<bool>,
    #[serde(deserialize_with = "null_as_default")]
    pub node_selector: Labels,
    pub node_name: Option<String>,
    pub os: Option<Os>,
    pub priority_class_name: Option<String>,
    pub runtime_class_name: Option<String>,
    pub restart_policy: Option<String>,
    pub termination_grace_period_seconds: Option<i64>,
}

/// Which list of the pod spec a container stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ContainerKind {
    /// `initContainers`
    Init,
    /// `containers`
    Regular,
    /// `ephemeralContainers`
    Ephemeral,
}

impl ContainerKind {
    /// Name of the list in the pod spec.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Init => "initContainers",
            Self::Regular => "containers",
            Self::Ephemeral => "ephemeralContainers",
        }
    }
}

impl PodSpec {
    /// Every container with its kind and its index in its list: init, regular, ephemeral. All container checks go through here.
    pub fn all_containers(&self) -> impl Iterator<Item = (ContainerKind, usize, &Container)> {
        self.init_containers
            .iter()
            .enumerate()
            .map(|(i, c)| (ContainerKind::Init, i, c))
            .chain(
                self.containers
                    .iter()
                    .enumerate()
                    .map(|(i, c)| (ContainerKind::Regular, i, c)),
            )
            .chain(
                self.ephemeral_containers
                    .iter()
                    .enumerate()
                    .map(|(i, c)| (ContainerKind::Ephemeral, i, c)),
            )
    }

    /// Whether the pod says that it is for Windows, where most Linux security fields are refused or ignored.
    pub fn is_windows(&self) -> bool {
        self.os.as_ref().is_some_and(|os| os.name == "windows") || self.node_selector.has("kubernetes.io/os", "windows")
    }

    /// Name of the service account the pods run as.
    pub fn service_account(&self) -> &str {
        let named = |name: &'_ Option<String>| name.as_deref().is_some_and(|name| !name.is_empty());
        [&self.service_account_name, &self.deprecated_service_account]
            .into_iter()
            .find(|name| named(name))
            .and_then(|name| name.as_deref())
            .unwrap_or("default")
    }
}

/// `spec.os`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Os {
    /// `linux` or `windows`.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
}
