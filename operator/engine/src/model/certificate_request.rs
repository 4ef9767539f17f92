//! Requests for certificates that the cluster signs.

use serde::Deserialize;

use super::{Meta, null_as_default};

/// Trimmed `CertificateSigningRequest`: never the request itself.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct CertificateRequest {
    /// Metadata.
    #[serde(deserialize_with = "null_as_default")]
    pub metadata: Meta,
    /// Spec.
    #[serde(deserialize_with = "null_as_default")]
    pub spec: CertificateRequestSpec,
    /// Status.
    #[serde(deserialize_with = "null_as_default")]
    pub status: CertificateRequestStatus,
}

/// Trimmed `spec`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CertificateRequestSpec {
    /// Who signs, such as `kubernetes.io/kube-apiserver-client`.
    #[serde(deserialize_with = "null_as_default")]
    pub signer_name: String,
    /// Who asked. Set by the API server, whatever the client wrote.
    #[serde(deserialize_with = "null_as_default")]
    pub username: String,
}

/// Trimmed `status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CertificateRequestStatus {
    /// `Approved`, `Denied`, `Failed`.
    #[serde(deserialize_with = "null_as_default")]
    pub conditions: Vec<CertificateRequestCondition>,
}

/// Trimmed condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct CertificateRequestCondition {
    /// `Approved`, `Denied`, `Failed`.
    #[serde(rename = "type", deserialize_with = "null_as_default")]
    pub kind: String,
}

impl CertificateRequest {
    /// Whether the certificate may be signed.
    pub fn is_approved(&self) -> bool {
        self.status
            .conditions
            .iter()
            .any(|condition| condition.kind == "Approved")
    }
}
