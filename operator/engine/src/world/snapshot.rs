//! An immutable view of the cluster: per-namespace shards, shared between versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::derived::Derived;
use super::index::{Index, Key};
use super::object::template_owner;
use super::reading::Readings;
use super::{Delta, Object, Reading, World};
use crate::attack::{self, Way};
use crate::components::Observed;
use crate::controls::Component;
use crate::model::disruption::ResourceQuota;
use crate::model::extension::Extension;
use crate::model::layer::Layers;
use crate::model::network::ApiServerBackend;
use crate::model::{
    Ingress, Kind, Meta, Namespace, NetworkPolicy, ObjectRef, Pod, PodDisruptionBudget, Resource, Service,
    ServiceAccount, Workload,
};
use crate::rbac::Graph;

/// Everything in one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)] // Fields are the kinds they hold, by name.
pub struct Shard {
    pub namespace: Option<Arc<Namespace>>,
    /// Workloads of every kind, among them the pods that no workload stands behind.
    pub workloads: BTreeMap<(Kind, Arc<str>), Arc<Workload>>,
    pub pods: BTreeMap<Arc<str>, Arc<Pod>>,
    pub service_accounts: BTreeMap<Arc<str>, Arc<ServiceAccount>>,
    pub services: BTreeMap<Arc<str>, Arc<Service>>,
    pub ingresses: BTreeMap<Arc<str>, Arc<Ingress>>,
    pub network_policies: BTreeMap<Arc<str>, Arc<NetworkPolicy>>,
    pub disruption_budgets: BTreeMap<Arc<str>, Arc<PodDisruptionBudget>>,
    pub quotas: BTreeMap<Arc<str>, Arc<ResourceQuota>>,
    /// Objects that are judged on their own, by kind and name. Cluster-scoped ones are in the shard without a name.
    pub resources: BTreeMap<(Kind, Arc<str>), Arc<Resource>>,
    pub(super) index: Index,
}

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
        let mut world = World::default();
        for object in objects {
            world.apply(Delta::Apply(object));
        }
        Arc::unwrap_or_clone(world.drain().0)
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

impl Shard {
    /// Whether nothing is in the namespace, not even the Namespace object.
    pub fn is_empty(&self) -> bool {
        let Self {
            namespace,
            workloads,
            pods,
            service_accounts,
            services,
            ingresses,
            network_policies,
            disruption_budgets,
            quotas,
            resources,
            index: _,
        } = self;
        namespace.is_none()
            && workloads.is_empty()
            && pods.is_empty()
            && service_accounts.is_empty()
            && services.is_empty()
            && ingresses.is_empty()
            && network_policies.is_empty()
            && disruption_budgets.is_empty()
            && quotas.is_empty()
            && resources.is_empty()
    }

    /// The objects of one kind that are judged on their own, by name.
    pub fn resources_of(&self, kind: Kind) -> impl Iterator<Item = (&Arc<str>, &Arc<Resource>)> {
        let first: Key = (kind, "".into());
        self.resources
            .range(first..)
            .take_while(move |((of, _), _)| *of == kind)
            .map(|((_, name), resource)| (name, resource))
    }

    /// Names of the objects of a kind; of Namespaces the empty name, if there is one.
    pub(super) fn names(&self, kind: Kind) -> Vec<Arc<str>> {
        match kind {
            Kind::Namespace => self.namespace.iter().map(|_| "".into()).collect(),
            Kind::Pod => self.pods.keys().cloned().collect(),
            Kind::ServiceAccount => self.service_accounts.keys().cloned().collect(),
            Kind::Service => self.services.keys().cloned().collect(),
            Kind::Ingress => self.ingresses.keys().cloned().collect(),
            Kind::NetworkPolicy => self.network_policies.keys().cloned().collect(),
            Kind::PodDisruptionBudget => self.disruption_budgets.keys().cloned().collect(),
            Kind::ResourceQuota => self.quotas.keys().cloned().collect(),
            kind if Resource::holds(kind) => {
                let keys = self.resources.keys().filter(|(of, _)| *of == kind);
                keys.map(|(_, name)| Arc::clone(name)).collect()
            }
            _ => {
                let keys = self.workloads.keys().filter(|(of, _)| *of == kind);
                keys.map(|(_, name)| Arc::clone(name)).collect()
            }
        }
    }

    /// The Namespace and every workload and pod: what might be judged.
    fn candidates<'a>(&'a self, name: &'a Arc<str>) -> impl Iterator<Item = ObjectRef> + 'a {
        let namespace = self.namespace.iter().map(|_| ObjectRef::new(Kind::Namespace, "", name));
        let within = |kind: Kind, object: &Arc<str>| ObjectRef {
            namespace: Arc::clone(name),
            kind,
            name: Arc::clone(object),
        };
        let pods = self.pods.keys().map(move |pod| within(Kind::Pod, pod));
        let workloads = self
            .workloads
            .keys()
            .filter(|(kind, _)| *kind != Kind::Pod)
            .map(move |(kind, workload)| within(*kind, workload));
        let alone = [
            (Kind::ServiceAccount, self.service_accounts.keys().collect::<Vec<_>>()),
            (Kind::Service, self.services.keys().collect()),
            (Kind::Ingress, self.ingresses.keys().collect()),
            (Kind::NetworkPolicy, self.network_policies.keys().collect()),
            (Kind::PodDisruptionBudget, self.disruption_budgets.keys().collect()),
        ];
        let alone = alone
            .into_iter()
            .flat_map(move |(kind, names)| names.into_iter().map(move |object| within(kind, object)));
        let resources = self
            .resources
            .keys()
            .filter(|(kind, _)| kind.is_judged_alone())
            .map(move |(kind, resource)| within(*kind, resource));
        namespace.chain(workloads).chain(pods).chain(alone).chain(resources)
    }

    /// The workloads that were made from the template of this one.
    pub(super) fn children(&self, owner: &Workload) -> impl Iterator<Item = &Arc<Workload>> {
        self.index
            .workloads_of(&owner.meta.uid)
            .filter_map(|key| self.workloads.get(key))
            .filter(move |child| made_from(child.kind, &child.meta, owner))
    }

    /// The pods that were made from the template of this workload itself.
    pub(super) fn pods_of(&self, owner: &Workload) -> impl Iterator<Item = &Arc<Pod>> {
        self.index
            .pods_of(&owner.meta.uid)
            .filter_map(|name| self.pods.get(name))
            .filter(move |pod| made_from(Kind::Pod, &pod.metadata, owner))
    }

    /// Keys of the workloads whose pods run as this service account.
    pub(super) fn workloads_using(&self, account: &str) -> impl Iterator<Item = &Key> {
        self.index.workloads_using(account)
    }
}

/// Whether an object names this one as the owner whose template it was made from: by kind, name and UID.
fn made_from(kind: Kind, meta: &Meta, owner: &Workload) -> bool {
    template_owner(kind, meta)
        .is_some_and(|(kind, named)| kind == owner.kind && named.name == owner.meta.name && named.uid == owner.meta.uid)
}

fn judged_kind(kind: Kind) -> bool {
    kind == Kind::Namespace || kind.is_workload() || kind.is_judged_alone()
}
