//! An immutable view of the cluster: per-namespace shards, shared between versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::derived::Derived;
use super::object::template_owner;
use super::reading::Readings;
use super::{Delta, Object, Reading, Shard, World};
use crate::attack::{self, Way};
use crate::components::Observed;
use crate::controls::Component;
use crate::model::extension::Extension;
use crate::model::layer::Layers;
use crate::model::network::ApiServerBackend;
use crate::model::{Kind, Meta, Namespace, ObjectRef, Pod, Resource, ServiceAccount, Workload};
use crate::rbac::Graph;

/// The cluster at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Shards by namespace.
    pub shards: BTreeMap<Arc<str>, Arc<Shard>>,
    /// Services that the API server calls, by what calls them.
    pub api_server_backends: Arc<Vec<ApiServerBackend>>,
    /// What is judged of the objects that extend the API server; those of which nothing is are left out.
    pub extensions: Arc<BTreeMap<ObjectRef, Extension>>,
    /// Objects that exist but could not be decoded, with the reason.
    pub unreadable: Arc<BTreeMap<ObjectRef, String>>,
    /// What containers wrote over their images, where kubelets are asked.
    pub layers: Arc<Layers>,
    /// What the components of the cluster say of themselves; `None` where no cluster is looked at as a whole: files, a few of its namespaces. With it each
    /// component is a target.
    pub observed: Option<Arc<Observed>>,
    /// Kubernetes minor version (1.x) of the API server; 0 where unknown (files), which means the newest.
    pub minor: u32,
    pub(super) readings: Arc<Readings>,
    pub(super) rights: Derived<Graph>,
    pub(super) ways: Derived<Vec<Way>>,
}

impl Snapshot {
    /// The cluster that consists of these objects, as read from files: what is not among them may exist all the same.
    pub fn of(objects: impl IntoIterator<Item = Object>) -> Self {
        let mut world = World::to_judge_once();
        for object in objects {
            world.apply(Delta::Apply(object));
        }
        Arc::unwrap_or_clone(world.into_snapshot())
    }

    /// The shard of a namespace.
    pub fn shard(&self, namespace: &str) -> Option<&Arc<Shard>> {
        self.shards.get(namespace)
    }

    /// The Namespace object.
    pub fn namespace(&self, name: &str) -> Option<&Arc<Namespace>> {
        self.shard(name)?.namespace.as_ref()
    }

    /// A workload, or a bare pod as one.
    pub fn workload(&self, reference: &ObjectRef) -> Option<&Arc<Workload>> {
        self.shard(&reference.namespace)?
            .workloads
            .get(&(reference.kind, Arc::clone(&reference.name)))
    }

    /// A live pod.
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&Arc<Pod>> {
        self.shard(namespace)?.pods.get(name)
    }

    /// A service account.
    pub fn service_account(&self, namespace: &str, name: &str) -> Option<&Arc<ServiceAccount>> {
        self.shard(namespace)?.service_accounts.get(name)
    }

    /// The topmost workloads and the bare pods: those that are judged, planned and repaired. What they made is judged through them.
    pub fn workloads(&self) -> impl Iterator<Item = &Arc<Workload>> {
        self.shards
            .values()
            .flat_map(|shard| shard.workloads.values())
            .filter(|workload| self.is_topmost(workload.kind, &workload.meta))
    }

    /// Everything that is judged: Namespaces, topmost workloads, pods whose owner could not be looked at, objects that could not be decoded, and the components
    /// of the cluster.
    pub fn targets(&self) -> impl Iterator<Item = ObjectRef> {
        let unreadable = self.unreadable.keys().cloned();
        self.shards
            .iter()
            .flat_map(|(name, shard)| shard.candidates(name))
            .chain(unreadable)
            .chain(self.components())
            .filter(|reference| self.is_judged(reference))
    }

