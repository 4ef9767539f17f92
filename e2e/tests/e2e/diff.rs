//! `ironside diff --cluster`: manifests are judged as they would stand in the cluster, among everything that is there.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, scenario};
use serde_json::{Value, json};

/// Compares manifests with the test's namespace: the difference and the exit code.
async fn diff(test: &Scenario<'_>, manifests: &Value) -> Result<(Value, Option<i32>)> {
    let file = test.folder().join("manifests.json");
    std::fs::write(&file, manifests.to_string())?;
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .arg("diff")
        .arg(&file)
        .args(["--cluster", "-n", &test.namespace, "-o", "json"])
        .env("KUBECONFIG", test.cluster.kubeconfig())
        .output()
        .await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok((
        serde_json::from_slice(&output.stdout).with_context(|| told)?,
        output.status.code(),
    ))
}

/// The items of one control under `new` or `gone` of an object.
fn items<'a>(diff: &'a Value, name: &str, which: &str, control: &str) -> Vec<&'a Value> {
    let objects = diff["objects"].as_array().into_iter().flatten();
    let of_it = objects.filter(|object| object["name"] == name);
    of_it
        .flat_map(|object| object[which].as_array().into_iter().flatten())
        .filter(|item| item["control"] == control)
        .collect()
}

#[tokio::test]
async fn manifests_against_the_cluster_show_what_they_would_bring_and_mend() -> Result<()> {
    scenario(async |test| {
        let open = Workload::named("open").replicas(0);
        test.apply(&[open.deployment()]).await?;

        let kubectl = test.cluster.kubectl()?;
        let live = kubectl
            .run(&["get", "deployments", "-n", &test.namespace, "-o", "json"])
            .await?;
        let (same, code) = diff(test, &serde_json::from_str(&live)?).await?;
        ensure!(code == Some(0), "what runs differs from itself: {same:#}");
        ensure!(same["summary"]["stayed"].as_u64() > Some(0), "{same:#}");

        let closed = Workload::named("open")
            .replicas(0)
            .security_context(json!({ "allowPrivilegeEscalation": false }))
            .deployment();
        let another = Workload::named("another")
            .replicas(0)
            .security_context(json!({ "privileged": true }))
            .deployment();
        // As developers write them: where they go is said when they are applied.
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": [closed, another] });
        let (changed, code) = diff(test, &list).await?;
        ensure!(code == Some(1), "{changed:#}");
        let mended = items(&changed, "open", "gone", "POD-009");
        ensure!(mended.len() == 1 && mended[0]["other"] == "Pass", "{changed:#}");
        let brought = items(&changed, "another", "new", "POD-001");
        ensure!(brought.len() == 1 && brought[0]["other"] == "NoObject", "{changed:#}");
        Ok(())
    })
    .await
}
