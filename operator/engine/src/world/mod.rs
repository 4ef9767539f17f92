//! The index of everything that was seen: one writer takes deltas in, readers get an immutable [`Snapshot`] and the set of what changed.
//!
//! The world knows what exists and how objects belong together. It must not know what is right or wrong: no control, no policy, no clock.
//!
//! ```text
//! Delta -> World (single writer) -> drain -> Arc<Snapshot> (per-namespace shards, copied on write)
//!                                         -> dirty: what to judge again
//! ```
//!
//! What makes what dirty (`dirty.rs`): a pod, ReplicaSet or Job its topmost workload; a ServiceAccount the workloads that run as it; a disruption budget
//! the workloads that it selects; a pod or a template the Services that select it; a Service, Ingress, NetworkPolicy or quota its Namespace; a role or
//! binding everything, because chains of rights lead anywhere; a Namespace everything in it; something that makes the API
//! server call Services the Namespaces of those Services; what a kubelet measured of a pod its topmost workload; what runs or configures components of the
//! cluster, what these say of themselves, and what extends the API server, the components. A new version that says nothing new makes nothing dirty.

mod backends;
mod callers;
mod delta;
mod derived;
mod dirty;
mod faults;
mod index;
mod object;
mod reading;
mod shard;
mod snapshot;
#[cfg(test)]
mod tests;
mod view;

pub use backends::Caller;
pub use delta::Delta;
pub use object::Object;
pub use reading::Reading;
pub use shard::Shard;
pub use snapshot::Snapshot;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::components::Observed;
use crate::model::layer::Layers;
use crate::model::network::ApiServerBackend;
use crate::model::{Kind, Namespace, ObjectRef, Pod, Resource, Workload};
use view::{View, same};

/// The single writer of the index. A clone goes its own way from there.
#[derive(Clone, Debug, Default)]
pub struct World {
    current: Arc<Snapshot>,
    /// What each webhook configuration, APIService and CRD makes the API server call; empty lists are not kept.
    callers: BTreeMap<ObjectRef, Vec<ApiServerBackend>>,
    dirty: BTreeSet<ObjectRef>,
    /// Whether a role or a binding changed: what any account may become can rest on it.
    rights_changed: bool,
    /// Whether nobody asks what is to be judged again.
    judged_once: bool,
}

impl World {
    /// An empty world of a cluster whose API server has this minor version (1.x); 0 where it is not known.
    pub fn new(minor: u32) -> Self {
        let mut world = Self::default();
        world.snapshot_mut().minor = minor;
        world
    }

    /// An empty world of which everything is judged, once: nothing is noted of what is to be judged again.
    pub fn to_judge_once() -> Self {
        Self {
            judged_once: true,
            ..Self::default()
        }
    }

    /// Notes the minor version of the API server. Another version makes everything dirty: fields that controls read may exist now.
    pub fn set_minor(&mut self, minor: u32) {
        if self.current.minor != minor {
            self.snapshot_mut().minor = minor;
            self.mark_scope(None);
        }
    }

    /// The present state, without what is to be judged again.
    pub fn current(&self) -> &Snapshot {
        &self.current
    }

    /// Takes one change in.
    pub fn apply(&mut self, delta: Delta) {
        match delta {
            Delta::Apply(object) => self.put(object),
            Delta::Delete(reference) => self.remove(&reference),
            Delta::Replace {
                kind,
                namespace,
                objects,
            } => self.replace(kind, namespace.as_deref(), objects),
            Delta::Unavailable { kind, namespace, gap } => {
                self.set_reading(kind, namespace.as_deref(), Reading::Unavailable(gap));
            }
        }
    }

    /// Takes in what kubelets measured. Only what a plan may rest on makes a workload dirty.
    pub fn set_layers(&mut self, layers: &Arc<Layers>) {
        let earlier = std::mem::replace(&mut self.snapshot_mut().layers, Arc::clone(layers));
        for pod in layers.news(&earlier) {
            self.mark_topmost(pod);
        }
    }

