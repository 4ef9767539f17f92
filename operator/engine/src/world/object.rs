//! One decoded object of any kind that the engine knows.

use serde::Deserialize;
use serde_json::Value;

use super::backends::{self, Caller};
use super::faults;
use crate::model::disruption::ResourceQuota;
use crate::model::workload::DecodeError;
use crate::model::{
    Admission, Ingress, Kind, Labels, Meta, Namespace, NetworkPolicy, Node, ObjectRef, OwnerReference, Pod,
    PodDisruptionBudget, Resource, Service, ServiceAccount, Workload,
};

/// A trimmed view, whatever its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Object {
    /// A namespace.
    Namespace(Namespace),
    /// A pod. One that no workload stands behind is a workload itself and carries its spec as one.
    Pod(Pod, Option<Box<Workload>>),
    /// Any other workload kind.
    Workload(Box<Workload>),
    /// A service account.
    ServiceAccount(ServiceAccount),
    /// A service.
    Service(Service),
    /// An ingress.
    Ingress(Ingress),
    /// A network policy.
    NetworkPolicy(NetworkPolicy),
    /// A disruption budget.
    PodDisruptionBudget(PodDisruptionBudget),
    /// A quota.
    ResourceQuota(ResourceQuota),
    /// An object that is judged on its own.
    Resource(Kind, Resource),
    /// Something that extends the API server, which calls Services for it: an admission webhook configuration, of which it is also kept what it decides, an
    /// APIService, a CRD with conversion.
    Caller(ObjectRef, Box<Caller>, Option<Box<Admission>>),
    /// An object that exists but cannot be read as its kind, with the reason. Its controls are Unknown.
    Unreadable(ObjectRef, String),
}

