//! What runs in which version, as the API server and Nodes say it.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::cluster::Options;
use ironside_e2e::scenario::scenario_with;
use serde_json::{Value, json};

use super::{said, scan};

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
