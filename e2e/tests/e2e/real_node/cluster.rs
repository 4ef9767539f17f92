//! The real node proves itself: pods run, names resolve, Services answer, and nothing is left behind.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::cluster::Options;
use ironside_e2e::node::traces::{Traces, cgroup_folders};
use ironside_e2e::node::{Daemon, Place, relay};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::{scenario_on_a_node, skipped};
use ironside_e2e::{Cluster, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

use super::{address, on_each_node, rolled_out, running, server, service};

#[tokio::test]
async fn a_pod_runs_and_answers_by_name() -> Result<()> {
    scenario_on_a_node(async |test| {
        // A root file system that takes writes, and a user that may do anything: what images are used to.
        running(
            &test.client,
            &test.namespace,
            &server("web", "root,write=/,chown=/data,setuid"),
        )
        .await?;
        test.apply(&[service("web")]).await?;

        let kubectl = test.cluster.kubectl()?;
        let run = async |arguments: &[&str]| {
            let own = ["--namespace", test.namespace.as_str()];
            kubectl
                .run(&own.into_iter().chain(arguments.iter().copied()).collect::<Vec<_>>())
                .await
        };
        let log = run(&["logs", "deployment/web"]).await?;
        ensure!(log.contains("serving on 8080 as uid 101"), "{log}");

        // Through the kubelet's exec, cluster DNS and kube-proxy, which both need a moment to hear of the Service.
        let url = format!("http://web.{}.svc.cluster.local/", test.namespace);
        let said = wait::until("the Service answers by its name", async || {
            run(&["exec", "deployment/web", "--", "/needs", "ask", &url]).await
        });
        let said = said.await?;
        ensure!(said.starts_with("web-") && said.contains("uid=101"), "{said}");

        let (status, body) = relay::get(
            &test.cluster.node()?.dial,
            &address(&test.client, &test.namespace, "web").await?,
            "/",
        )
        .await?;
        ensure!(status == 200 && body.starts_with("web-"), "{status} {body}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_kubelet_that_was_killed_finds_its_pods_again() -> Result<()> {
    scenario_with_two_nodes_of_its_own(async |cluster| {
        let client = cluster.client().await?;
        running(&client, "default", &on_each_node(server("web", ""))).await?;
        reach_each_other(cluster, &client).await?;
        cluster.restart_daemon(Place::SECOND, Daemon::Kubelet).await?;
        // A change that only a living kubelet can bring about.
        let kubectl = cluster.kubectl()?;
        kubectl.run(&["set", "env", "deployment/web", "NEEDS=root"]).await?;
        rolled_out(&client, "default", "web").await?;
        Ok(())
    })
    .await
}

/// The pod on each node asks that on the other, over the wire between them.
async fn reach_each_other(cluster: &Cluster, client: &Client) -> Result<()> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), "default");
    let pods = pods.list(&ListParams::default().labels("app=web")).await?.items;
    let nodes: BTreeSet<Option<String>> = pods
        .iter()
        .map(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone()))
        .collect();
    ensure!(nodes == Place::ALL.map(|place| Some(place.name())).into(), "{nodes:?}");
    let kubectl = cluster.kubectl()?;
    for (one, other) in [(&pods[0], &pods[1]), (&pods[1], &pods[0])] {
        let address = other.status.as_ref().and_then(|it| it.pod_ip.clone());
        let url = format!("http://{}:8080/", address.context("an address")?);
        let asking = ["exec", &one.name_any(), "--", "/needs", "ask", &url];
        let said = wait::until("the other node's pod answers", async || kubectl.run(&asking).await);
        let said = said.await?;
        ensure!(said.starts_with(&other.name_any()), "{said}");
    }
    Ok(())
}

/// Starts a cluster with two real nodes, and compares the machine before and after.
async fn scenario_with_two_nodes_of_its_own<F>(test: F) -> Result<()>
where
    F: AsyncFnOnce(&Cluster) -> Result<()>,
{
    if skipped::<F>() {
        return Ok(());
    }
    let before = Traces::read()?;
    let cluster = Cluster::dedicated(Options::with_nodes(2)).await?;
    let description = cluster.description()?;
    let folder = description.folder.clone();
    let cgroups: Vec<String> = description.nodes.iter().map(|node| node.cgroup.clone()).collect();
    let outcome = test(&cluster).await;
    let living: Vec<Vec<String>> = cgroups.iter().map(|cgroup| cgroup_folders(cgroup)).collect();
    let began = Instant::now();
    cluster.stop().await?;
    say(&format!(
        "the cluster with two real nodes was down after {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    outcome?;

    for (cgroup, living) in cgroups.iter().zip(living) {
        ensure!(living.iter().any(|folder| folder.contains("/memory/")), "{living:?}");
        let left = cgroup_folders(cgroup);
        ensure!(left.is_empty(), "left in the cgroup hierarchies: {left:?}");
    }
    ensure!(!folder.exists(), "{} is left", folder.display());
    let changed = before.differences(&Traces::read()?);
    ensure!(changed.is_empty(), "changed on the machine: {changed:#?}");
    Ok(())
}
