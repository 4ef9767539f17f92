//! The world that is measured: 1,000 pods as 40 Deployments of 25 in 20 namespaces, and the same with ten times the pods.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use ironside_crds::{ClusterHardeningPolicy, HardeningPolicy};

use crate::cluster::Cluster;
use crate::wait;
use crate::workloads::Workload;

/// How much is measured. What is asked of each part is the same; a quick run says that the bench works, not how fast the operator is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) deployments: usize,
    pub(super) replicas: usize,
    pub(super) namespaces: usize,
    /// Replicas of each Deployment in the large world.
    pub(super) many_replicas: usize,
    /// Starts that are timed.
    pub(super) starts: usize,
    /// How long idleness is watched.
    pub(super) idle: Duration,
    /// Changes of one Deployment; every other one opens what the next one closes.
    pub(super) changes: usize,
    /// Namespaces that are isolated; each loses its allow twice.
    pub(super) isolated: usize,
    /// Workloads that a repair breaks.
    pub(super) broken: usize,
    /// Drifts that are there at once.
    pub(super) drifts: usize,
    /// Edits of the policy in the large world.
    pub(super) edits: usize,
}

impl Size {
    /// The world of the table: 1,000 pods and 10,000 pods.
    pub(super) const FULL: Self = Self {
        deployments: 40,
        replicas: 25,
        namespaces: 20,
        many_replicas: 250,
        starts: 7,
        idle: Duration::from_mins(1),
        changes: 200,
        isolated: 25,
        broken: 20,
        drifts: 30,
        edits: 20,
    };

    /// Two minutes instead of ten.
    pub(super) const QUICK: Self = Self {
        deployments: 10,
        replicas: 5,
        namespaces: 5,
        many_replicas: 25,
        starts: 2,
        idle: Duration::from_secs(20),
        changes: 10,
        isolated: 3,
        broken: 3,
        drifts: 5,
        edits: 4,
    };

    /// Simulated nodes of 250 pods each that hold the large world, and the pods that rollouts add.
    pub(super) fn nodes(self) -> usize {
        (self.deployments * self.many_replicas).div_ceil(250) + 4
    }
}

/// Longest wait for what takes half a minute on an idle machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// Name of the policies that the parts of the bench apply.
pub(super) const POLICY: &str = "bench";

/// Label of the world's own namespaces, so that a policy can select them and not those of other parts.
pub(super) const LABEL: &str = "bench.ironside.dev/world";

/// The world and the way to it.
pub(super) struct World<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) client: Client,
    pub(super) size: Size,
}

impl<'a> World<'a> {
    /// Creates everything and waits until every pod is available.
    pub(super) async fn make(cluster: &'a Cluster, size: Size) -> Result<Self> {
        let client = cluster.client().await?;
        let world = Self { cluster, client, size };
        for number in 0..size.namespaces {
            world
                .namespace_with(&namespace(number), json!({ LABEL: "true" }))
                .await?;
        }
        let all = futures::stream::iter(0..size.deployments);
        all.map(|number| world.create(number))
            .buffer_unordered(8)
            .try_collect::<Vec<_>>()
            .await?;
        world.until_rolled_out().await?;
        Ok(world)
    }

    /// Creates a namespace.
    pub(super) async fn namespace(&self, name: &str) -> Result<()> {
        self.namespace_with(name, json!({})).await
    }

    async fn namespace_with(&self, name: &str, labels: Value) -> Result<()> {
        let object = serde_json::from_value(json!({ "metadata": { "name": name, "labels": labels } }))?;
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
            .create(&created_by_pipeline(), &object)
            .await;
        created.map(drop).context("create a Deployment")
    }

    /// Sets whether the containers of a Deployment may gain privileges, and returns its new generation.
    pub(super) async fn set_escalation(&self, namespace: &str, name: &str, allowed: bool) -> Result<i64> {
        self.set_escalation_as(PIPELINE, namespace, name, allowed).await
    }

