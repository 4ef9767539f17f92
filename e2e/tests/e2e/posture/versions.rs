//! What runs in which version, as the API server and Nodes say it.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::Scenario;
use ironside_e2e::cluster::Options;
use ironside_e2e::scenario::scenario_with;
use serde_json::{Value, json};

use super::{is_said, said, scan};

#[tokio::test]
async fn versions_of_the_api_server_and_of_nodes_are_compared() -> Result<()> {
    let options = Options {
        nodes: 1,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let before: Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        let result = said(&before, "VER-001")?;
        // The table of releases that is brought along ages; the rest of the scenario does not rest on it.
        ensure!(
            [("Pass", ""), ("Unknown", "StaleData"), ("Fail", "")].contains(&result),
            "{result:?}"
        );

        let kubectl = test.cluster.kubectl()?;
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "left-behind"}});
        kubectl.apply(&node.to_string()).await?;
        let info = json!({"status": {"nodeInfo": {"kubeletVersion": "v1.30.14+k3s1"}}}).to_string();
        let patch = [
            "patch",
            "node",
            "left-behind",
            "--subresource=status",
            "--type=merge",
            "-p",
            &info,
        ];
        kubectl.run(&patch).await?;
        let after: Value = serde_json::from_str(&scan(test, None, "json").await?)?;
        ensure!(said(&after, "VER-001")?.0 == "Fail", "{:?}", said(&after, "VER-001")?);
        let mut results = after["results"].as_array().context("results")?.iter();
        let apart = results.find(|it| it["control"] == "VER-001").context("the finding")?;
        let evidence = apart["evidence"].as_array().context("evidence")?;
        let is_apart = |it: &Value| {
            it["pointer"] == "/nodes/left-behind/status/nodeInfo/kubeletVersion"
                && it["expected"]
                    .as_str()
                    .is_some_and(|expected| expected.contains("behind the API server"))
        };
        ensure!(evidence.iter().any(is_apart), "{apart}");
        Ok(())
    })
    .await
}

/// What a node says of its system and its runtime.
#[tokio::test]
async fn systems_and_runtimes_of_nodes_are_judged_by_what_kubelets_report() -> Result<()> {
    let options = Options {
        nodes: 0,
        workloads: false,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let controls = ["NODE-002", "RT-001"];
        let scan_now = async || -> Result<Value> { Ok(serde_json::from_str(&scan(test, None, "json").await?)?) };
        let empty = scan_now().await?;
        for control in controls {
            ensure!(
                said(&empty, control)?.0 == "Unknown",
                "no node: {:?}",
                said(&empty, control)?
            );
        }
        // Ends that no table will have otherwise, and two nodes of one pool that are not alike.
        node(
            test,
            "old",
            &json!({"osImage": "CentOS Linux 7 (Core)", "containerRuntimeVersion": "containerd://1.4.13"}),
        )
        .await?;
        let after = scan_now().await?;
        for control in controls {
            // Once the tables are too old they decide nothing.
            let result = said(&after, control)?;
            ensure!(
                [("Fail", ""), ("Unknown", "StaleData")].contains(&result),
                "{control}: {result:?}"
            );
        }
        node(
            test,
            "new",
            &json!({"osImage": "Ubuntu 24.04.2 LTS", "containerRuntimeVersion": "containerd://2.3.4"}),
        )
        .await?;
        let apart = scan_now().await?;
        for (control, field) in [("NODE-002", "osImage"), ("RT-001", "containerRuntimeVersion")] {
            ensure!(
                said(&apart, control)?.0 == "Fail",
                "{control}: {:?}",
                said(&apart, control)?
            );
            let mut results = apart["results"].as_array().context("results")?.iter();
            let finding = results.find(|it| it["control"] == control).context("the finding")?;
            let evidence = finding["evidence"].as_array().context("evidence")?;
            let is_apart = |it: &Value| {
                it["pointer"] == format!("/nodes/old/status/nodeInfo/{field}")
                    && it["expected"]
                        .as_str()
                        .is_some_and(|expected| expected.ends_with("as node new of pool general has it"))
            };
            ensure!(evidence.iter().any(is_apart), "{finding}");
        }
        test.cluster.kubectl()?.run(&["delete", "node", "old"]).await?;
        let alike = scan_now().await?;
        for control in controls {
            let result = said(&alike, control)?;
            ensure!(
                [("Pass", ""), ("Unknown", "StaleData")].contains(&result),
                "{control}: {result:?}"
            );
        }
        the_control_plane_is_kept_free(test).await
    })
    .await
}

/// NODE-003 follows the taint of a node that is labelled as one of the control plane, beside one that is not.
async fn the_control_plane_is_kept_free(test: &Scenario<'_>) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    let role = "node-role.kubernetes.io/control-plane";
    let system = json!({"osImage": "Ubuntu 24.04.2 LTS", "containerRuntimeVersion": "containerd://2.3.4"});
    node(test, "first", &system).await?;
    kubectl.run(&["label", "node", "first", &format!("{role}=")]).await?;
    for (taint, result) in [(format!("{role}:NoSchedule"), "Pass"), (format!("{role}-"), "Fail")] {
        kubectl.run(&["taint", "node", "first", &taint]).await?;
        is_said(test, None, &[("NODE-003", result, "")]).await?;
    }
    Ok(())
}

/// A node of a pool that reports this.
async fn node(test: &Scenario<'_>, name: &str, info: &Value) -> Result<()> {
    let kubectl = test.cluster.kubectl()?;
    let labels = json!({"karpenter.sh/nodepool": "general"});
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}});
    kubectl.apply(&node.to_string()).await?;
    let info = json!({"status": {"nodeInfo": info}}).to_string();
    let patch = [
        "patch",
        "node",
        name,
        "--subresource=status",
        "--type=merge",
        "-p",
        &info,
    ];
    kubectl.run(&patch).await?;
    Ok(())
}
