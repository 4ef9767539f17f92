//! All policies, compiled once per change.

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_crds::{ClusterHardeningPolicy, HardeningPolicy};
use jiff::Timestamp;

use super::scope::{Facts, Reach};
use super::{InNamespace, Limits, Pause, PausedBy, Policy, PolicyId, Problem};
use crate::detect::Sighting;
use crate::model::{Kind, ObjectRef};
use crate::world::Snapshot;

/// What becomes of a sighting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Nobody asked: there is no policy, or all are suspended.
    Unasked,
    /// Every policy that says something about detections allows it.
    Allowed,
    /// It is told.
    Told,
}

/// All policies.
#[derive(Clone, Debug, Default)]
pub struct PolicySet {
    policies: BTreeMap<PolicyId, Arc<Policy>>,
    own_namespace: String,
}

impl PolicySet {
    /// Compiles the policies. `own_namespace` is the operator's own, a system namespace.
    pub fn compile(cluster: &[ClusterHardeningPolicy], namespaced: &[HardeningPolicy], own_namespace: &str) -> Self {
        let cluster = cluster.iter().map(|policy| {
            let id = PolicyId::cluster(policy.metadata.name.as_deref().unwrap_or_default());
            Policy::parse(id, policy.metadata.annotations.as_ref(), &policy.spec)
        });
        let namespaced = namespaced.iter().map(|policy| {
            let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
            let id = PolicyId::namespaced(namespace, policy.metadata.name.as_deref().unwrap_or_default());
            Policy::parse(id, policy.metadata.annotations.as_ref(), &policy.spec)
        });
        Self {
            policies: cluster
                .chain(namespaced)
                .map(|policy| (policy.id.clone(), Arc::new(policy)))
                .collect(),
            own_namespace: own_namespace.to_owned(),
        }
    }

    /// Every policy, cluster policies first.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.values()
    }

    /// One policy.
    pub fn get(&self, id: &PolicyId) -> Option<&Arc<Policy>> {
        self.policies.get(id)
    }

    /// What in a policy's spec cannot work.
    pub fn problems(&self, id: &PolicyId) -> &[Problem] {
        self.get(id)
            .map(|policy| policy.problems.as_slice())
            .unwrap_or_default()
    }

    /// What all policies together say in a namespace.
    pub fn in_namespace(&self, world: &Snapshot, namespace: &str) -> InNamespace {
        let facts = Facts::of(world, namespace, &self.own_namespace);
        InNamespace::of(self.concerning(namespace).map(Arc::clone), &facts)
    }

    /// What all policies together say about an object: those of its namespace, or of the Namespace that it is.
    pub fn about(&self, world: &Snapshot, target: &ObjectRef) -> InNamespace {
        self.in_namespace(world, namespace_of(target))
    }

    /// What becomes of a sighting. A further policy can only tighten: each that says something about detections must allow it.
    pub fn telling(&self, sighting: &Sighting) -> Telling {
        let mut active = self.policies().filter(|policy| !policy.suspend).peekable();
        if active.peek().is_none() {
            return Telling::Unasked;
        }
        let mut opinions = active.filter_map(|policy| policy.detections.as_ref()).peekable();
        if opinions.peek().is_some() && opinions.all(|allowed| allowed.allows(sighting)) {
            return Telling::Allowed;
        }
        Telling::Told
    }

    /// What bounds repairs in a namespace. See [`InNamespace::limits`].
    pub fn limits(&self, world: &Snapshot, namespace: &str) -> Limits {
        self.in_namespace(world, namespace).limits()
    }

    /// The namespaces that a policy judges, sorted, among those that were seen.
    pub fn judged_namespaces<'a>(&'a self, id: &PolicyId, world: &'a Snapshot) -> impl Iterator<Item = &'a str> {
        self.reaching(id, world, |reach| matches!(reach, Reach::Full | Reach::AuditOnly))
    }

    /// The namespaces that a policy would select but leaves out, sorted: excluded and system ones.
    pub fn exempt_namespaces<'a>(&'a self, id: &PolicyId, world: &'a Snapshot) -> impl Iterator<Item = &'a str> {
        self.reaching(id, world, |reach| reach == Reach::Exempt)
    }

    /// What keeps repairs of an object from starting now by annotation: on a policy that votes Enforce there, on its Namespace or on itself.
    pub fn paused_by(&self, world: &Snapshot, target: &ObjectRef, now: Timestamp) -> Option<PausedBy> {
        let about = self.about(world, target);
        let by_policy = about.paused(now).map(|(id, pause)| PausedBy::Policy(id.clone(), pause));
        let active = |pause: &Pause| pause.is_active(now);
        let by_namespace = || {
            let namespace = world.namespace(namespace_of(target))?;
            let pause = Pause::of(&namespace.metadata.annotations).filter(active)?;
            Some(PausedBy::Namespace(pause))
        };
        let by_object = || {
            let workload = world.workload(target)?;
            let pause = Pause::of(&workload.meta.annotations).filter(active)?;
            Some(PausedBy::Object(pause))
        };
        by_policy.or_else(by_namespace).or_else(by_object)
    }

    /// Cluster policies, and those of the namespace.
    fn concerning<'a>(&'a self, namespace: &str) -> impl Iterator<Item = &'a Arc<Policy>> {
        // Ids sort by namespace first and `None` before all.
        let first = |namespace: Option<&str>| PolicyId {
            namespace: namespace.map(Into::into),
            name: "".into(),
        };
        let cluster = self.policies.range(..first(Some("")));
        let own = self.policies.range(first(Some(namespace))..).take_while({
            let namespace: Arc<str> = namespace.into();
            move |(id, _)| id.namespace.as_ref() == Some(&namespace)
        });
        cluster.chain(own).map(|(_, policy)| policy)
    }

    fn reaching<'a>(
        &'a self,
        id: &PolicyId,
        world: &'a Snapshot,
        accept: fn(Reach) -> bool,
    ) -> impl Iterator<Item = &'a str> {
        let policy = self.get(id);
        world
            .shards
            .keys()
            .filter(|name| !name.is_empty())
            .filter_map(move |name| {
                let policy = policy?;
                let facts = Facts::of(world, name, &self.own_namespace);
                accept(policy.scope.reach(policy.id.namespace.as_deref(), &facts)).then_some(&**name)
            })
    }
}

/// The namespace whose policies are about an object.
pub(crate) fn namespace_of(target: &ObjectRef) -> &str {
    match target.kind {
        Kind::Namespace => &target.name,
        _ => &target.namespace,
    }
}
