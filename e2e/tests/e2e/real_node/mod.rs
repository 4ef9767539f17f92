//! On a real node: a kubelet, a container runtime and a kernel decide what a workload survives.

mod cluster;
mod disturbance;
mod isolation;
mod matrix;
mod operator;
mod own;
mod policies;
mod prediction;
mod registry;
mod said;
mod settings;
mod signatures;
mod worlds;

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};
use ironside_e2e::node::ask;
use ironside_e2e::node::images::NEEDS;
use ironside_e2e::node::relay;
use ironside_e2e::progress::say;
use ironside_e2e::workloads::{Workload, until_rolled_out};
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::api::PostParams;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::Mutex;

/// Rollouts, crash loops and rollbacks of a whole row of the matrix on a busy machine.
const LONG: Duration = Duration::from_mins(4);

/// One test at a time that keeps the node busy or its policies strict: two at once starve it, and then its probes say so and not what is tested.
static NODE: Mutex<()> = Mutex::const_new(());

/// Two replicas of the test image with the given needs, which say when they are ready.
fn server(name: &str, needs: &str) -> Workload {
    Workload::named(name).replicas(2).template(|template| {
        let container = &mut template["spec"]["containers"][0];
        container["image"] = json!(NEEDS);
        container["env"] = json!([{ "name": "NEEDS", "value": needs }]);
        container["ports"] = json!([{ "containerPort": 8080 }]);
        // A probe that a busy machine answers late is no failure of the workload.
        container["readinessProbe"] = json!({
            "httpGet": { "path": "/ready", "port": 8080 },
            "periodSeconds": 1, "timeoutSeconds": 20, "failureThreshold": 10,
        });
        template["spec"]["terminationGracePeriodSeconds"] = json!(20);
    })
}

/// The same, spread over the nodes as far as they are there.
fn on_each_node(workload: Workload) -> Workload {
    workload.template(|template| {
        let labels = template["metadata"]["labels"].clone();
        template["spec"]["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"] = json!([{
            "weight": 100,
            "podAffinityTerm": { "topologyKey": "kubernetes.io/hostname", "labelSelector": { "matchLabels": labels } },
        }]);
    })
}

/// A Service for a workload of [`server`], at port 80.
fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "selector": { "app": name }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    })
}

/// Where a Service is reached from the node.
async fn address(client: &Client, namespace: &str, name: &str) -> Result<String> {
    let services: Api<Service> = Api::namespaced(client.clone(), namespace);
    let spec = services.get(name).await?.spec.unwrap_or_default();
    Ok(format!("{}:80", spec.cluster_ip.unwrap_or_default()))
}

/// Whether no more was lost than a shared machine loses that stalls for a moment. An outage loses everything while it lasts, which is a multiple of that.
fn few(lost: usize, asked: usize) -> bool {
    lost * 20 <= asked
}

/// Does something while a client asks a Service of [`service`] all the time, and insists that no request was lost.
async fn asked_all_the_time<T>(test: &Scenario<'_>, name: &str, deed: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    let (dial, address) = (
        test.cluster.node()?.dial.clone(),
        address(&test.client, &test.namespace, name).await?,
    );
    answers(&dial, &address).await?;
    let client = ask::Client::start(dial, address);
    let outcome = deed().await;
    let tally = client.tally().await?;
    say(&format!(
        "{}: {} requests, {} lost",
        test.name(),
        tally.asked,
        tally.lost.len()
    ));
    let outcome = outcome?;
    ensure!(
        few(tally.lost.len(), tally.asked),
        "{} of {} lost: {:#?}",
        tally.lost.len(),
        tally.asked,
        tally.lost
    );
    ensure!(tally.asked > 10, "the client hardly asked: {}", tally.asked);
    Ok(outcome)
}

/// Waits until an address answers: kube-proxy needs a moment to hear of a Service.
async fn answers(dial: &Path, address: &str) -> Result<()> {
    wait::until("the Service answers", async || {
        let (status, body) = relay::get(dial, address, "/").await?;
        ensure!(status == 200, "{status} {body}");
        Ok(())
    })
    .await
}

/// Creates a Deployment and waits until all of it runs; a kubelet on a busy machine takes its time for dozens of pods, and the
/// rollout gets it too.
async fn running(client: &Client, namespace: &str, workload: &Workload) -> Result<()> {
    let mut object = workload.deployment();
    object["spec"]["progressDeadlineSeconds"] = json!(120);
    let object: Deployment = serde_json::from_value(object)?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let created = deployments.create(&PostParams::default(), &object).await?;
    rolled_out(client, namespace, &created.name_any()).await
}

/// As [`until_rolled_out`], with as much time as a busy machine needs.
async fn rolled_out(client: &Client, namespace: &str, name: &str) -> Result<()> {
    wait::until_within(LONG, "it is rolled out", async || {
        until_rolled_out(client, namespace, name).await.map(drop)
    })
    .await
}
