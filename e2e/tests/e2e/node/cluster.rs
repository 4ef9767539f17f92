//! The real node proves itself: pods run, names resolve, Services answer, and nothing is left behind.

use std::time::Instant;

use anyhow::{Result, ensure};
use ironside_e2e::cluster::Options;
use ironside_e2e::node::relay;
use ironside_e2e::node::traces::{Traces, cgroup_folders};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::{scenario_on_a_node, skipped};
use ironside_e2e::{Cluster, wait};

use super::{address, rolled_out, running, server, service};

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
    scenario_with_a_node_of_its_own(async |cluster| {
        let client = cluster.client().await?;
        running(&client, "default", &server("web", "")).await?;
        cluster.restart_daemon(ironside_e2e::node::Daemon::Kubelet).await?;
        // A change that only a living kubelet can bring about.
        let kubectl = cluster.kubectl()?;
        kubectl.run(&["set", "env", "deployment/web", "NEEDS=root"]).await?;
        rolled_out(&client, "default", "web").await?;
        Ok(())
    })
    .await
}

/// Starts a cluster with a real node, and compares the machine before and after.
async fn scenario_with_a_node_of_its_own<F>(test: F) -> Result<()>
where
    F: AsyncFnOnce(&Cluster) -> Result<()>,
{
    if skipped::<F>() {
        return Ok(());
    }
    let before = Traces::read()?;
    let cluster = Cluster::dedicated(Options {
        real_node: true,
        nodes: 1,
        ..Options::default()
    })
    .await?;
    let (cgroup, folder) = (cluster.node()?.cgroup.clone(), cluster.description()?.folder.clone());
    let outcome = test(&cluster).await;
    let living = cgroup_folders(&cgroup);
    let began = Instant::now();
    cluster.stop().await?;
    say(&format!(
        "the cluster with a real node was down after {:.1} s",
        began.elapsed().as_secs_f64()
    ));
    outcome?;

    ensure!(living.iter().any(|folder| folder.contains("/memory/")), "{living:?}");
    let left = cgroup_folders(&cgroup);
    ensure!(left.is_empty(), "left in the cgroup hierarchies: {left:?}");
    ensure!(!folder.exists(), "{} is left", folder.display());
    let changed = before.differences(&Traces::read()?);
    ensure!(changed.is_empty(), "changed on the machine: {changed:#?}");
    Ok(())
}
