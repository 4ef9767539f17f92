//! Everything in one namespace, shared between versions of the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::{Index, Key};
use super::object::template_owner;
use crate::model::disruption::ResourceQuota;
use crate::model::{
    Ingress, Kind, Meta, Namespace, NetworkPolicy, ObjectRef, Pod, PodDisruptionBudget, Resource, Service,
    ServiceAccount, Workload,
};

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
    pub(super) fn candidates<'a>(&'a self, name: &'a Arc<str>) -> impl Iterator<Item = ObjectRef> + 'a {
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
