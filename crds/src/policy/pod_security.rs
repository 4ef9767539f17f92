//! `spec.podSecurity`: the Pod Security Admission labels of the selected namespaces.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;

/// Pod Security Admission labels that are set on the selected namespaces, after every pod and pod template in them has met the level for `soak`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.enforce) || has(self.warn) || has(self.audit)")
        .message("sets no label: give enforce, warn or audit")
        .reason(Reason::FieldValueRequired)
)]
pub struct PodSecuritySettings {
    /// The level below which pods are refused: Privileged, Baseline or Restricted. Absent: hands off this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce: Option<PodSecurityLevel>,
    /// The level below which the author is warned: Privileged, Baseline or Restricted. Absent: hands off this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warn: Option<PodSecurityLevel>,
    /// The level below which the audit log has an annotation: Privileged, Baseline or Restricted. Absent: hands off this label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<PodSecurityLevel>,
    /// The version of the Pod Security Standards, such as v1.37. With latest, an upgrade of the cluster may refuse pods that ran before.
    #[schemars(length(max = 8), regex(pattern = r"^(latest|v1\.[0-9]{1,3})$"))]
    pub version: String,
    /// How long everything in the namespace must have met the level before enforce is set. Default: 168h.
    #[serde(default = "default_soak")]
    pub soak: Duration,
}

/// A level of the Pod Security Standards, from least to most strict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum PodSecurityLevel {
    /// No restriction.
    Privileged,
    /// Known privilege escalations are refused.
    Baseline,
    /// Hardening best practice is required.
    Restricted,
}

fn default_soak() -> Duration {
    Duration::from_hours(168)
}
