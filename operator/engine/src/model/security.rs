//! Security contexts of pods and containers.

use serde::Deserialize;

use super::null_as_default;

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
    pub se_linux_options: Option<SeLinuxOptions>,
}

impl SecurityContext {
    pub(super) const NOTHING_SET: Self = Self {
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
        se_linux_options: None,
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
    pub se_linux_options: Option<SeLinuxOptions>,
    pub supplemental_groups_policy: Option<String>,
    #[serde(deserialize_with = "null_as_default")]
    pub sysctls: Vec<Sysctl>,
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

/// `seLinuxOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct SeLinuxOptions {
    pub user: Option<String>,
    pub role: Option<String>,
    #[serde(rename = "type")]
    pub kind: Option<String>,
    pub level: Option<String>,
}

/// One kernel parameter; its value is nobody's question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Sysctl {
    /// Name, with dots or slashes.
    #[serde(deserialize_with = "null_as_default")]
    pub name: String,
}
