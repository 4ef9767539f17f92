//! Containers of a pod template.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::literal::Literal;
use super::security::{Capabilities, SecurityContext};
use super::volume::VolumeMount;
use super::{Present, null_as_default};

/// Trimmed container.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)] // Fields are Kubernetes' own and documented there.
pub struct Container {
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
    #[serde(deserialize_with = "null_as_default")]
    pub image: String,
    pub image_pull_policy: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub command: Vec<String>,
    #[serde(deserialize_with = "texts")]
    pub args: Vec<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub env: Vec<EnvVar>,
    #[serde(deserialize_with = "null_as_default")]
    pub env_from: Vec<EnvFrom>,
    #[serde(deserialize_with = "null_as_default")]
    pub resources: Resources,
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Vec<ContainerPort>,
    /// Boxed, as the next four: most containers have none of them, and they are large.
    pub security_context: Option<Box<SecurityContext>>,
    #[serde(deserialize_with = "null_as_default")]
    pub volume_mounts: Vec<VolumeMount>,
    pub readiness_probe: Option<Box<Probe>>,
    pub liveness_probe: Option<Box<Probe>>,
    pub startup_probe: Option<Box<Probe>>,
    pub lifecycle: Option<Box<Lifecycle>>,
    #[serde(deserialize_with = "null_as_default")]
    pub stdin: bool,
    #[serde(deserialize_with = "null_as_default")]
    pub tty: bool,
    pub restart_policy: Option<String>,
}

impl Container {
    /// The container's security context; an absent one reads as one with nothing set.
    pub fn security(&self) -> &SecurityContext {
        static NOTHING_SET: SecurityContext = SecurityContext::NOTHING_SET;
        self.security_context.as_deref().unwrap_or(&NOTHING_SET)
    }

    /// `privileged: true`.
    pub fn is_privileged(&self) -> bool {
        self.security().privileged == Some(true)
    }

    /// `capabilities`, if there are any.
    pub fn capabilities(&self) -> Option<&Capabilities> {
        self.security().capabilities.as_ref()
    }

    /// `capabilities.add` as written; absent reads as empty.
    pub fn added_capabilities(&self) -> &[String] {
        self.capabilities().and_then(|c| c.add.as_deref()).unwrap_or_default()
    }

    /// `capabilities.drop` as written; absent reads as empty.
    pub fn dropped_capabilities(&self) -> &[String] {
        self.capabilities().and_then(|c| c.drop.as_deref()).unwrap_or_default()
    }

    /// Whether a Linux capability is added by name, with or without the prefix `CAP_`.
    pub fn adds(&self, capability: &str) -> bool {
        self.added_capabilities()
            .iter()
            .any(|added| added.trim_start_matches("CAP_").eq_ignore_ascii_case(capability))
    }
}

/// One entry of `ports`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct ContainerPort {
    pub name: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub container_port: i32,
    pub host_port: Option<i32>,
    pub protocol: Option<String>,
}

/// Trimmed probe: what the start budget of a container is computed from. Seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Probe {
    pub initial_delay_seconds: Option<i64>,
    pub period_seconds: Option<i64>,
    pub timeout_seconds: Option<i64>,
    pub failure_threshold: Option<i64>,
    pub success_threshold: Option<i64>,
    pub http_get: Option<Host>,
    pub tcp_socket: Option<Host>,
}

/// The `host` of a probe's or a handler's `httpGet` or `tcpSocket`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Host {
    /// Absent or empty means the pod itself.
    pub host: Option<String>,
}

/// `lifecycle`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Lifecycle {
    pub post_start: Option<Handler>,
    pub pre_stop: Option<Handler>,
}

/// What a lifecycle handler calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Handler {
    pub http_get: Option<Host>,
    pub tcp_socket: Option<Host>,
}

/// `resources`: for what a quantity is written. How much it is nobody asks.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Resources {
    #[serde(deserialize_with = "null_as_default")]
    pub requests: Present,
    #[serde(deserialize_with = "null_as_default")]
    pub limits: Present,
}

/// One entry of `env`.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct EnvVar {
    pub name: String,
    /// What is known of a literal value.
    pub value: Option<Literal>,
    /// The value itself, of the settings of etcd that say how it is reached.
    pub setting: Option<Box<str>>,
    pub value_from: Option<EnvSource>,
}

/// Endings of the names of such settings; no password is named like these.
const ETCD_SETTINGS: [&str; 6] = [
    "_FILE",
    "_CLIENT_CERT_AUTH",
    "_AUTO_TLS",
    "_CLIENT_URLS",
    "_PEER_URLS",
    "_METRICS_URLS",
];

impl<'de> Deserialize<'de> for EnvVar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        struct View {
            #[serde(deserialize_with = "null_as_default")]
            name: String,
            value: Option<Value>,
            value_from: Option<EnvSource>,
        }
        let View {
            name,
            value,
            value_from,
        } = View::deserialize(deserializer)?;
        let value = value.map(text);
        let is_setting = name.starts_with("ETCD_") && ETCD_SETTINGS.iter().any(|ending| name.ends_with(ending));
        Ok(Self {
            name,
            value: value.as_deref().map(Literal::of),
            setting: value.filter(|_| is_setting).map(Into::into),
            value_from,
        })
    }
}

/// `valueFrom`; only whether it reads a Secret.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct EnvSource {
    pub secret_key_ref: Option<IgnoredAny>,
}

/// One entry of `envFrom`; only whether it reads a Secret.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct EnvFrom {
    pub secret_ref: Option<IgnoredAny>,
}

/// A list of strings in which numbers and booleans, that a manifest forgot to quote, are read as text.
fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let all: Vec<Value> = null_as_default(deserializer)?;
    Ok(all.into_iter().map(text).collect())
}

/// A value as text, without the quotes of a string.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
