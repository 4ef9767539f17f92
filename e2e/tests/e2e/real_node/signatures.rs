//! What kubelets say of pods that fail. `kubelet.json` has it to the letter: the engine's tests read failures from it, here it is held against a kubelet,
//! and the simulated nodes against it.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _};
use serde::Deserialize;
use serde_json::{Value, json};

use super::LONG;

const CASES: &str = include_str!("../../../../operator/engine/src/remediate/tests/kubelet.json");

/// A way to fail. In the texts POD stands for name, namespace and uid, NAMESPACE and FOLDER for what changes, TIME for a duration.
#[derive(Debug, Deserialize)]
struct Case {
    #[serde(rename = "case")]
    name: String,
    spec: Value,
    /// Annotations by which a simulated node fails in the same way.
    simulated: Option<Value>,
    status: Value,
}

#[tokio::test]
async fn kubelets_say_of_failing_pods_what_is_written_down() -> Result<()> {
    scenario_on_a_node(async |test| {
        let _turn = super::NODE.lock().await;
        let present = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "present"}});
        test.apply(&[present]).await?;
        all_say(test, LONG, |_| Some(json!({}))).await
    })
    .await
}

#[tokio::test]
async fn simulated_nodes_say_the_same() -> Result<()> {
    scenario(async |test| {
        all_say(test, wait::LIMIT, |case| {
            let simulated = case.simulated.as_ref()?.as_object()?.iter();
            let annotations: serde_json::Map<String, Value> = simulated
                .map(|(key, value)| (format!("sim.ironside.dev/{key}"), value.clone()))
                .collect();
            Some(json!({"annotations": annotations}))
        })
        .await
    })
    .await
}

/// Has every pod fail for which there is metadata, and waits until each is said to have failed as written down.
async fn all_say(test: &Scenario<'_>, limit: Duration, metadata: impl Fn(&Case) -> Option<Value>) -> Result<()> {
    let cases: Vec<Case> = serde_json::from_str(CASES).context("kubelet.json")?;
    let mut pods = Vec::new();
    let mut said = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let Some(mut metadata) = metadata(case) else { continue };
        let name = format!("case-{number}");
        metadata["name"] = json!(name);
        let mut spec = case.spec.clone();
        spec["terminationGracePeriodSeconds"] = json!(0);
        pods.push(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}));
        said.push(says(test, limit, name, case));
    }
    ensure!(said.len() > 4, "{} cases", said.len());
    test.apply(&pods).await?;
    try_join_all(said).await.map(drop)
}

async fn says(test: &Scenario<'_>, limit: Duration, name: String, case: &Case) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
    wait::until_within(limit, &case.name, async || {
        let pod = pods.get(&name).await?;
        let seen = outline(test, &pod)?;
        ensure!(seen == case.status, "{}: {seen:#}", case.name);
        Ok(())
    })
    .await
}

/// What failures are read from, without what is different each time.
fn outline(test: &Scenario<'_>, pod: &Pod) -> Result<Value> {
    let status = serde_json::to_value(&pod.status)?;
    let mut seen = json!({});
    if status["reason"].is_string() {
        for field in ["phase", "reason", "message"] {
            seen[field] = status[field].clone();
        }
    }
    let whose = format!(
        "{}_{}({})",
        pod.name_any(),
        test.namespace,
        pod.uid().unwrap_or_default()
    );
    let folder = test.cluster.description()?.folder.display().to_string();
    let lasting = |said: &str| {
        let said = said
            .replace(&whose, "POD")
            .replace(&test.namespace, "NAMESPACE")
            .replace(&folder, "FOLDER");
        let mut words: Vec<&str> = said.split(' ').collect();
        if words.first() == Some(&"back-off") && words.len() > 1 {
            words[1] = "TIME";
        }
        words.join(" ")
    };
    let containers = status["containerStatuses"].as_array().into_iter().flatten();
    let containers: Vec<Value> = containers
        .map(|status| {
            let mut container = json!({"name": status["name"], "state": status["state"]});
            if let Some(message) = status.pointer("/state/waiting/message").and_then(Value::as_str) {
                container["state"]["waiting"]["message"] = json!(lasting(message));
            }
            if let Some(ended) = status.pointer("/lastState/terminated") {
                container["lastState"] =
                    json!({"terminated": {"exitCode": ended["exitCode"], "reason": ended["reason"]}});
            }
            container
        })
        .collect();
    if !containers.is_empty() && !status["reason"].is_string() {
        seen["containerStatuses"] = json!(containers);
    }
    Ok(seen)
}
