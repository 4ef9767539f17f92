//! What a change of the world shows, whatever its kind: compares each object with what was known of it.

use jiff::Timestamp;

use super::{Detection, Sighting, admission, certificates, credentials, dns, exposure, loosened, networks, nodes};
use super::{placement, pod_security, rights};
use crate::model::{Admission, Kind, ManagedFields, Meta, ObjectRef, Resource};
use crate::world::{Delta, Object, Snapshot};

/// Who wrote an object last, by its field managers: what a client says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// Field manager.
    pub manager: String,
    /// When, in whole seconds.
    pub at: Option<Timestamp>,
}

impl Writer {
    /// The latest of these entries. Status does not count: controllers write it after every change.
    pub fn last(entries: &[ManagedFields]) -> Option<Self> {
        let entries = entries.iter().filter(|entry| entry.subresource != "status");
        entries.max_by_key(|entry| entry.time).map(|entry| Self {
            manager: entry.manager.clone(),
            at: entry.time,
        })
    }
}

/// Whether changes of objects of this kind can be sightings.
pub const fn concerns(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Namespace
            | Kind::Pod
            | Kind::Deployment
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
            | Kind::ReplicaSet
            | Kind::ReplicationController
            | Kind::Service
            | Kind::Ingress
            | Kind::NetworkPolicy
            | Kind::ConfigMap
            | Kind::Role
            | Kind::ClusterRole
            | Kind::RoleBinding
            | Kind::ClusterRoleBinding
            | Kind::Node
            | Kind::CertificateSigningRequest
    ) || Admission::holds(kind)
}

/// What a change shows that the world has not taken in yet. A list in place of everything seen before is compared object by object, so what happened while a
/// watch was broken is told late, and not never.
pub fn seen(before: &Snapshot, delta: &Delta, writer: Option<&Writer>) -> Vec<Sighting> {
    let mut sightings = Vec::new();
    match delta {
        Delta::Apply(object) => put(before, object, writer, &mut sightings),
        Delta::Delete(reference) => gone(before, reference, &mut sightings),
        Delta::Replace {
            kind,
            namespace,
            objects,
        } if concerns(*kind) => {
            for object in objects {
                put(before, object, None, &mut sightings);
            }
            for reference in missing(before, *kind, namespace.as_deref(), objects) {
                gone(before, &reference, &mut sightings);
            }
        }
        Delta::Replace { .. } | Delta::Unavailable { .. } => {}
    }
    sightings
}

/// An object that changes, and where what is seen of it goes.
pub(super) struct Change<'a> {
    pub(super) before: &'a Snapshot,
    pub(super) reference: ObjectRef,
    uid: String,
    writer: Option<Writer>,
    sightings: &'a mut Vec<Sighting>,
}

impl Change<'_> {
    /// Notes a sighting.
    pub(super) fn saw(&mut self, detection: Detection, what: impl Into<String>) {
        self.saw_by(detection, None, what);
    }

    /// Notes a sighting of which the object itself names the user.
    pub(super) fn saw_by(&mut self, detection: Detection, user: Option<&str>, what: impl Into<String>) {
        let namespace = match self.reference.kind {
            Kind::Namespace => &self.reference.name,
            _ => &self.reference.namespace,
        };
        self.sightings.push(Sighting {
            detection,
            object: self.reference.to_string(),
            regarding: Some(self.reference.clone()),
            uid: (!self.uid.is_empty()).then(|| self.uid.clone()),
            namespace: namespace.to_string(),
            user: user.map(str::to_owned),
            source: None,
            manager: self.writer.as_ref().map(|writer| writer.manager.clone()),
            at: self.writer.as_ref().and_then(|writer| writer.at),
            what: what.into(),
        });
    }
}

