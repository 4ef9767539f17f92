//! Pod templates: the part of a workload that almost every control reads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::null_as_default;

/// Hash of a whole pod template, unknown fields included: two templates are the same for Kubernetes exactly if their hashes are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TemplateHash([u8; 16]);

impl TemplateHash {
    /// Hashes a template in its JSON form. Object keys are sorted (`serde_json::Map` is a tree here), so the text is canonical.
    pub fn of(template: &Value) -> Self {
        let digest = Sha256::digest(template.to_string().as_bytes());
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
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pods: those that controls and gates read.
    pub annotations: BTreeMap<String, String>,
    /// Pod spec.
    pub spec: Arc<PodSpec>,
    /// Hash of the whole template. For a ReplicaSet the label `pod-template-hash` is left out, so it equals the hash of its Deployment's template.
    pub hash: TemplateHash,
    /// The whole template as canonical JSON, for planning exact changes; empty where nothing is ever planned (ReplicaSets, pods).
    pub text: Arc<str>,
}

impl PodTemplate {
    /// Decodes a template from its JSON form. `keep_text` for kinds whose template may be patched.
    pub fn decode(mut template: Value, keep_text: bool) -> Result<Self, serde_json::Error> {
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
            labels.remove("pod-template-hash");
        }
        let text = template.to_string();
        let hash = TemplateHash::of(&template);
        let view: TemplateView = serde_json::from_value(template)?;
        Ok(Self {
            labels: view.metadata.labels,
            annotations: view.metadata.annotations,
            spec: Arc::new(view.spec),
            hash,
            text: if keep_text { text.into() } else { "".into() },
        })
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
    #[serde(deserialize_with = "null_as_default")]
    pub containers: Vec<Container>,
    #[serde(deserialize_with = "null_as_default")]
    pub init_containers: Vec<Container>,
    #[serde(deserialize_with = "null_as_default")]
    pub ephemeral_containers: Vec<Container>,
    #[serde(deserialize_with = "null_as_default")]
    pub volumes: Vec<Volume>,
    pub security_context: Option<PodSecurityContext>,
    pub service_account_name: Option<String>,
    pub automount_service_account_token: Option<bool>,
    pub host_network: Option<bool>,
    #[serde(rename = "hostPID")]
    pub host_pid: Option<bool>,
    #[serde(rename = "hostIPC")]
    pub host_ipc: Option<bool>,
    pub host_users: Option<bool>,
    #[serde(deserialize_with = "null_as_default")]
    pub node_selector: BTreeMap<String, String>,
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
        self.os.as_ref().is_some_and(|os| os.name == "windows")
            || self
                .node_selector
                .get("kubernetes.io/os")
                .is_some_and(|os| os == "windows")
    }

    /// Name of the service account the pods run as.
    pub fn service_account(&self) -> &str {
        self.service_account_name
            .as_deref()
            .filter(|name| !name.is_empty())
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
    #[serde(deserialize_with = "null_as_default")]
    pub ports: Vec<ContainerPort>,
    pub security_context: Option<SecurityContext>,
    #[serde(deserialize_with = "null_as_default")]
    pub volume_mounts: Vec<VolumeMount>,
    pub readiness_probe: Option<Probe>,
    pub startup_probe: Option<Probe>,
    pub restart_policy: Option<String>,
}

impl Container {
    /// The container's security context; an absent one reads as one with nothing set.
    pub fn security(&self) -> &SecurityContext {
        static NOTHING_SET: SecurityContext = SecurityContext::NOTHING_SET;
        self.security_context.as_ref().unwrap_or(&NOTHING_SET)
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

/// Trimmed container `securityContext`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct SecurityContext {
    pub allow_privilege_escalation: Option<bool>,
    pub privileged: Option<bool>,
    pub run_as_non_root: Option<bool>,
    pub run_as_user: Option<i64>,
    pub run_as_group: Option<i64>,
    pub read_only_root_filesystem: Option<bool>,
    pub proc_mount: Option<String>,
    pub capabilities: Option<Capabilities>,
    pub seccomp_profile: Option<Profile>,
    pub app_armor_profile: Option<Profile>,
    pub windows_options: Option<WindowsOptions>,
}

impl SecurityContext {
    const NOTHING_SET: Self = Self {
        allow_privilege_escalation: None,
        privileged: None,
        run_as_non_root: None,
        run_as_user: None,
        run_as_group: None,
        read_only_root_filesystem: None,
        proc_mount: None,
        capabilities: None,
        seccomp_profile: None,
        app_armor_profile: None,
        windows_options: None,
    };
}

/// Trimmed pod `securityContext`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct PodSecurityContext {
    pub run_as_non_root: Option<bool>,
    pub run_as_user: Option<i64>,
    pub run_as_group: Option<i64>,
    pub fs_group: Option<i64>,
    #[serde(deserialize_with = "null_as_default")]
    pub supplemental_groups: Vec<i64>,
    pub seccomp_profile: Option<Profile>,
    pub app_armor_profile: Option<Profile>,
    pub windows_options: Option<WindowsOptions>,
}

/// `capabilities`. Absent and empty lists are kept apart: undo must restore exactly what was there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Capabilities {
    pub add: Option<Vec<String>>,
    pub drop: Option<Vec<String>>,
}

/// A seccomp or AppArmor profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Profile {
    /// `RuntimeDefault`, `Localhost` or `Unconfined`.
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
    /// File of a `Localhost` profile.
    pub localhost_profile: Option<String>,
}

/// `windowsOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct WindowsOptions {
    pub host_process: Option<bool>,
}

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
}
