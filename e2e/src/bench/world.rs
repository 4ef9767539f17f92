//! The world that is measured: 1,000 pods as 40 Deployments of 25 in 20 namespaces.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use ironside_crds::{ClusterHardeningPolicy, HardeningPolicy};

use crate::cluster::Cluster;
use crate::wait;
use crate::workloads::Workload;

pub(super) const DEPLOYMENTS: usize = 40;
pub(super) const REPLICAS: usize = 25;
const NAMESPACES: usize = 20;
/// A thousand simulated pods take ten seconds on an idle machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// Name of the policies that the parts of the bench apply.
pub(super) const POLICY: &str = "bench";

/// The world and the way to it.
pub(super) struct World<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) client: Client,
}

impl<'a> World<'a> {
    /// Creates everything and waits until every pod is available.
    pub(super) async fn make(cluster: &'a Cluster) -> Result<Self> {
        let client = cluster.client().await?;
        let world = Self { cluster, client };
        for number in 0..NAMESPACES {
            world.namespace(&namespace(number)).await?;
        }
        let all = futures::stream::iter(0..DEPLOYMENTS);
        all.map(|number| world.create(number))
            .buffer_unordered(8)
            .try_collect::<Vec<_>>()
            .await?;
        world.until_rolled_out().await?;
        Ok(world)
    }

    /// Creates a namespace.
    pub(super) async fn namespace(&self, name: &str) -> Result<()> {
        let object = serde_json::from_value(json!({ "metadata": { "name": name } }))?;
        let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        let created = namespaces.create(&PostParams::default(), &object).await;
        created.map(drop).with_context(|| format!("create namespace {name}"))
    }

    /// The Deployments of a namespace.
    pub(super) fn deployments(&self, namespace: &str) -> Api<Deployment> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates a Deployment.
    pub(super) async fn deploy(&self, namespace: &str, workload: &Workload) -> Result<()> {
        let object: Deployment = serde_json::from_value(workload.deployment())?;
        let created = self
            .deployments(namespace)
            .create(&PostParams::default(), &object)
            .await;
        created.map(drop).context("create a Deployment")
    }

    /// Sets whether the containers of a Deployment may gain privileges, and returns its new generation.
    pub(super) async fn set_escalation(&self, namespace: &str, name: &str, allowed: bool) -> Result<i64> {
        let container = json!({ "name": "app", "securityContext": { "allowPrivilegeEscalation": allowed } });
        let patch = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
        let deployments = self.deployments(namespace);
        let patched = deployments
            .patch(name, &PatchParams::default(), &Patch::Strategic(patch))
            .await;
        patched?.metadata.generation.context("a Deployment has a generation")
    }

    /// Applies the cluster's policy.
    pub(super) async fn cluster_policy(&self, spec: Value) -> Result<()> {
        let policies: Api<ClusterHardeningPolicy> = Api::all(self.client.clone());
        let object = json!({
            "apiVersion": ironside_crds::API_VERSION, "kind": "ClusterHardeningPolicy",
            "metadata": { "name": POLICY }, "spec": spec,
        });
        let parameters = PatchParams::apply("bench").force();
        let applied = policies.patch(POLICY, &parameters, &Patch::Apply(object)).await;
        applied.map(drop).context("apply the ClusterHardeningPolicy")
    }

    /// Applies a namespace's policy.
    pub(super) async fn policy(&self, namespace: &str, spec: Value) -> Result<()> {
        let policies: Api<HardeningPolicy> = Api::namespaced(self.client.clone(), namespace);
        let object = json!({
            "apiVersion": ironside_crds::API_VERSION, "kind": "HardeningPolicy",
            "metadata": { "name": POLICY }, "spec": spec,
        });
        let parameters = PatchParams::apply("bench").force();
        let applied = policies.patch(POLICY, &parameters, &Patch::Apply(object)).await;
        applied.map(drop).context("apply the HardeningPolicy")
    }

    /// Removes the cluster's policy.
    pub(super) async fn no_cluster_policy(&self) -> Result<()> {
        let policies: Api<ClusterHardeningPolicy> = Api::all(self.client.clone());
        let deleted = policies.delete(POLICY, &DeleteParams::default()).await;
        deleted.map(drop).context("delete the ClusterHardeningPolicy")
    }

    /// Waits until every Deployment of the cluster is rolled out.
    pub(super) async fn until_rolled_out(&self) -> Result<()> {
        let deployments: Api<Deployment> = Api::all(self.client.clone());
        wait::until_within(PATIENCE, "every Deployment is rolled out", async || {
            let all = deployments.list(&ListParams::default()).await?.items;
            let waiting: Vec<String> = all
                .iter()
                .filter(|d| !is_rolled_out(d))
                .map(ResourceExt::name_any)
                .collect();
            ensure!(waiting.is_empty(), "{} are not: {waiting:?}", waiting.len());
            Ok(())
        })
        .await
    }

    async fn create(&self, number: usize) -> Result<()> {
        let workload = Workload::named(&name(number))
            .replicas(i32::try_from(REPLICAS)?)
            .security_context(json!({ "allowPrivilegeEscalation": false }));
        let mut object = workload.deployment();
        // Other work on the machine must not make a rollout of the world count as stuck.
        object["spec"]["progressDeadlineSeconds"] = json!(600);
        let object: Deployment = serde_json::from_value(object)?;
        let deployments = self.deployments(&namespace(number % NAMESPACES));
        let created = deployments.create(&PostParams::default(), &object).await;
        created.map(drop).context("create a Deployment of the world")
    }
}

/// A Deployment of the world: its namespace and its name.
pub(super) fn target(number: usize) -> (String, String) {
    (namespace(number % NAMESPACES), name(number))
}

/// Whether the newest template is on all replicas and all are available.
pub(super) fn is_rolled_out(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    deployment.status.as_ref().is_some_and(|status| {
        let count = |number: Option<i32>| number.unwrap_or(0);
        status.observed_generation >= deployment.metadata.generation
            && count(status.updated_replicas) == wanted
            && count(status.available_replicas) == wanted
            && count(status.replicas) == wanted
    })
}

fn namespace(number: usize) -> String {
    format!("bench-{number:02}")
}

fn name(number: usize) -> String {
    format!("app-{number:02}")
}
