//! Put in place, kept as it should be, taken away with its policy, and only with an approval.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::operator::Start;
use ironside_e2e::{scenario, wait};
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::{DENY, POLICY, SERVICE, apply, isolated, names, policies, record, shop, until_phase, written};

#[tokio::test]
async fn default_deny_with_inferred_allows_is_applied() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        let allow = isolated(at).await?;
        let stored = policies(at).get(&allow).await?;
        let spec = serde_json::to_value(stored.spec)?;
        ensure!(spec["podSelector"]["matchLabels"]["app"] == "web", "{spec}");
        let from_namespace = json!({"from": [{"podSelector": {}}], "ports": [{"port": 8080, "protocol": "TCP"}]});
        let rules = spec["ingress"].as_array().context("rules")?;
        ensure!(rules.contains(&from_namespace), "{spec}");
        let labels = stored.metadata.labels.unwrap_or_default();
        ensure!(
            labels.len() == 3 && labels["app.kubernetes.io/managed-by"] == "ironside",
            "{labels:?}"
        );
        ensure!(
            stored.metadata.owner_references.is_none(),
            "garbage collection knows no order"
        );
        let writes = written(at, &operator)?;
        let patched = |name: &str| ("patch".to_owned(), name.to_owned());
        ensure!(
            writes == [patched(&allow), patched(DENY)],
            "each once, the deny last: {writes:?}"
        );
        let status = record(at).await?;
        ensure!(status["plan"]["risk"] == "Medium", "{status}");
        let evidence = status["plan"]["evidence"].to_string();
        ensure!(
            evidence.contains("Deployment web: stays open: TCP 8080 for pods of the namespace"),
            "{evidence}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_deleted_or_altered_allow_is_restored_with_one_request() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        let allow = isolated(at).await?;
        let before = written(at, &operator)?.len();
        policies(at).delete(&allow, &DeleteParams::default()).await?;
        wait::until("the deleted allow is back", async || {
            Ok(policies(at).get(&allow).await.map(drop)?)
        })
        .await?;
        let writes = written(at, &operator)?.split_off(before);
        ensure!(writes == [("patch".to_owned(), allow.clone())], "{writes:?}");

        let wanted = policies(at).get(&allow).await?.spec;
        let opened = json!([{"op": "replace", "path": "/spec/ingress", "value": [{}]}]);
        let patch: Patch<()> = Patch::Json(serde_json::from_value(opened)?);
        policies(at).patch(&allow, &PatchParams::default(), &patch).await?;
        wait::until("the altered allow is as it was", async || {
            let spec = policies(at).get(&allow).await?.spec;
            ensure!(spec == wanted, "{spec:?}");
            Ok(())
        })
        .await?;
        let writes = written(at, &operator)?.split_off(before);
        ensure!(writes.len() == 2, "{writes:?}");
        let status = until_phase(at, "Succeeded", "Verified").await?;
        ensure!(
            status["memory"]["reverts"]
                .as_array()
                .is_some_and(|reverts| !reverts.is_empty()),
            "{status}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_policy_that_goes_takes_the_deny_first_and_the_allows_after_it() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        let allow = isolated(at).await?;
        let before = written(at, &operator)?.len();
        at.cluster
            .kubectl()?
            .run(&["delete", "hpol", "team", "-n", &at.namespace])
            .await?;
        until_phase(at, "Closed", "PolicyGone").await?;
        ensure!(names(at).await?.is_empty(), "{:?}", names(at).await?);
        let deleted = |name: &str| ("delete".to_owned(), name.to_owned());
        let writes = written(at, &operator)?.split_off(before);
        ensure!(writes == [deleted(DENY), deleted(&allow)], "{writes:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_new_service_is_opened_at_once() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let _operator = Start::new(at).ready().await?;
        let allow = isolated(at).await?;
        apply(at, &SERVICE.replace("name: web", "name: admin").replace("8080", "9000")).await?;
        wait::until("the new port is let in", async || {
            let spec = serde_json::to_string(&policies(at).get(&allow).await?.spec)?;
            ensure!(spec.contains("9000") && spec.contains("8080"), "{spec}");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_human_approves_the_hash_and_nothing_else() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        apply(at, &POLICY.replace("autoApprove: Medium", "autoApprove: None")).await?;
        let operator = Start::new(at).ready().await?;
        let status = until_phase(at, "Pending", "AwaitingApproval").await?;
        ensure!(written(at, &operator)?.is_empty(), "nothing before the approval");
        let hash = status["plan"]["hash"].as_str().context("a hash")?.to_owned();
        let decide = async |plan: &str| -> Result<()> {
            let name = at
                .cluster
                .kubectl()?
                .run(&["get", "hrem", "-n", &at.namespace, "-o", "name"])
                .await?;
            let whoami = at
                .cluster
                .kubectl()?
                .run(&["auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])
                .await?;
            let patch =
                json!({"spec": {"decision": {"action": "Approve", "plan": plan, "by": whoami.trim()}}}).to_string();
            let arguments = ["patch", name.trim(), "-n", &at.namespace, "--type=merge", "-p", &patch];
            at.cluster.kubectl()?.run(&arguments).await.map(drop)
        };
        decide("000000000000").await?;
        wait::throughout(Duration::from_secs(2), "another hash approves nothing", async || {
            ensure!(names(at).await?.is_empty(), "{:?}", names(at).await?);
            Ok(())
        })
        .await?;
        decide(&hash[..12]).await?;
        isolated(at).await.map(drop)
    })
    .await
}