    /// Takes in what the components of the cluster say of themselves. Saying the same again makes nothing dirty.
    pub fn observe(&mut self, observed: &Arc<Observed>) {
        if self.current.observed.as_ref() != Some(observed) {
            self.snapshot_mut().observed = Some(Arc::clone(observed));
            self.mark_components();
        }
    }

    /// The present state, and every object that must be judged again since the last call: topmost workloads, bare pods and Namespaces, among them ones that
    /// are gone.
    pub fn drain(&mut self) -> (Arc<Snapshot>, BTreeSet<ObjectRef>) {
        if std::mem::take(&mut self.rights_changed) {
            self.mark_scope(None);
        }
        (Arc::clone(&self.current), std::mem::take(&mut self.dirty))
    }

    /// The present state, where nobody asks what is to be judged again.
    pub fn into_snapshot(self) -> Arc<Snapshot> {
        self.current
    }

    fn replace(&mut self, kind: Kind, namespace: Option<&str>, objects: Vec<Object>) {
        let in_scope = |r: &ObjectRef| r.kind == kind && namespace.is_none_or(|namespace| *r.namespace == *namespace);
        let listed: Vec<(ObjectRef, Object)> = objects
            .into_iter()
            .map(|object| (object.reference(), object))
            .filter(|(reference, _)| in_scope(reference))
            .collect();
        let kept: BTreeSet<&ObjectRef> = listed.iter().map(|(reference, _)| reference).collect();
        let gone: Vec<ObjectRef> = self
            .references(kind, namespace)
            .into_iter()
            .filter(|reference| !kept.contains(reference))
            .collect();
        for reference in &gone {
            self.remove(reference);
        }
        for (_, object) in listed {
            self.put(object);
        }
        self.set_reading(kind, namespace, Reading::Complete);
    }

    fn set_reading(&mut self, kind: Kind, namespace: Option<&str>, reading: Reading) {
        let mut readings = (*self.current.readings).clone();
        if readings.set(kind, namespace, reading) {
            self.forget_ways();
            // Children of owners that were not seen are judged or not, depending on this.
            self.mark_scope(namespace);
            self.snapshot_mut().readings = Arc::new(readings);
            self.mark_scope(namespace);
        }
    }

    fn put(&mut self, object: Object) {
        self.put_as(&object.reference(), object);
    }

    /// Takes an object in whose reference is at hand already.
    pub fn put_as(&mut self, reference: &ObjectRef, object: Object) {
        if !matches!(object, Object::Unreadable(..)) {
            self.forget_unreadable(reference);
        }
        match object {
            Object::Namespace(namespace) => self.put_namespace(reference, namespace),
            Object::Pod(pod, workload) => self.put_pod(reference, pod, workload.map(|workload| *workload)),
            Object::Workload(workload) => self.put_workload(reference, *workload),
            Object::ServiceAccount(o) => self.put_in(reference, o, |shard| &mut shard.service_accounts),
            Object::Service(o) => self.put_in(reference, o, |shard| &mut shard.services),
            Object::Ingress(o) => self.put_in(reference, o, |shard| &mut shard.ingresses),
            Object::NetworkPolicy(o) => self.put_in(reference, o, |shard| &mut shard.network_policies),
            Object::ResourceQuota(o) => self.put_in(reference, o, |shard| &mut shard.quotas),
            Object::PodDisruptionBudget(o) => self.put_in(reference, o, |shard| &mut shard.disruption_budgets),
            Object::Resource(_, o) => self.put_resource(reference, o),
            Object::Caller(_, caller, hooks) => {
                self.put_caller(reference, *caller);
                if let Some(hooks) = hooks {
                    self.put_resource(reference, Resource::Admission(*hooks));
                }
            }
            Object::Unreadable(_, reason) => {
                self.remove(reference);
                Arc::make_mut(&mut self.snapshot_mut().unreadable).insert(reference.clone(), reason);
                self.mark_related(reference);
            }
        }
    }

