//! One trimmed view per Kubernetes kind: exactly the fields that some control, plan or gate reads.
//!
//! Views are decoded straight from JSON (or YAML) by serde; unknown keys are skipped, `null` counts as absent. They are never written back: a typed
//! round trip would lose what the view leaves out. Changes to foreign objects are JSON Patches only.

pub mod config;
pub mod container;
pub mod disruption;
pub mod image;
pub mod literal;
pub mod managed_fields;
pub mod meta;
pub mod namespace;
pub mod network;
pub mod pod;
pub mod rbac;
pub mod reference;
pub mod resource;
pub mod security;
pub mod selector;
pub mod service_account;
pub mod template;
pub mod volume;
pub mod workload;

pub use disruption::PodDisruptionBudget;
pub use managed_fields::{FieldOwner, ManagedFields};
pub use meta::{Meta, OwnerReference};
pub use namespace::Namespace;
pub use network::{Ingress, NetworkPolicy, Service};
pub use pod::Pod;
pub use reference::{Kind, ObjectRef};
pub use resource::Resource;
pub use selector::LabelSelector;
pub use service_account::ServiceAccount;
pub use template::{Container, ContainerKind, PodSpec, PodTemplate, TemplateHash};
pub use workload::Workload;

use serde::{Deserialize, Deserializer};

/// Reads `null` as the default value: `containers: null` in a manifest means the same as leaving it out.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
