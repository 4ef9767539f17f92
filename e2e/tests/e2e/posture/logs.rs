//! Where logs go: those of nodes, and the audit log of the API server.

use anyhow::{Result, ensure};
use ironside_e2e::cluster::Options;
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::wait;
use ironside_e2e::workloads::Workload;
use serde_json::{Value, json};

use super::{FLAGZ, is_said};

#[tokio::test]
async fn logs_leave_their_nodes_where_an_agent_is_ready_on_each() -> Result<()> {
    let options = Options {
        nodes: 2,
        apiserver_flags: vec![FLAGZ.to_owned()],
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let expected = [("AUD-004", "Fail", ""), ("AUD-003", "Unknown", "NotSeen")];
        is_said(test, None, &expected).await?;
        let kubectl = test.cluster.kubectl()?;
        let nodes = kubectl.run(&["get", "nodes", "-o", "name"]).await?;
        let first = nodes.lines().next().unwrap_or_default();
        // The audit log of these tests is wherever the control plane is, so the agent has the whole host.
        kubectl.run(&["label", first, "node-role.kubernetes.io/control-plane="]).await?;
        is_said(test, None, &[("AUD-004", "Fail", ""), ("AUD-003", "Fail", "")]).await?;

        test.apply(&[agent("registry.example.com/fluent/fluent-bit:4.2.0")]).await?;
        wait::until("an agent is ready on each node", async || {
            is_said(test, None, &[("AUD-004", "Pass", ""), ("AUD-003", "Pass", "")]).await.map(drop)
        })
        .await?;

        // What nobody knows may take logs elsewhere, or not.
        test.apply(&[agent("registry.example.com/collector:1.0")]).await?;
        let unknown = [("AUD-004", "Unknown", "UnknownAgent"), ("AUD-003", "Unknown", "UnknownAgent")];
        wait::until("another program is ready on each node", async || {
            is_said(test, None, &unknown).await.map(drop)
        })
        .await?;

        // One node without it.
        let mut elsewhere = agent("registry.example.com/fluent/fluent-bit:4.2.0");
        let name = first.trim_start_matches("node/");
        elsewhere["spec"]["template"]["spec"]["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": [name]}]}]}}});
        test.apply(&[elsewhere]).await?;
        wait::until("the agent has left one node", async || {
            let scan = is_said(test, None, &[("AUD-004", "Fail", ""), ("AUD-003", "Fail", "")]).await?;
            let results = scan["results"].as_array().into_iter().flatten();
            let bare: Vec<&Value> = results
                .filter(|it| it["control"] == "AUD-004")
                .flat_map(|it| it["evidence"].as_array().into_iter().flatten())
                .map(|evidence| &evidence["pointer"])
                .collect();
            ensure!(bare == [&json!(format!("/nodes/{name}"))], "{bare:?}");
            Ok(())
        })
        .await
    })
    .await
}

/// A program on every node that has all of it.
fn agent(image: &str) -> Value {
    let mut agent = Workload::named("agent").daemon_set();
    let spec = &mut agent["spec"]["template"]["spec"];
    spec["containers"][0]["image"] = json!(image);
    spec["volumes"] = json!([{"name": "host", "hostPath": {"path": "/"}}]);
    spec["tolerations"] = json!([{"operator": "Exists"}]);
    agent
}
