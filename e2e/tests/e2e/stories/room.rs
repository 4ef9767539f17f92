//! Story 18, where room is not known before it is needed: no node takes the pods of the rollout, or a quota fills up while it is under way. That may pass, so it
//! is waited for; then the repair is taken back, and no control is blamed.
//!
//! It is waited for minutes. The tests set a condition's time back instead: the cluster's own components leave it where it is.

use anyhow::{Context as _, Result, bail, ensure};
use ironside_crds::Phase;
use ironside_e2e::operator::Operator;
use ironside_e2e::workloads::{Workload, available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::fights::{operator, patches};
use crate::promises::until_of_it_stands;
use crate::repair::{LONG, PATIENCE, deployment, policy, remediation, steady, template, until_it_stands};

/// Longer ago than anything is waited for.
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// A workload whose pods find room on one simulated node alone, which has 64 processors.
fn on(node: &str, name: &str, processors: usize) -> Workload {
    steady(name).template(|template| {
        template["spec"]["nodeSelector"] = json!({ "kubernetes.io/hostname": node });
        template["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": processors.to_string() } });
    })
}

/// The pod that no node takes.
async fn left_over(test: &Scenario<'_>) -> Result<String> {
    let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
    wait::until("the scheduler finds no node", async || {
        let pods = pods.list(&ListParams::default()).await?.items;
        let waits = |pod: &&Pod| {
            let status = pod.status.as_ref();
            let conditions = status.and_then(|it| it.conditions.as_deref()).unwrap_or_default();
            conditions
                .iter()
                .any(|it| it.type_ == "PodScheduled" && it.reason.as_deref() == Some("Unschedulable"))
        };
        let pod = pods.iter().find(waits).context("every pod has a node")?;
        pod.metadata.name.clone().context("a name")
    })
    .await
}

/// The repair is neither taken back nor held: it waits for room.
async fn goes_on_waiting(test: &Scenario<'_>) -> Result<()> {
    wait::throughout(PATIENCE, "it is waited for", async || {
        let status = remediation(test).await?.status.unwrap_or_default();
        ensure!(status.phase == Some(Phase::Verifying), "{:?}", status.phase);
        Ok(())
    })
    .await
}

/// Makes a condition of an object old.
async fn for_a_long_time(test: &Scenario<'_>, object: &str, condition: &str) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    let of = [object, "--namespace", &test.namespace];
    let read = kubectl.run(&[&["get"][..], &of, &["-o", "json"]].concat()).await?;
    let read: Value = serde_json::from_str(&read)?;
    let conditions = read["status"]["conditions"].as_array().context("conditions")?;
    let Some(at) = conditions.iter().position(|it| it["type"] == condition) else {
        bail!("no {condition}: {conditions:?}");
    };
    let at_field = |field: &str| format!("/status/conditions/{at}/{field}");
    let patch = json!([
        { "op": "test", "path": at_field("type"), "value": condition },
        { "op": "replace", "path": at_field("lastTransitionTime"), "value": LONG_AGO },
    ]);
    let patch = format!("--patch={patch}");
    let how = ["--subresource=status", "--type=json", &patch];
    kubectl.run(&[&["patch"][..], &of, &how].concat()).await.map(drop)
}

/// Taken back exactly, for a cause that no control is blamed for, and not tried again by itself.
async fn nobody_is_blamed(test: &Scenario<'_>, operator: &Operator, before: &Value, cause: &str) -> Result<()> {
    let held = until_it_stands(test, Phase::Held, "Environment").await?;
    let status = held.status.context("a status")?;
    let failures = &status.memory.failures;
    ensure!(failures.len() == 1 && failures[0].reason == cause, "{failures:?}");
    ensure!(
        template(test, "web").await? == *before,
        "the template is exactly the one before"
    );
    wait::throughout(PATIENCE, "it is not tried again", async || {
        let sent = patches(operator, test)?;
        ensure!(sent == 2, "a repair and its undo, and not {sent} patches");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn story_18_no_node_takes_the_surge_and_no_control_is_blamed() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &on("node-1", "web", 20)).await?;
        let before = template(test, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        let pod = left_over(test).await?;
        goes_on_waiting(test).await?;
        for_a_long_time(test, &format!("pod/{pod}"), "PodScheduled").await?;
        nobody_is_blamed(test, &operator, &before, "Unschedulable").await?;
        until_rolled_out(&test.client, &test.namespace, "web").await.map(drop)
    })
    .await
}

#[tokio::test]
async fn story_18_room_that_comes_while_it_is_waited_for_ends_well() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &on("node-2", "web", 15)).await?;
        test.apply(&[on("node-2", "other", 15).pod()]).await?;
        let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
        wait::until("the node is full", async || {
            let other = pods.get("other").await?.status.unwrap_or_default();
            ensure!(other.phase.as_deref() == Some("Running"), "{:?}", other.phase);
            Ok(())
        })
        .await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        left_over(test).await?;
        let delete = ["delete", "pod", "other", "--namespace", &test.namespace, "--wait=false"];
        test.cluster.kubectl()?.run(&delete).await?;
        until_of_it_stands(test, "web", Phase::Succeeded, "Verified").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn story_18_a_quota_that_fills_up_during_the_rollout_and_no_control_is_blamed() -> Result<()> {
    scenario(async |test| {
        let quota = |pods: usize| {
            json!({
                "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small" },
                "spec": { "hard": { "pods": pods.to_string() } },
            })
        };
        // Slow enough that the quota is full before the last pod of the rollout comes.
        let web = steady("web").sim("ready-after", "8s");
        test.deliver(&quota(4)).await?;
        available_deployment(&test.client, &test.namespace, &web).await?;
        let before = template(test, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        wait::until_within(LONG, "the rollout has begun", async || {
            let status = deployment(test, "web").await?.status.unwrap_or_default();
            ensure!(status.unavailable_replicas.unwrap_or(0) > 0, "{status:?}");
            Ok(())
        })
        .await?;
        test.deliver(&quota(3)).await?;
        wait::until("pods are refused", async || {
            let status = deployment(test, "web").await?.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let refused = conditions
                .iter()
                .find(|it| it.type_.as_deref() == Some("ReplicaFailure"));
            let message = refused.and_then(|it| it.message.clone()).unwrap_or_default();
            ensure!(message.contains("exceeded quota"), "{conditions:?}");
            Ok(())
        })
        .await?;
        goes_on_waiting(test).await?;
        for_a_long_time(test, "deployment/web", "ReplicaFailure").await?;
        nobody_is_blamed(test, &operator, &before, "QuotaExceeded").await?;
        // The pods follow as soon as they may.
        test.deliver(&quota(8)).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await.map(drop)
    })
    .await
}
