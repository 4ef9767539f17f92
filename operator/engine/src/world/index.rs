//! Lookups inside one namespace that must not be scans: children of an owner, workloads of a service account.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Kind, Pod, Workload};

/// Kind and name of a workload inside its namespace.
pub(super) type Key = (Kind, Arc<str>);

/// Groups are shared between versions of a shard, so that copying an index costs one pointer per group, not one per pod.
type Groups<T> = BTreeMap<Arc<str>, Arc<BTreeSet<T>>>;

/// The indexes of one shard. Kept equal to what a rebuild from the shard's objects would give.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Index {
    /// Pods by the UID of their controller.
    pods: Groups<Arc<str>>,
    /// Workloads by the UID of their controller.
    workloads: Groups<Key>,
    /// Workloads by the service account of their template.
    accounts: Groups<Key>,
}

impl Index {
    pub(super) fn add_pod(&mut self, name: &Arc<str>, pod: &Pod) {
        if let Some(owner) = pod.metadata.controller() {
            add(&mut self.pods, &owner.uid, Arc::clone(name));
        }
    }

    pub(super) fn remove_pod(&mut self, name: &Arc<str>, pod: &Pod) {
        if let Some(owner) = pod.metadata.controller() {
            remove(&mut self.pods, &owner.uid, name);
        }
    }

    pub(super) fn add_workload(&mut self, key: &Key, workload: &Workload) {
        if let Some(owner) = workload.meta.controller() {
            add(&mut self.workloads, &owner.uid, key.clone());
        }
        add(
            &mut self.accounts,
            workload.template.spec.service_account(),
            key.clone(),
        );
    }

    pub(super) fn remove_workload(&mut self, key: &Key, workload: &Workload) {
        if let Some(owner) = workload.meta.controller() {
            remove(&mut self.workloads, &owner.uid, key);
        }
        remove(&mut self.accounts, workload.template.spec.service_account(), key);
    }

    /// Names of the pods that the object with this UID controls. Objects from files have no UID and no children.
    pub(super) fn pods_of(&self, uid: &str) -> impl Iterator<Item = &Arc<str>> {
        group(&self.pods, uid)
    }

    /// The workloads that the object with this UID controls.
    pub(super) fn workloads_of(&self, uid: &str) -> impl Iterator<Item = &Key> {
        group(&self.workloads, uid)
    }

    /// The workloads whose pods run as this service account.
    pub(super) fn workloads_using(&self, account: &str) -> impl Iterator<Item = &Key> {
        group(&self.accounts, account)
    }
}

fn group<'a, T>(groups: &'a Groups<T>, by: &str) -> impl Iterator<Item = &'a T> {
    groups.get(by).into_iter().flat_map(|group| group.iter())
}

fn add<T: Ord + Clone>(groups: &mut Groups<T>, by: &str, item: T) {
    if by.is_empty() {
        return;
    }
    match groups.get_mut(by) {
        Some(group) => {
            Arc::make_mut(group).insert(item);
        }
        None => {
            groups.insert(by.into(), Arc::new(BTreeSet::from([item])));
        }
    }
}

fn remove<T: Ord + Clone>(groups: &mut Groups<T>, by: &str, item: &T) {
    if let Some(group) = groups.get_mut(by) {
        let group = Arc::make_mut(group);
        group.remove(item);
        if group.is_empty() {
            groups.remove(by);
        }
    }
}