    /// The same by another writer.
    pub(super) async fn set_escalation_as(
        &self,
        manager: &str,
        namespace: &str,
        name: &str,
        allowed: bool,
    ) -> Result<i64> {
        let container = json!({ "name": "app", "securityContext": { "allowPrivilegeEscalation": allowed } });
        let patch = json!({ "spec": { "template": { "spec": { "containers": [container] } } } });
        let deployments = self.deployments(namespace);
        let patched = deployments
            .patch(name, &as_manager(manager), &Patch::Strategic(patch))
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

    /// Removes a namespace's policy.
    pub(super) async fn no_policy(&self, namespace: &str) -> Result<()> {
        let policies: Api<HardeningPolicy> = Api::namespaced(self.client.clone(), namespace);
        let deleted = policies.delete(POLICY, &DeleteParams::default()).await;
        deleted.map(drop).context("delete the HardeningPolicy")
    }

    /// Removes the cluster's policy.
    pub(super) async fn no_cluster_policy(&self) -> Result<()> {
        let policies: Api<ClusterHardeningPolicy> = Api::all(self.client.clone());
        let deleted = policies.delete(POLICY, &DeleteParams::default()).await;
        deleted.map(drop).context("delete the ClusterHardeningPolicy")
    }

    /// How many pods there are.
    pub(super) async fn pods(&self) -> Result<usize> {
        let pods: Api<Pod> = Api::all(self.client.clone());
        Ok(pods.list_metadata(&ListParams::default()).await?.items.len())
    }

    /// Waits until every Deployment of the cluster is rolled out.
    pub(super) async fn until_rolled_out(&self) -> Result<()> {
        let deployments: Api<Deployment> = Api::all(self.client.clone());
        wait::until_within(3 * PATIENCE, "every Deployment is rolled out", async || {
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

    /// Scales every Deployment of the world, and waits until all their pods are available.
    pub(super) async fn scale(&self, replicas: usize) -> Result<()> {
        for number in 0..self.size.deployments {
            let (namespace, name) = self.target(number);
            let patch = Patch::Merge(json!({ "spec": { "replicas": replicas } }));
            self.deployments(&namespace)
                .patch(&name, &as_manager(PIPELINE), &patch)
                .await?;
        }
        self.until_rolled_out().await
    }

    /// A Deployment of the world: its namespace and its name.
    pub(super) fn target(&self, number: usize) -> (String, String) {
        (namespace(number % self.size.namespaces), name(number))
    }

    async fn create(&self, number: usize) -> Result<()> {
        let (namespace, name) = self.target(number);
        self.create_named(&namespace, &name).await
    }

    /// Creates a Deployment of the world, as it was at first.
    pub(super) async fn create_named(&self, namespace: &str, name: &str) -> Result<()> {
        let workload = Workload::named(name)
            .steady()
            .replicas(i32::try_from(self.size.replicas)?)
            .security_context(json!({ "allowPrivilegeEscalation": false }));
        let mut object = workload.deployment();
        // Other work on the machine must not make a rollout of the world count as stuck.
        object["spec"]["progressDeadlineSeconds"] = json!(600);
        let object: Deployment = serde_json::from_value(object)?;
        let deployments = self.deployments(namespace);
        let created = deployments.create(&created_by_pipeline(), &object).await;
        created.map(drop).context("create a Deployment of the world")
    }
}

/// How a pipeline writes that runs `kubectl apply`. The names matter: an unknown manager that writes again and again is taken for a controller whose object is
/// left to it, and what somebody edits by hand is left alone for a day.
pub(super) const PIPELINE: &str = "kubectl-client-side-apply";

pub(super) fn as_manager(name: &str) -> PatchParams {
    PatchParams {
        field_manager: Some(name.to_owned()),
        ..PatchParams::default()
    }
}

fn created_by_pipeline() -> PostParams {
    PostParams {
        field_manager: Some(PIPELINE.to_owned()),
        ..PostParams::default()
    }
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