    fn remove(&mut self, reference: &ObjectRef) {
        self.forget_unreadable(reference);
        self.put_caller(reference, Caller::default());
        match reference.kind {
            Kind::Namespace => self.remove_namespace(reference),
            Kind::Pod => self.remove_pod(reference),
            kind if kind.is_workload() => self.remove_workload(reference),
            Kind::ServiceAccount => self.remove_in(reference, |shard| &mut shard.service_accounts),
            Kind::Service => self.remove_in(reference, |shard| &mut shard.services),
            Kind::Ingress => self.remove_in(reference, |shard| &mut shard.ingresses),
            Kind::NetworkPolicy => self.remove_in(reference, |shard| &mut shard.network_policies),
            Kind::PodDisruptionBudget => self.remove_in(reference, |shard| &mut shard.disruption_budgets),
            Kind::ResourceQuota => self.remove_in(reference, |shard| &mut shard.quotas),
            kind if Resource::holds(kind) => self.remove_resource(reference),
            _ => {}
        }
        self.prune(&reference.namespace);
    }

    fn put_namespace(&mut self, reference: &ObjectRef, mut new: Namespace) {
        let old = self.current.namespace(&reference.name).cloned();
        let changed = !old.as_ref().is_some_and(|old| same(&**old, &mut new));
        if changed {
            self.mark_selecting(old.as_deref(), Some(&new));
        }
        self.shard_mut(&reference.name).namespace = Some(Arc::new(new));
        if changed {
            self.mark_scope(Some(&reference.name));
        }
    }

    fn remove_namespace(&mut self, reference: &ObjectRef) {
        if let Some(old) = self.current.namespace(&reference.name).cloned() {
            self.mark_selecting(Some(&old), None);
            self.mark_scope(Some(&reference.name));
            self.shard_mut(&reference.name).namespace = None;
            self.prune(&reference.name);
        }
    }

    fn put_pod(&mut self, reference: &ObjectRef, mut new: Pod, workload: Option<Workload>) {
        let old = self.current.pod(&reference.namespace, &reference.name).cloned();
        let changed = !old.as_ref().is_some_and(|old| same(&**old, &mut new));
        if changed {
            self.mark_pod(reference, old.as_deref(), Some(&new));
        }
        let shard = self.shard_mut(&reference.namespace);
        if let Some(old) = old {
            shard.index.remove_pod(&reference.name, &old);
        }
        let controller = new.metadata.controller().map_or("", |owner| &owner.uid);
        let sibling = shard.index.pods_of(controller).find_map(|name| shard.pods.get(name));
        if let Some(sibling) = sibling.cloned() {
            new.share_with(&sibling);
        }
        shard.index.add_pod(&reference.name, &new);
        shard.pods.insert(Arc::clone(&reference.name), Arc::new(new));
        match workload {
            Some(workload) => self.put_workload(reference, workload),
            None => self.remove_workload(reference),
        }
        if changed {
            self.mark_topmost(reference);
        }
    }

    fn remove_pod(&mut self, reference: &ObjectRef) {
        let Some(old) = self.current.pod(&reference.namespace, &reference.name).cloned() else {
            return;
        };
        self.mark_pod(reference, Some(&old), None);
        self.remove_workload(reference);
        let shard = self.shard_mut(&reference.namespace);
        shard.index.remove_pod(&reference.name, &old);
        shard.pods.remove(&reference.name);
    }

    fn put_workload(&mut self, reference: &ObjectRef, mut new: Workload) {
        let old = self.current.workload(reference).cloned();
        let changed = !old.as_ref().is_some_and(|old| same(&**old, &mut new));
        if changed {
            self.mark_workload(reference, old.as_deref(), Some(&new));
        }
        let key = (reference.kind, Arc::clone(&reference.name));
        let shard = self.shard_mut(&reference.namespace);
        if let Some(old) = old {
            shard.index.remove_workload(&key, &old);
        }
        shard.index.add_workload(&key, &new);
        shard.workloads.insert(key, Arc::new(new));
        if changed {
            self.mark_topmost(reference);
        }
    }