fn put(before: &Snapshot, object: &Object, writer: Option<&Writer>, sightings: &mut Vec<Sighting>) {
    let Some(meta) = metadata(object) else { return };
    let reference = object.reference();
    // Who takes something away leaves no trace where others wrote before: the last of those made another change.
    let earlier = before
        .metadata(&reference)
        .and_then(|meta| Writer::last(&meta.managed_fields));
    let writer = writer.cloned().or_else(|| Writer::last(&meta.managed_fields));
    let mut change = Change {
        before,
        reference,
        uid: meta.uid.clone(),
        writer: writer.filter(|writer| earlier.as_ref() != Some(writer)),
        sightings,
    };
    match object {
        Object::Namespace(new) => pod_security::changed(&mut change, new),
        Object::Pod(_, Some(new)) => placement::put(&mut change, new),
        Object::Workload(new) => {
            placement::put(&mut change, new);
            loosened::changed(&mut change, new);
            dns::workload_changed(&mut change, new);
        }
        Object::Service(new) => exposure::service_put(&mut change, new),
        Object::Ingress(new) => exposure::ingress_put(&mut change, new),
        Object::NetworkPolicy(new) => networks::changed(&mut change, new),
        Object::Resource(_, Resource::ConfigMap(new)) => {
            dns::config_put(&mut change, new);
            credentials::config_put(&mut change, new);
        }
        Object::Resource(_, Resource::Role(new)) => rights::role_changed(&mut change, new),
        Object::Resource(_, Resource::Binding(new)) => rights::binding_put(&mut change, new),
        Object::Resource(_, Resource::Node(_)) => nodes::put(&mut change),
        Object::Resource(_, Resource::CertificateRequest(new)) => certificates::put(&mut change, new),
        Object::Resource(_, Resource::Admission(new)) => admission::put(&mut change, new),
        Object::Caller(.., Some(new)) => admission::put(&mut change, new),
        _ => {}
    }
}

fn gone(before: &Snapshot, reference: &ObjectRef, sightings: &mut Vec<Sighting>) {
    let Some(meta) = before.metadata(reference) else { return };
    let mut change = Change {
        before,
        reference: reference.clone(),
        uid: meta.uid.clone(),
        // Who wrote last did not delete it.
        writer: None,
        sightings,
    };
    match reference.kind {
        Kind::NetworkPolicy => networks::gone(&mut change),
        Kind::ConfigMap => dns::config_gone(&mut change),
        kind if Admission::holds(kind) => change.saw(Detection::D16, "is gone"),
        _ => {}
    }
}

/// Metadata of an object of which something can be seen.
fn metadata(object: &Object) -> Option<&Meta> {
    match object {
        Object::Namespace(o) => Some(&o.metadata),
        Object::Pod(o, Some(_)) => Some(&o.metadata),
        Object::Workload(o) => Some(&o.meta),
        Object::Service(o) => Some(&o.metadata),
        Object::Ingress(o) => Some(&o.metadata),
        Object::NetworkPolicy(o) => Some(&o.metadata),
        Object::Resource(_, o) => Some(o.metadata()),
        Object::Caller(.., Some(o)) => Some(&o.metadata),
        _ => None,
    }
}

/// What was known in the scope of a list and is not in it. Only of kinds whose end is a sighting.
fn missing(before: &Snapshot, kind: Kind, namespace: Option<&str>, objects: &[Object]) -> Vec<ObjectRef> {
    let ends = matches!(kind, Kind::NetworkPolicy | Kind::ConfigMap) || Admission::holds(kind);
    if !ends {
        return Vec::new();
    }
    let listed: std::collections::BTreeSet<ObjectRef> = objects.iter().map(Object::reference).collect();
    let known = before.references(kind, namespace);
    known.filter(|reference| !listed.contains(reference)).collect()
}

/// The first few, and how many more.
pub(super) fn brief(all: &[String]) -> String {
    const SHOWN: usize = 5;
    match all.len().checked_sub(SHOWN) {
        None | Some(0) => all.join("; "),
        Some(more) => format!("{}; and {more} more", all[..SHOWN].join("; ")),
    }
}
