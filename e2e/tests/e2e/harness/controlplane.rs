//! The control plane is up and workloads run on it.

use anyhow::{Result, ensure};
use ironside_e2e::scenario;
use ironside_e2e::workloads::{Workload, available_deployment};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;

#[tokio::test]
async fn a_deployment_becomes_available() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &Workload::named("web")).await?;
        let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
        let pods = pods.list(&ListParams::default()).await?.items;
        ensure!(pods.len() == 3, "three pods, not {}", pods.len());
        for pod in pods {
            let node = pod.spec.and_then(|spec| spec.node_name).unwrap_or_default();
            ensure!(node.starts_with("node-"), "on a simulated node, not {node:?}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_server_says_its_version() -> Result<()> {
    scenario(async |test| {
        let version = test.client.apiserver_version().await?;
        // What a server says that was linked without its version; kubectl cannot parse that.
        ensure!(!version.git_version.contains("$Format"), "{version:?}");
        let said = test.cluster.kubectl()?.run(&["version"]).await?;
        ensure!(
            said.contains(&format!("Server Version: {}", version.git_version)),
            "{said}"
        );
        Ok(())
    })
    .await
}
