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
async fn every_kind_of_workload_runs() -> Result<()> {
    scenario(async |test| {
        test.apply(&[
            Workload::named("set").replicas(2).stateful_set(),
            Workload::named("daemon").daemon_set(),
            Workload::named("job").sim("run-for", "1s").job(),
            Workload::named("cron").cron_job("0 0 1 1 *"),
            Workload::named("pod").pod(),
        ])
        .await?;
        let kubectl = test.cluster.kubectl()?;
        for (object, condition) in [
            ("statefulset/set", "jsonpath={.status.availableReplicas}=2"),
            ("daemonset/daemon", "jsonpath={.status.numberAvailable}=3"),
            ("job/job", "condition=Complete"),
            ("cronjob/cron", "jsonpath={.spec.suspend}=false"),
            ("pod/pod", "condition=Ready"),
        ] {
            let condition = format!("--for={condition}");
            kubectl
                .run(&["wait", "-n", &test.namespace, object, &condition, "--timeout=60s"])
                .await?;
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
