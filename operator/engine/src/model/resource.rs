//! Objects that are judged on their own and that nothing else is built from: one type for all of them, so that the world keeps them in one place.

use serde::Deserialize;

use super::admission::Admission;
use super::certificate_request::CertificateRequest;
use super::cluster_node::ClusterNode;
use super::config::{ConfigMap, LimitRange, Secret};
use super::configuration::Configuration;
use super::rbac::{Binding, Role};
use super::{Kind, Meta, Node, null_as_default};

/// A trimmed view of an object that is judged on its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Resource {
    /// A ConfigMap.
    ConfigMap(ConfigMap),
    /// A Secret.
    Secret(Secret),
    /// A LimitRange.
    LimitRange(LimitRange),
    /// A Role or ClusterRole.
    Role(Role),
    /// A RoleBinding or ClusterRoleBinding.
    Binding(Binding),
    /// A Node.
    Node(ClusterNode),
    /// Something that decides over requests.
    Admission(Admission),
    /// A request for a certificate.
    CertificateRequest(CertificateRequest),
    /// A document that configures a component of the cluster.
    Configuration(Configuration),
    /// An object of which nothing but its place is judged.
    Other(Meta),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OnlyMeta {
    #[serde(deserialize_with = "null_as_default")]
    metadata: Meta,
}

impl Resource {
    /// Whether objects of this kind are kept in this form.
    pub const fn holds(kind: Kind) -> bool {
        matches!(
            kind,
            Kind::ConfigMap
                | Kind::LimitRange
                | Kind::Role
                | Kind::ClusterRole
                | Kind::RoleBinding
                | Kind::ClusterRoleBinding
                | Kind::Node
                | Kind::CertificateSigningRequest
        ) || Admission::holds(kind)
            || !(kind.is_watched() || kind.is_workload())
    }

    /// Decodes an object of such a kind.
    ///
    /// # Errors
    /// A field has a type or value that the kind does not allow.
    pub fn decode<'de>(kind: Kind, object: impl Node<'de>) -> Result<Self, serde_json::Error> {
        let mut resource = match kind {
            Kind::ConfigMap => Self::ConfigMap(Deserialize::deserialize(object)?),
            Kind::Secret => Self::Secret(Deserialize::deserialize(object)?),
            Kind::LimitRange => Self::LimitRange(Deserialize::deserialize(object)?),
            Kind::Role | Kind::ClusterRole => Self::Role(Deserialize::deserialize(object)?),
            Kind::RoleBinding | Kind::ClusterRoleBinding => Self::Binding(Deserialize::deserialize(object)?),
            Kind::Node => Self::Node(Deserialize::deserialize(object)?),
            Kind::CertificateSigningRequest => Self::CertificateRequest(Deserialize::deserialize(object)?),
            _ if Admission::holds(kind) => Self::Admission(Admission::decode(object)?),
            _ if kind.configures().is_some() => Self::Configuration(Deserialize::deserialize(object)?),
            _ => Self::Other(OnlyMeta::deserialize(object)?.metadata),
        };
        // Nobody asks who wrote a field of these, and it is half of their bytes.
        resource.metadata_mut().managed_fields = Vec::new();
        Ok(resource)
    }

    /// Metadata.
    pub const fn metadata(&self) -> &Meta {
        match self {
            Self::ConfigMap(o) => &o.metadata,
            Self::Secret(o) => &o.metadata,
            Self::LimitRange(o) => &o.metadata,
            Self::Role(o) => &o.metadata,
            Self::Binding(o) => &o.metadata,
            Self::Node(o) => &o.metadata,
            Self::Admission(o) => &o.metadata,
            Self::CertificateRequest(o) => &o.metadata,
            Self::Configuration(o) => &o.metadata,
            Self::Other(meta) => meta,
        }
    }

    /// Metadata.
    pub const fn metadata_mut(&mut self) -> &mut Meta {
        match self {
            Self::ConfigMap(o) => &mut o.metadata,
            Self::Secret(o) => &mut o.metadata,
            Self::LimitRange(o) => &mut o.metadata,
            Self::Role(o) => &mut o.metadata,
            Self::Binding(o) => &mut o.metadata,
            Self::Node(o) => &mut o.metadata,
            Self::Admission(o) => &mut o.metadata,
            Self::CertificateRequest(o) => &mut o.metadata,
            Self::Configuration(o) => &mut o.metadata,
            Self::Other(meta) => meta,
        }
    }
}