    /// The components of the cluster, if it is looked at as a whole.
    pub fn components(&self) -> impl Iterator<Item = ObjectRef> {
        let seen = self.observed.is_some();
        let all = Component::ALL.into_iter().filter_map(Component::target);
        all.filter(move |_| seen)
    }

    /// What is judged in one namespace, its Namespace object included.
    pub fn targets_in(&self, namespace: &str) -> impl Iterator<Item = ObjectRef> {
        let unreadable = self.unreadable.keys().filter(move |r| *r.namespace == *namespace);
        self.shards
            .get_key_value(namespace)
            .into_iter()
            .flat_map(|(name, shard)| shard.candidates(name))
            .chain(unreadable.cloned())
            .filter(|reference| self.is_judged(reference))
    }

    /// Moments at which something that was seen passes judgement no more: certificates come near their end.
    pub fn endings(&self) -> impl Iterator<Item = Timestamp> {
        let bundles = self.extensions.values().flat_map(|extension| &extension.bundles);
        bundles.filter_map(|bundle| Some(bundle.lifetime?.near_end()))
    }

    /// Metadata of an object of any kind that is kept.
    pub fn metadata(&self, reference: &ObjectRef) -> Option<&Meta> {
        let name = &*reference.name;
        let shard = match reference.kind {
            Kind::Namespace => return self.namespace(name).map(|it| &it.metadata),
            _ => self.shard(&reference.namespace)?,
        };
        match reference.kind {
            Kind::Service => shard.services.get(name).map(|it| &it.metadata),
            Kind::ServiceAccount => shard.service_accounts.get(name).map(|it| &it.metadata),
            Kind::Ingress => shard.ingresses.get(name).map(|it| &it.metadata),
            Kind::NetworkPolicy => shard.network_policies.get(name).map(|it| &it.metadata),
            Kind::PodDisruptionBudget => shard.disruption_budgets.get(name).map(|it| &it.metadata),
            Kind::ResourceQuota => shard.quotas.get(name).map(|it| &it.metadata),
            kind if Resource::holds(kind) => self.resource(reference).map(|it| it.metadata()),
            _ => self.meta(reference),
        }
    }

    /// An object that is judged on its own.
    pub fn resource(&self, reference: &ObjectRef) -> Option<&Arc<Resource>> {
        self.shard(&reference.namespace)?
            .resources
            .get(&(reference.kind, Arc::clone(&reference.name)))
    }

    /// Every object of a kind that was seen and could be read, in one namespace or in all.
    pub fn references(&self, kind: Kind, namespace: Option<&str>) -> impl Iterator<Item = ObjectRef> {
        let shards = self
            .shards
            .iter()
            .filter(move |(name, _)| namespace.is_none_or(|namespace| ***name == *namespace));
        shards.flat_map(move |(name, shard)| {
            let names = shard.names(kind);
            names.into_iter().map(move |object| match kind {
                Kind::Namespace => ObjectRef::new(kind, "", name),
                _ => ObjectRef {
                    namespace: Arc::clone(name),
                    kind,
                    name: object,
                },
            })
        })
    }

    /// Whether an object is judged itself, not through what made it.
    ///
    /// A child whose owner is nowhere although all owners were read is about to be garbage-collected, and not judged any more. Where owners could not be
    /// read the child is the highest object that can be seen.
    pub fn is_judged(&self, reference: &ObjectRef) -> bool {
        if self.unreadable.contains_key(reference) {
            return judged_kind(reference.kind);
        }
        if reference.kind == Kind::Namespace {
            return self.namespace(&reference.name).is_some();
        }
        if reference.kind == Kind::Component {
            return self.observed.is_some() && Component::of_target(reference).is_some();
        }
        if reference.kind.is_judged_alone() {
            return self.metadata(reference).is_some();
        }
        self.meta(reference)
            .is_some_and(|meta| self.is_topmost(reference.kind, meta))
    }

