//! Simulated nodes: Node objects that kwok keeps Ready, and the behaviour of the pods on them (`stages`).

pub mod stages;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Node;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::wait;

/// Annotation of every simulated node, and key and value of the taint that keeps pods off where there is a real one.
pub const MARK: (&str, &str) = ("kwok.x-k8s.io/node", "fake");

/// Creates `count` nodes named `node-1`, `node-2`, ...; tainted ones take only pods that tolerate them.
///
/// # Errors
/// The API server refuses one.
pub async fn create(client: &Client, count: usize, pods: usize, tainted: bool) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    for number in 1..=count {
        let node = node(number, pods, tainted)?;
        nodes
            .create(&PostParams::default(), &node)
            .await
            .with_context(|| format!("create node-{number}"))?;
    }
    Ok(())
}

/// Waits until `count` nodes are Ready, which kwok brings about within a second.
///
/// # Errors
/// They are not.
pub async fn all_ready(client: &Client, count: usize) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    wait::until_within(Duration::from_mins(1), "the simulated nodes are Ready", async || {
        let ready = nodes
            .list(&ListParams::default())
            .await?
            .items
            .iter()
            .filter(|node| is_ready(node))
            .count();
        ensure!(ready >= count, "{ready} of {count} are");
        Ok(())
    })
    .await
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions
        .into_iter()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn node(number: usize, pods: usize, tainted: bool) -> Result<Node> {
    let name = format!("node-{number}");
    let resources = json!({ "cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": pods.to_string() });
    // Two bytes of the number in each address: pods get 10.64.0.0/14 in blocks of 256, nodes invented addresses.
    let (high, low) = (number / 256, number % 256);
    let taints = tainted.then(|| json!([{ "key": MARK.0, "value": MARK.1, "effect": "NoSchedule" }]));
    serde_json::from_value(json!({
        "metadata": {
            "name": name,
            "annotations": { MARK.0: MARK.1 },
            "labels": { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64" },
        },
        "spec": { "podCIDR": format!("10.{}.{low}.0/24", 64 + high), "podCIDRs": [format!("10.{}.{low}.0/24", 64 + high)], "taints": taints },
        "status": {
            "allocatable": resources,
            "capacity": resources,
            "addresses": [
                { "type": "InternalIP", "address": format!("10.255.{high}.{low}") },
                { "type": "Hostname", "address": name },
            ],
            "nodeInfo": {
                "architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.37.2",
                "containerRuntimeVersion": "containerd://2.1.0", "kernelVersion": "6.12.0", "osImage": "simulated",
                "kubeProxyVersion": "", "bootID": "", "machineID": "", "systemUUID": "",
            },
        },
    }))
    .context("a Node object")
}
