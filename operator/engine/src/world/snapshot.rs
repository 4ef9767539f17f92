//! An immutable view of the cluster: per-namespace shards, shared between versions.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{
    Ingress, Namespace, NetworkPolicy, Pod, PodDisruptionBudget, Service, ServiceAccount, Workload,
    disruption::ResourceQuota, network::ApiServerBackend,
};

/// Everything in one namespace.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)] // Fields are the kinds they hold, by name.
pub struct Shard {
    pub namespace: Option<Arc<Namespace>>,
    pub workloads: BTreeMap<(crate::model::Kind, Arc<str>), Arc<Workload>>,
    pub pods: BTreeMap<Arc<str>, Arc<Pod>>,
    pub service_accounts: BTreeMap<Arc<str>, Arc<ServiceAccount>>,
    pub services: BTreeMap<Arc<str>, Arc<Service>>,
    pub ingresses: BTreeMap<Arc<str>, Arc<Ingress>>,
    pub network_policies: BTreeMap<Arc<str>, Arc<NetworkPolicy>>,
    pub disruption_budgets: BTreeMap<Arc<str>, Arc<PodDisruptionBudget>>,
    pub quotas: BTreeMap<Arc<str>, Arc<ResourceQuota>>,
}

/// The cluster at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Shards by namespace.
    pub shards: BTreeMap<Arc<str>, Arc<Shard>>,
    /// Services that the API server calls, by what calls them.
    pub api_server_backends: Arc<Vec<ApiServerBackend>>,
    /// Kubernetes minor version (1.x) of the API server; 0 where unknown (files), which means the newest.
    pub minor: u32,
}

impl Snapshot {
    /// The shard of a namespace.
    pub fn shard(&self, namespace: &str) -> Option<&Arc<Shard>> {
        self.shards.get(namespace)
    }
}
