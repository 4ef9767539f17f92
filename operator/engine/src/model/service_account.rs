//! Service accounts.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use super::{Meta, null_as_default};

/// Trimmed `ServiceAccount`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    /// Metadata.
    pub metadata: Meta,
    /// Whether pods of this account get its token unless they say otherwise; absent means yes.
    pub automount_service_account_token: Option<bool>,
    /// How many Secrets with tokens it names. Before Kubernetes 1.24 the control plane made one for each account.
    #[serde(deserialize_with = "counted")]
    pub secrets: usize,
}

fn counted<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let all: Vec<IgnoredAny> = null_as_default(deserializer)?;
    Ok(all.len())
}
