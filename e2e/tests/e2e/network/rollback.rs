//! An isolation that breaks a workload is taken back, exactly and for good; one that would not be stored as planned is not begun.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::operator::Start;
use ironside_e2e::workloads::{Workload, available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use super::{DENY, Starved, apply, isolated, names, policies, record, shop, until_phase, written};
use crate::decisions::Person;
use crate::repair::no_drift;

/// A policy of the team itself, which Ironside has no business with.
const THEIRS: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: theirs}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: web}}}], ports: [{port: 5432}]}]
";

/// Times in a status are whole seconds: a pod that stops being ready within two of its start was never ready, by them.
async fn past_the_start(at: &Scenario<'_>) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(at.client.clone(), &at.namespace);
    wait::until("the pods run for longer than their times can hide", async || {
        let pods = pods.list(&ListParams::default().labels("app=web")).await?.items;
        let created = pods.iter().filter_map(|pod| pod.metadata.creation_timestamp.as_ref());
        let youngest = created.map(|time| time.0).max().context("a pod")?;
        let age = Timestamp::now().duration_since(youngest);
        ensure!(age > SignedDuration::from_secs(3), "{age:#}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_01_an_isolation_that_breaks_a_workload_is_taken_back_exactly() -> Result<()> {
    scenario(async |at| {
        apply(at, THEIRS).await?;
        let before = policies(at).get("theirs").await?;
        let _starved = Starved::begin(at);
        shop(at).await?;
        past_the_start(at).await?;
        let operator = Start::new(at).ready().await?;
        let status = until_phase(at, "Held", "Quarantined").await?;
        let message = status["message"].to_string();
        ensure!(
            status["memory"]["failures"][0]["controls"] == json!(["NET-002"]),
            "{status}"
        );
        ensure!(
            message.contains("Deployment web: a pod is not ready any more"),
            "{message}"
        );
        ensure!(
            names(at).await? == ["theirs"],
            "exactly what was written is gone: {:?}",
            names(at).await?
        );
        ensure!(policies(at).get("theirs").await? == before, "theirs is as it was");
        until_rolled_out(&at.client, &at.namespace, "web").await?;
        let writes = written(at, &operator)?;
        let deleted: Vec<&str> = writes
            .iter()
            .filter(|(verb, _)| verb == "delete")
            .map(|(_, name)| name.as_str())
            .collect();
        ensure!(
            deleted.len() == 2 && deleted[0] == DENY,
            "the deny first, then the allow: {writes:?}"
        );
        let phases: Vec<_> = status["history"].as_array().context("history")?.iter().collect();
        for phase in ["Applying", "Verifying", "RollingBack", "RolledBack", "Held"] {
            ensure!(
                phases.iter().any(|entry| entry["phase"] == phase),
                "{phase}: {phases:?}"
            );
        }
        no_drift(&operator).await?;
        wait::throughout(Duration::from_secs(3), "it is not tried again", async || {
            ensure!(names(at).await? == ["theirs"], "{:?}", names(at).await?);
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_quarantined_isolation_is_tried_again_when_a_human_asks() -> Result<()> {
    scenario(async |at| {
        let starved = Starved::begin(at);
        shop(at).await?;
        past_the_start(at).await?;
        let _operator = Start::new(at).ready().await?;
        until_phase(at, "Held", "Quarantined").await?;
        drop(starved);
        until_rolled_out(&at.client, &at.namespace, "web").await?;
        let namespace = format!("namespace/{}", at.namespace);
        Person::admin(at).decides(&["retry", &namespace]).await?;
        isolated(at).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_workload_that_was_failing_before_is_no_reason_to_take_back() -> Result<()> {
    scenario(async |at| {
        let broken = Workload::named("broken").replicas(1).sim("never-ready", "true");
        apply(at, &broken.deployment().to_string()).await?;
        available_deployment(&at.client, &at.namespace, &Workload::named("fine").replicas(1)).await?;
        shop(at).await?;
        let _operator = Start::new(at).ready().await?;
        until_phase(at, "Succeeded", "Verified").await?;
        let short = record(at).await?["attempt"]["short"].clone();
        ensure!(
            short == json!([{"workload": "Deployment/broken", "ready": 0}]),
            "{short}"
        );
        Ok(())
    })
    .await
}

/// An admission policy that adds to every NetworkPolicy of the namespace, as a platform's own rules do.
fn rewriter(at: &Scenario<'_>) -> [serde_json::Value; 2] {
    let name = format!("rewrites-{}", at.namespace);
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["networking.k8s.io"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                "resources": ["networkpolicies"],
            }]},
            "matchConditions": [{"name": "here", "expression": format!("object.metadata.namespace == '{}'", at.namespace)}],
            "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {
                "expression": "[JSONPatch{op: 'add', path: '/spec/ingress', value: [Object.spec.ingress{}]}]",
            }}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name}, "spec": {"policyName": name},
    });
    [policy, binding]
}

#[tokio::test]
async fn story_05_policies_that_admission_would_rewrite_are_never_sent() -> Result<()> {
    scenario(async |at| {
        let kubectl = at.cluster.kubectl()?;
        for object in rewriter(at) {
            kubectl
                .run_with_input(&["apply", "-f", "-"], &object.to_string())
                .await?;
        }
        shop(at).await?;
        // It takes a moment until an admission policy is in force.
        wait::until("policies are rewritten", async || {
            let probe = super::PROBE;
            let arguments = [
                "apply",
                "-n",
                &at.namespace,
                "--dry-run=server",
                "-o",
                "json",
                "-f",
                "-",
            ];
            let answer = kubectl.run_with_input(&arguments, probe).await?;
            let stored: serde_json::Value = serde_json::from_str(&answer)?;
            ensure!(stored["spec"]["ingress"] == json!([{}]), "{}", stored["spec"]);
            Ok(())
        })
        .await?;
        let operator = Start::new(at).ready().await?;
        let status = until_phase(at, "Held", "Mutated").await?;
        ensure!(status["message"].to_string().contains("NetworkPolicy"), "{status}");
        ensure!(written(at, &operator)?.is_empty(), "nothing but questions");
        ensure!(names(at).await?.is_empty(), "{:?}", names(at).await?);
        for kind in ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"] {
            kubectl
                .run(&["delete", kind, &format!("rewrites-{}", at.namespace)])
                .await?;
        }
        Ok(())
    })
    .await
}
