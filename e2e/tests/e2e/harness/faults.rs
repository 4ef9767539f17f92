//! Components are killed, stopped and started again, and the cluster works afterwards.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::cluster::{Cluster, Component, Options};
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::wait;
use ironside_e2e::workloads::{Workload, available_deployment};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;

#[tokio::test]
async fn every_component_can_be_killed_and_comes_back() -> Result<()> {
    scenario_with(
        Options {
            nodes: 1,
            ..Options::default()
        },
        async |test| {
            let namespaces: Api<Namespace> = Api::all(test.client.clone());
            let works =
                async |name: &str| available_deployment(&test.client, &test.namespace, &Workload::named(name)).await;
            works("before").await?;

            test.cluster.kill(Component::ApiServer).await?;
            ensure!(
                namespaces.get("default").await.is_err(),
                "a dead server does not answer"
            );
            test.cluster.restart(Component::ApiServer).await?;
            namespaces
                .get("default")
                .await
                .context("the same client reaches it on the same port")?;
            works("after-apiserver").await?;

            test.cluster.suspend(Component::ApiServer).await?;
            let asked = tokio::time::timeout(std::time::Duration::from_secs(1), namespaces.get("default")).await;
            ensure!(
                asked.is_err(),
                "a stopped server neither answers nor refuses: {asked:?}"
            );
            test.cluster.resume(Component::ApiServer).await?;
            wait::until("the server answers again", async || {
                Ok(namespaces.get("default").await.map(drop)?)
            })
            .await?;

            test.cluster.kill(Component::Etcd).await?;
            test.cluster.restart(Component::Etcd).await?;
            wait::until("the server has its storage again", async || {
                Ok(namespaces.get("default").await.map(drop)?)
            })
            .await?;
            works("after-etcd").await?;

            for component in [Component::ControllerManager, Component::Scheduler, Component::Kwok] {
                test.cluster.restart(component).await?;
                works(&format!("after-{component}")).await?;
            }
            Ok(())
        },
    )
    .await
}

#[tokio::test]
async fn a_cluster_can_behave_like_an_older_version() -> Result<()> {
    let options = Options {
        emulated_version: Some("1.34".to_owned()),
        workloads: false,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let version = test.cluster.kubectl()?.run(&["get", "--raw", "/version"]).await?;
        let version: serde_json::Value = serde_json::from_str(&version)?;
        ensure!(version["emulationMinor"] == "34", "{version}");
        // Served since 1.36.
        let policies = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies";
        let answer = test.cluster.kubectl()?.run(&["get", "--raw", policies]).await;
        ensure!(answer.is_err(), "{answer:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_flag_that_the_server_does_not_know_is_reported_with_its_log() -> Result<()> {
    let options = Options {
        apiserver_flags: vec!["--no-such-flag".to_owned()],
        ..Options::default()
    };
    let Err(error) = Cluster::dedicated(options).await else {
        anyhow::bail!("it started")
    };
    let error = format!("{error:#}");
    ensure!(
        error.contains("kube-apiserver") && error.contains("unknown flag: --no-such-flag"),
        "{error}"
    );
    Ok(())
}
