//! One trimmed view per Kubernetes kind: exactly the fields that some control, plan or gate reads.
//!
//! Views are decoded straight from JSON (or YAML) by serde; unknown keys are skipped, `null` counts as absent. They are never written back: a typed
//! round trip would lose what the view leaves out. Changes to foreign objects are JSON Patches only.

pub mod admission;
pub mod certificate;
pub mod certificate_request;
pub mod cluster_node;
pub mod config;
pub mod configuration;
pub mod container;
pub mod disruption;
pub mod extension;
pub mod image;
pub mod kind;
pub mod labels;
pub mod layer;
pub mod literal;
pub mod managed_fields;
pub mod meta;
pub mod misfit;
pub mod namespace;
pub mod network;
pub mod node;
pub mod pod;
pub mod present;
pub mod rbac;
pub mod reference;
pub mod resource;
pub mod security;
pub mod selector;
pub mod service_account;
pub mod template;
pub mod volume;
pub mod workload;

pub use admission::Admission;
pub use certificate_request::CertificateRequest;
pub use cluster_node::ClusterNode;
pub use configuration::Configuration;
pub use disruption::PodDisruptionBudget;
pub use kind::Kind;
pub use labels::Labels;
pub use managed_fields::{FieldOwner, ManagedFields};
pub use meta::{Meta, OwnerReference};
pub use namespace::Namespace;
pub use network::{Ingress, NetworkPolicy, Service};
pub use node::{Node, Shape};
pub use pod::Pod;
pub use present::Present;
pub use reference::ObjectRef;
pub use resource::Resource;
pub use selector::LabelSelector;
pub use service_account::ServiceAccount;
pub use template::{Container, ContainerKind, PodSpec, PodTemplate, TemplateHash};
pub use workload::Workload;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads `null` as the default value: `containers: null` in a manifest means the same as leaving it out.
pub(crate) fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a list that several objects may share.
pub(crate) fn shared_list<'de, D, T>(deserializer: D) -> Result<Arc<[T]>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    null_as_default(deserializer).map(Vec::into)
}

/// Reads a single item where a list belongs as a list of one: a manifest that forgot the dash is judged as it was meant. The API server refuses it.
pub(crate) fn one_or_many<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_any(OneOrMany(PhantomData))
}

/// Items of a list that room is made for before they were seen.
const MOST_FORESEEN: usize = 1024;

struct OneOrMany<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneOrMany<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Vec<T>, A::Error> {
        Ok(vec![T::deserialize(MapAccessDeserializer::new(map))?])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::with_capacity(items.size_hint().unwrap_or_default().min(MOST_FORESEEN));
        while let Some(item) = items.next_element()? {
            all.push(item);
        }
        Ok(all)
    }
}
