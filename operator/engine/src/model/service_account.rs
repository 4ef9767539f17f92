//! Service accounts.

use serde::Deserialize;

use super::Meta;

/// Trimmed `ServiceAccount`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    /// Metadata.
    pub metadata: Meta,
    /// Whether pods of this account get its token unless they say otherwise; absent means yes.
    pub automount_service_account_token: Option<bool>,
}