    /// The object at the top of the chain of templates that this one was made from: itself, if nothing that can be seen stands above it. Owners of kinds that
    /// make no pods from templates (custom resources, nodes) are not followed; [`Meta::controller`] of the result names them.
    pub fn topmost_owner(&self, reference: &ObjectRef) -> ObjectRef {
        let mut at = reference.clone();
        // Pod, ReplicaSet, Deployment and pod, Job, CronJob are the longest chains.
        while let Some(owner) = self.meta(&at).and_then(|meta| self.owner(at.kind, meta)) {
            at = owner;
        }
        at
    }

    /// The live pods of a workload: those it controls, and those of the ReplicaSets or Jobs that it controls; for a bare pod the pod itself. Sorted by name
    /// within each owner.
    pub fn pods_of(&self, workload: &Workload) -> Vec<&Arc<Pod>> {
        let Some(shard) = self.shard(&workload.meta.namespace) else {
            return Vec::new();
        };
        if workload.kind == Kind::Pod {
            return shard.pods.get(workload.meta.name.as_str()).into_iter().collect();
        }
        shard
            .children(workload)
            .map(|child| &**child)
            .chain([workload])
            .flat_map(|owner| shard.pods_of(owner))
            .collect()
    }

    /// The ReplicaSets of a Deployment, old ones included.
    pub fn replica_sets_of(&self, workload: &Workload) -> Vec<&Arc<Workload>> {
        self.shard(&workload.meta.namespace)
            .into_iter()
            .flat_map(|shard| shard.children(workload))
            .filter(|child| child.kind == Kind::ReplicaSet)
            .collect()
    }

    /// The ReplicaSet of a Deployment's present template. Of several with that template the oldest, as the Deployment controller takes it.
    pub fn new_replica_set(&self, workload: &Workload) -> Option<&Arc<Workload>> {
        self.replica_sets_of(workload)
            .into_iter()
            .filter(|set| set.template.hash == workload.template.hash)
            .min_by_key(|set| (set.meta.creation_timestamp, &set.meta.name))
    }

    /// Who may do what, worked out when it is first asked for and kept until a role or a binding changes.
    pub fn rights(&self) -> &Graph {
        self.rights.get_or_init(|| Graph::of(self))
    }

    /// How far somebody gets who breaks into a workload ([`attack::ways`]), worked out when it is first asked for and kept until something changes that it rests on.
    pub fn ways(&self) -> &[Way] {
        self.ways.get_or_init(|| attack::ways(self))
    }

    /// How completely a kind was read in a namespace (empty for cluster-scoped kinds).
    pub fn reading(&self, kind: Kind, namespace: &str) -> &Reading {
        self.readings.get(kind, namespace)
    }

    /// Whether nothing that can be seen stands above a workload with this metadata, and nothing that cannot be seen should.
    fn is_topmost(&self, kind: Kind, meta: &Meta) -> bool {
        match template_owner(kind, meta) {
            None => true,
            Some((owner, _)) => {
                self.owner(kind, meta).is_none() && *self.reading(owner, &meta.namespace) != Reading::Complete
            }
        }
    }

    /// The object above one with this metadata, if it was seen. One of the same name with another UID is a successor, not the owner.
    fn owner(&self, kind: Kind, meta: &Meta) -> Option<ObjectRef> {
        let (kind, owner) = template_owner(kind, meta)?;
        let reference = ObjectRef::new(kind, &meta.namespace, &owner.name);
        let seen = self.workload(&reference)?;
        (seen.meta.uid == owner.uid).then_some(reference)
    }

    fn meta(&self, reference: &ObjectRef) -> Option<&Meta> {
        match self.workload(reference) {
            Some(workload) => Some(&workload.meta),
            None if reference.kind == Kind::Pod => Some(&self.pod(&reference.namespace, &reference.name)?.metadata),
            None => None,
        }
    }
}

fn judged_kind(kind: Kind) -> bool {
    kind == Kind::Namespace || kind.is_workload() || kind.is_judged_alone()
}
