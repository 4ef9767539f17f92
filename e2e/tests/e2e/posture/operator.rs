//! The operator asks the API server and kubelets, where it is told to and may.

use std::time::Instant;

use anyhow::{Result, ensure};
use ironside_e2e::Scenario;
use ironside_e2e::cluster::{Component, Options};
use ironside_e2e::install::{OPERATOR_USER, repository};
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::{scenario_on_a_node, scenario_with};

use super::{FLAGZ, cluster_policy, until_component};

async fn operator(test: &Scenario<'_>) -> Result<Operator> {
    Start::new(test)
        .watch_everything()
        .flag("--ask-api-server")
        .ready()
        .await
}

#[tokio::test]
async fn the_operator_asks_the_api_server_and_says_when_it_may_not() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        apiserver_flags: vec![FLAGZ.to_owned(), "--profiling=true".to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        let kubectl = test.cluster.kubectl()?;
        let role = repository().join("config/evidence/role.yaml").display().to_string();
        kubectl.run(&["apply", "-f", &role]).await?;
        test.apply(&[cluster_policy(
            "posture",
            &["API-005", "API-008", "ETCD-001", "CCM-002"],
        )])
        .await?;
        let operator = operator(test).await?;
        let seen = until_component(test, "posture", ("the flags show", "KubeApiserver"), |it| {
            it.passed == 1 && it.failed == 1
        })
        .await?;
        ensure!(
            seen.coverage_percent == Some(100) && seen.score_percent == Some(50),
            "{seen:?}"
        );
        for component in ["Etcd", "CloudControllerManager"] {
            let row = until_component(test, "posture", ("it is unknown", component), |it| it.unknown == 1).await?;
            ensure!(row.coverage_percent == Some(0) && row.passed == 0, "{row:?}");
        }
        let metrics = operator.metrics().await?;
        for (component, result) in [
            ("KubeApiserver", "Pass"),
            ("KubeApiserver", "Fail"),
            ("Etcd", "Unknown"),
        ] {
            let labels = [("dimension", "component"), ("value", component), ("result", result)];
            ensure!(metrics.sum("ironside_controls", &labels) == Some(1.0), "{labels:?}");
        }

        // One flag changed shows after the server's restart.
        test.cluster
            .restart_with(Component::ApiServer, &["--profiling=false"])
            .await?;
        let restarted = Instant::now();
        until_component(test, "posture", ("the changed flag shows", "KubeApiserver"), |it| {
            it.passed == 2
        })
        .await?;
        // A minute is promised; how long it takes on a busy machine is nobody's fault.
        let seconds = restarted.elapsed().as_secs_f64();
        say(&format!(
            "a changed flag is in the status {seconds:.0} s after the restart"
        ));

        // The right taken away: nothing is known, and coverage falls.
        kubectl
            .run(&["delete", "clusterrolebinding", "ironside-evidence"])
            .await?;
        let refused = until_component(test, "posture", ("the refusal shows", "KubeApiserver"), |it| {
            it.unknown == 2
        });
        let refused = refused.await?;
        ensure!(refused.coverage_percent == Some(0), "{refused:?}");
        let denied = [("controller", "components"), ("reason", "PermissionDenied")];
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_reconcile_errors_total", &denied) > Some(0.0),
            "it is a metric"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn an_operator_that_is_not_told_to_ask_asks_nothing() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        test.apply(&[cluster_policy("posture", &["API-005"])]).await?;
        let _operator = Start::new(test).watch_everything().ready().await?;
        until_component(test, "posture", ("it is unknown", "KubeApiserver"), |it| {
            it.unknown == 1
        })
        .await?;
        let entries = test.cluster.audit()?.entries()?;
        let own: Vec<&str> = entries
            .iter()
            .filter(|entry| entry.who() == OPERATOR_USER)
            .map(|entry| entry.uri.as_str())
            .collect();
        ensure!(!own.is_empty(), "its requests are in the log");
        for uri in own {
            ensure!(!uri.starts_with("/flagz") && !uri.starts_with("/metrics"), "{uri}");
        }
        Ok(())
    })
    .await
}

/// On a real node: what a kubelet runs with is asked of it directly, in the name of an account that may do nothing else; what CoreDNS is given is in its
/// ConfigMap.
#[tokio::test]
async fn kubelets_and_the_cluster_dns_are_judged_by_what_they_run_with() -> Result<()> {
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let controls = [
            "KUBELET-001",
            "KUBELET-002",
            "KUBELET-003",
            "KUBELET-007",
            "DNS-001",
            "DNS-002",
        ];
        test.apply(&[cluster_policy("nodes", &controls)]).await?;
        let row = until_component(test, "nodes", ("the kubelet says what it runs with", "Kubelet"), |it| {
            it.passed == 3 && it.failed == 1
        });
        let row = row.await?;
        ensure!(row.coverage_percent == Some(100), "{row:?}");
        until_component(test, "nodes", ("CoreDNS is judged", "ClusterDns"), |it| it.passed == 2).await?;
        test.cluster
            .kubectl()?
            .run(&["delete", "clusterhardeningpolicy", "nodes"])
            .await?;
        Ok(())
    })
    .await
}
