//! The node is disturbed in the middle of a repair: the kubelet is killed, the node is drained, the node is lost for a while. The loop ends where it would
//! have ended anyway. On a cluster of its own, because nobody else's pods stay where they are.

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningRemediation, Phase, RemediationStatus};
use ironside_e2e::cluster::Options;
use ironside_e2e::node::{self, Daemon};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::{scenario_with, skipped};
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{LONG, rolled_out, running, server};
use crate::repair::policy;

#[tokio::test]
async fn a_repair_outlives_what_happens_to_its_node() -> Result<()> {
    on_a_node_of_its_own(async |test| {
        test.cluster.install_as_pods().await?;
        repaired(test, "kubelet", async |test| {
            test.cluster.restart_daemon(Daemon::Kubelet).await
        })
        .await?;
        repaired(test, "drain", drained).await?;
        repaired(test, "loss", lost).await
    })
    .await
}

async fn on_a_node_of_its_own<F>(test: F) -> Result<()>
where
    F: AsyncFnOnce(&Scenario<'_>) -> Result<()>,
{
    if skipped::<F>() {
        return Ok(());
    }
    let _turn = super::NODE.lock().await;
    let options = Options {
        real_node: true,
        nodes: 1,
        ..Options::default()
    };
    scenario_with(options, test).await
}

/// Repairs a workload in a namespace of its own, and does something to the node while its pods are being replaced.
async fn repaired(
    test: &Scenario<'_>,
    what: &str,
    disturb: impl AsyncFnOnce(&Scenario<'_>) -> Result<()>,
) -> Result<()> {
    let namespace = test.cluster.namespace(&test.client, what).await?;
    // New pods take their time: the middle of the rollout can be met.
    let web = server("web", "").template(|template| {
        let environment = &mut template["spec"]["containers"][0]["env"];
        if let Some(environment) = environment.as_array_mut() {
            environment.push(json!({"name": "READY_AFTER", "value": "5s"}));
        }
    });
    running(&test.client, &namespace, &web).await?;
    let kubectl = test.cluster.kubectl()?;
    let mut policy = policy(&["POD-009"]);
    policy["spec"]["remediation"]["verify"]["minDeadline"] = json!("10m");
    kubectl
        .run_with_input(&["apply", "-n", &namespace, "-f", "-"], &policy.to_string())
        .await?;
    wait::until_within(LONG, "the repair is under way", async || {
        let status = status(test, &namespace).await?;
        ensure!(status.phase == Some(Phase::Verifying), "it is {:?}", status.phase);
        Ok(())
    })
    .await?;
    disturb(test).await.with_context(|| format!("disturb by {what}"))?;
    let ended = wait::until_within(LONG, "the repair is proven", async || {
        let status = status(test, &namespace).await?;
        let seen = (status.phase, status.reason.as_str());
        ensure!(
            seen == (Some(Phase::Succeeded), "Verified"),
            "it is {seen:?}: {}",
            status.message
        );
        Ok(status)
    })
    .await?;
    rolled_out(&test.client, &namespace, "web").await?;
    let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &namespace);
    let web: Value = serde_json::to_value(deployments.get("web").await?)?;
    let security = &web["spec"]["template"]["spec"]["containers"][0]["securityContext"];
    ensure!(security["allowPrivilegeEscalation"] == json!(false), "{security}");
    ensure!(ended.memory.failures.is_empty(), "nobody is blamed: {:?}", ended.memory);
    say(&format!(
        "repair disturbed by {what}: {:?} ({})",
        ended.phase, ended.reason
    ));
    test.cluster.drop_namespace(&test.client, &namespace).await
}

async fn status(test: &Scenario<'_>, namespace: &str) -> Result<RemediationStatus> {
    let api: Api<HardeningRemediation> = Api::namespaced(test.client.clone(), namespace);
    let all = api.list(&ListParams::default()).await?.items;
    all.into_iter().next().and_then(|it| it.status).context("no status yet")
}

/// All pods have to go, the operator's as well; with nowhere else to go they come back.
async fn drained(test: &Scenario<'_>) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    let drain = [
        "drain",
        node::NAME,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
        "--disable-eviction",
    ];
    kubectl.run(&drain).await?;
    kubectl.run(&["uncordon", node::NAME]).await.map(drop)
}

/// The kubelet is silent until the cluster has given the node up.
async fn lost(test: &Scenario<'_>) -> Result<()> {
    test.cluster.kill_daemon(Daemon::Kubelet).await?;
    let nodes: Api<Node> = Api::all(test.client.clone());
    let is_ready = async |wanted: &str| {
        let conditions = nodes
            .get(node::NAME)
            .await?
            .status
            .unwrap_or_default()
            .conditions
            .unwrap_or_default();
        let ready = conditions
            .into_iter()
            .find(|it| it.type_ == "Ready")
            .context("no condition")?;
        ensure!(ready.status == wanted, "Ready is {}", ready.status);
        Ok(())
    };
    wait::until_within(LONG, "the node counts as lost", async || is_ready("Unknown").await).await?;
    test.cluster.restart_daemon(Daemon::Kubelet).await?;
    wait::until_within(LONG, "the node is back", async || is_ready("True").await).await
}
