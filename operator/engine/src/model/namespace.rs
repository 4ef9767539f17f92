//! Namespaces.

use serde::Deserialize;

use super::Meta;

/// Trimmed `Namespace`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// Metadata.
    pub metadata: Meta,
    /// Status.
    pub status: NamespaceStatus,
}

/// Trimmed `Namespace.status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct NamespaceStatus {
    /// `Active` or `Terminating`.
    pub phase: Option<String>,
}

impl Namespace {
    /// Whether the namespace is going away: nothing is created or restored in it any more.
    pub fn is_terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some() || self.status.phase.as_deref() == Some("Terminating")
    }
}