    fn remove_workload(&mut self, reference: &ObjectRef) {
        if let Some(old) = self.current.workload(reference).cloned() {
            self.mark_workload(reference, Some(&old), None);
            let key = (reference.kind, Arc::clone(&reference.name));
            let shard = self.shard_mut(&reference.namespace);
            shard.index.remove_workload(&key, &old);
            shard.workloads.remove(&key);
        }
    }

    /// Puts an object that others only refer to.
    fn put_in<T: View + Clone>(
        &mut self,
        reference: &ObjectRef,
        mut new: T,
        slot: fn(&mut Shard) -> &mut BTreeMap<Arc<str>, Arc<T>>,
    ) {
        let old = slot(self.shard_mut(&reference.namespace)).get(&reference.name);
        let known = old.is_some();
        let changed = !old.is_some_and(|old| same(&**old, &mut new));
        // What the old version refers to, and what the new one does.
        if changed && known {
            self.mark_related(reference);
        }
        slot(self.shard_mut(&reference.namespace)).insert(Arc::clone(&reference.name), Arc::new(new));
        if changed {
            self.mark_related(reference);
        }
    }

    fn remove_in<T>(&mut self, reference: &ObjectRef, slot: fn(&mut Shard) -> &mut BTreeMap<Arc<str>, Arc<T>>) {
        if self.current.shard(&reference.namespace).is_some() {
            self.mark_related(reference);
            slot(self.shard_mut(&reference.namespace)).remove(&reference.name);
        }
    }

    fn put_resource(&mut self, reference: &ObjectRef, mut new: Resource) {
        let key = (reference.kind, Arc::clone(&reference.name));
        let old = self
            .current
            .shard(&reference.namespace)
            .and_then(|shard| shard.resources.get(&key).cloned());
        let changed = !old.as_ref().is_some_and(|old| same(&**old, &mut new));
        if changed && old.is_some() {
            self.mark_related(reference);
        }
        let shard = self.shard_mut(&reference.namespace);
        shard.resources.insert(key, Arc::new(new));
        if changed {
            self.mark_related(reference);
        }
    }

    fn remove_resource(&mut self, reference: &ObjectRef) {
        let key = (reference.kind, Arc::clone(&reference.name));
        if self
            .current
            .shard(&reference.namespace)
            .is_some_and(|shard| shard.resources.contains_key(&key))
        {
            self.mark_related(reference);
            self.shard_mut(&reference.namespace).resources.remove(&key);
        }
    }

    fn forget_unreadable(&mut self, reference: &ObjectRef) {
        if self.current.unreadable.contains_key(reference) {
            self.mark_related(reference);
            Arc::make_mut(&mut self.snapshot_mut().unreadable).remove(reference);
        }
    }

    /// Every object of a kind in scope.
    fn references(&self, kind: Kind, namespace: Option<&str>) -> Vec<ObjectRef> {
        let unreadable = self
            .current
            .unreadable
            .keys()
            .filter(|r| r.kind == kind && namespace.is_none_or(|namespace| *r.namespace == *namespace));
        let callers = self.callers.keys().filter(|r| r.kind == kind);
        self.current
            .references(kind, namespace)
            .chain(unreadable.cloned())
            .chain(callers.cloned())
            .collect()
    }

    fn snapshot_mut(&mut self) -> &mut Snapshot {
        Arc::make_mut(&mut self.current)
    }

    fn shard_mut(&mut self, namespace: &str) -> &mut Shard {
        let shards = &mut self.snapshot_mut().shards;
        let known = shards.get_key_value(namespace).map(|(name, _)| Arc::clone(name));
        Arc::make_mut(shards.entry(known.unwrap_or_else(|| namespace.into())).or_default())
    }

    /// Drops the shard of a namespace once nothing is left in it.
    fn prune(&mut self, namespace: &str) {
        if self.current.shard(namespace).is_some_and(|shard| shard.is_empty()) {
            self.snapshot_mut().shards.remove(namespace);
        }
    }
}
