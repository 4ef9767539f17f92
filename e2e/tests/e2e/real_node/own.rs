//! The namespace of Ironside itself, on a node whose network enforces policies: closed, bounded, and Ironside works in it.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::install::{SYSTEM_NAMESPACE, repository};
use ironside_e2e::node::images::NEEDS_101;
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::{Pod, ResourceQuota};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::policies::{addresses, enforced, pod, until_reached};
use crate::own_policy::{EXCEPTIONS, failures, scanned};

#[tokio::test]
async fn its_namespace_is_closed_and_bounded_and_it_works_there() -> Result<()> {
    scenario_on_a_node(async |test| {
        let _turn = super::NODE.lock().await;
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        enforced(test, &[SYSTEM_NAMESPACE]).await?;
        let operators: Vec<IpAddr> = addresses(test, SYSTEM_NAMESPACE).await?.into_values().collect();
        ensure!(operators.len() == 2, "{operators:?}");

        test.apply(&[pod("client", &json!({}))]).await?;
        let client = addresses(test, &test.namespace).await?["client"];
        for operator in &operators {
            // What listens nowhere would answer, too, if a packet came there.
            let open = (format!("tcp:{operator}:8080"), true);
            let closed = (format!("tcp:{operator}:8443"), false);
            let wanted = [open, closed].into();
            until_reached(test, "metrics are open and nothing else", client, &wanted).await?;
        }

        let name = test.namespace.as_str();
        let pods: Api<Pod> = Api::namespaced(test.client.clone(), SYSTEM_NAMESPACE);
        let stranger: Pod = serde_json::from_value(stranger(name))?;
        let made = pods.create(&PostParams::default(), &stranger).await?;
        // The quota counts it because the LimitRange gave it what it did not ask for.
        let limits = made.spec.and_then(|mut spec| spec.containers.remove(0).resources);
        let limits = limits.and_then(|it| it.limits).unwrap_or_default();
        for resource in ["cpu", "memory", "ephemeral-storage"] {
            ensure!(limits.contains_key(resource), "{limits:?}");
        }
        let address = addresses(test, SYSTEM_NAMESPACE).await?[name];
        let nowhere = [format!("tcp:{client}:8080"), format!("tcp:{}:8080", operators[0])];
        let nowhere = nowhere.map(|to| (to, false)).into();
        until_reached(test, "whoever else runs there reaches nobody", address, &nowhere).await?;
        pods.delete(name, &DeleteParams::default().grace_period(0)).await?;

        let quotas: Api<ResourceQuota> = Api::namespaced(test.client.clone(), SYSTEM_NAMESPACE);
        wait::until("both quotas count the operator's pods", async || {
            for quota in quotas.list(&ListParams::default()).await?.items {
                let used = quota.status.clone().unwrap_or_default().used.unwrap_or_default();
                let pods = used.get("pods").context("it counts pods")?;
                ensure!(pods.0 == "2", "{}: {used:?}", quota.name_any());
            }
            Ok(())
        })
        .await?;
        passes_in_the_cluster(test).await
    })
    .await
}

/// What the API server has of it passes as its manifests do.
async fn passes_in_the_cluster(test: &Scenario<'_>) -> Result<()> {
    let exceptions = repository().join(EXCEPTIONS).display().to_string();
    let scan = ["scan", "--cluster", "--all", "-o", "json", "--policy", &exceptions];
    let scan = scanned(&scan, "", Some(test.cluster.kubeconfig())).await?;
    let results = scan["results"].as_array().context("results")?;
    let ours = |result: &&Value| {
        let object = &result["object"];
        let name = object["name"].as_str().unwrap_or_default();
        object["namespace"] == SYSTEM_NAMESPACE || name.starts_with("ironside-") && object["namespace"].is_null()
    };
    // What the tests made for themselves is theirs.
    let theirs = |result: &&Value| result["object"]["name"].as_str().is_some_and(|it| it.contains("e2e"));
    let results: Vec<Value> = results.iter().filter(|it| ours(it) && !theirs(it)).cloned().collect();
    for control in ["NET-002", "RES-004", "POD-012", "IMG-002"] {
        ensure!(
            results
                .iter()
                .any(|it| it["control"] == control && it["result"] == "Pass"),
            "nothing passed {control}"
        );
    }
    let failing = failures(&results);
    ensure!(failing.is_empty(), "{failing:?}");
    Ok(())
}

/// A pod that Pod Security lets in there and that is not Ironside's.
fn stranger(name: &str) -> Value {
    let mut pod = pod(name, &json!({ "app": "stranger" }));
    let container = &mut pod["spec"]["containers"][0];
    container["image"] = json!(NEEDS_101);
    container["securityContext"] = json!({
        "allowPrivilegeEscalation": false, "runAsNonRoot": true,
        "capabilities": { "drop": ["ALL"] }, "seccompProfile": { "type": "RuntimeDefault" },
    });
    pod
}