impl Object {
    /// Decodes an object of `kind`. Fails on a field of the wrong type, never on an unknown one.
    pub fn decode<'de>(kind: Kind, object: impl Node<'de>) -> Result<Self, DecodeError> {
        Self::parts(kind, object)
            .map_err(|source| DecodeError::of(kind, object, &source, |object| Self::parts(kind, object).err()))
    }

    fn parts<'de>(kind: Kind, object: impl Node<'de>) -> Result<Self, serde_json::Error> {
        Ok(match kind {
            Kind::Namespace => Self::Namespace(Deserialize::deserialize(object)?),
            Kind::Pod => {
                let mut pod = Pod::deserialize(object)?;
                // Nothing asks who wrote a field of a live pod, and there are many pods.
                pod.metadata.managed_fields = Vec::new();
                let bare = template_owner(Kind::Pod, &pod.metadata).is_none();
                let workload = bare.then(|| Workload::parts(kind, object)).transpose()?;
                Self::Pod(pod, workload.map(Box::new))
            }
            Kind::Deployment
            | Kind::ReplicaSet
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
            | Kind::ReplicationController => Self::Workload(Box::new(Workload::parts(kind, object)?)),
            Kind::ServiceAccount => Self::ServiceAccount(Deserialize::deserialize(object)?),
            Kind::Service => Self::Service(Deserialize::deserialize(object)?),
            Kind::Ingress => Self::Ingress(Deserialize::deserialize(object)?),
            Kind::NetworkPolicy => {
                let faults = faults::of(&Value::deserialize(object)?);
                let policy = NetworkPolicy::deserialize(object)?;
                Self::NetworkPolicy(NetworkPolicy { faults, ..policy })
            }
            Kind::PodDisruptionBudget => Self::PodDisruptionBudget(Deserialize::deserialize(object)?),
            Kind::ResourceQuota => Self::ResourceQuota(Deserialize::deserialize(object)?),
            Kind::ValidatingWebhookConfiguration
            | Kind::MutatingWebhookConfiguration
            | Kind::ApiService
            | Kind::CustomResourceDefinition => {
                let (name, caller) = backends::decode(kind, object)?;
                let hooks = Admission::holds(kind).then(|| Admission::decode(object)).transpose()?;
                Self::Caller(ObjectRef::new(kind, "", &name), Box::new(caller), hooks.map(Box::new))
            }
            _ => Self::Resource(kind, Resource::decode(kind, object)?),
        })
    }

    /// Says where an object lives whose manifest does not.
    pub fn put_in_namespace(&mut self, namespace: &str) {
        if !matches!(self, Self::Namespace(_)) {
            self.each_meta(|meta| namespace.clone_into(&mut meta.namespace));
        }
    }

    /// Takes the labels of the object before, where they are equal, instead of keeping a second copy: those of one application mostly are.
    pub fn share_labels(&mut self, before: &mut Labels) {
        self.each_meta(|meta| {
            meta.labels.share_with(before);
            *before = meta.labels.clone();
        });
    }

    fn each_meta(&mut self, mut change: impl FnMut(&mut Meta)) {
        match self {
            Self::Pod(pod, workload) => {
                change(&mut pod.metadata);
                if let Some(workload) = workload {
                    change(&mut workload.meta);
                }
            }
            Self::Namespace(o) => change(&mut o.metadata),
            Self::Workload(o) => change(&mut o.meta),
            Self::ServiceAccount(o) => change(&mut o.metadata),
            Self::Service(o) => change(&mut o.metadata),
            Self::Ingress(o) => change(&mut o.metadata),
            Self::NetworkPolicy(o) => change(&mut o.metadata),
            Self::PodDisruptionBudget(o) => change(&mut o.metadata),
            Self::ResourceQuota(o) => change(&mut o.metadata),
            Self::Resource(_, o) => change(o.metadata_mut()),
            Self::Caller(..) | Self::Unreadable(..) => {}
        }
    }

    /// Which object this is.
    pub fn reference(&self) -> ObjectRef {
        let named = |kind: Kind, meta: &Meta| ObjectRef::new(kind, &meta.namespace, &meta.name);
        match self {
            Self::Namespace(o) => named(Kind::Namespace, &o.metadata),
            Self::Pod(o, _) => named(Kind::Pod, &o.metadata),
            Self::Workload(o) => o.reference(),
            Self::ServiceAccount(o) => named(Kind::ServiceAccount, &o.metadata),
            Self::Service(o) => named(Kind::Service, &o.metadata),
            Self::Ingress(o) => named(Kind::Ingress, &o.metadata),
            Self::NetworkPolicy(o) => named(Kind::NetworkPolicy, &o.metadata),
            Self::PodDisruptionBudget(o) => named(Kind::PodDisruptionBudget, &o.metadata),
            Self::ResourceQuota(o) => named(Kind::ResourceQuota, &o.metadata),
            Self::Resource(kind, o) => named(*kind, o.metadata()),
            Self::Caller(reference, ..) | Self::Unreadable(reference, _) => reference.clone(),
        }
    }
}

/// The controller whose pod template an object was made from, if it is of a kind that makes such objects. A StatefulSet that belongs to a Deployment, or a
/// pod that belongs to another pod, was not made from its owner's template and is judged on its own.
pub(super) fn template_owner(child: Kind, meta: &Meta) -> Option<(Kind, &OwnerReference)> {
    let owner = meta.controller()?;
    let kind = Kind::from_manifest(&owner.api_version, &owner.kind)?;
    let made_from_template = match child {
        Kind::Pod => matches!(
            kind,
            Kind::ReplicaSet | Kind::StatefulSet | Kind::DaemonSet | Kind::Job | Kind::ReplicationController
        ),
        Kind::ReplicaSet => kind == Kind::Deployment,
        Kind::Job => kind == Kind::CronJob,
        _ => false,
    };
    made_from_template.then_some((kind, owner))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn equal_labels_are_kept_once() {
        let mut before = Labels::default();
        let mut labels = |kind: Kind, app: &str| {
            let object = json!({"metadata": {"name": "web", "labels": {"app": app}}});
            let mut object = Object::decode(kind, &object).unwrap();
            object.share_labels(&mut before);
            let mut labels = Labels::default();
            object.each_meta(|meta| labels = meta.labels.clone());
            labels
        };
        let first = labels(Kind::Service, "web");
        let second = labels(Kind::Deployment, "web");
        assert!(first.is_shared_with(&second));
        let other = labels(Kind::ConfigMap, "db");
        assert!(first.has("app", "web") && other.has("app", "db"));
    }
}
