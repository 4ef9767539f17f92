//! Default-deny ingress with inferred allows, on a real API server: put in place, kept, taken away, and left alone when it should be.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

const DENY: &str = "ironside-default-deny-ingress";

/// A policy that isolates its namespace at once, without a human.
const POLICY: &str = "
apiVersion: hardening.ironside.dev/v1alpha1
kind: HardeningPolicy
metadata: {name: team}
spec:
  profile: {name: None, version: v1}
  mode: Enforce
  controls: [{id: NET-002, mode: Enforce}]
  remediation: {autoApprove: Medium, settle: 0s, verify: {soak: 1s}}
  network: {isolate: [Ingress]}
";

/// A Service in front of the Deployment `web`.
const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
";

async fn apply(at: &Scenario<'_>, manifest: &str) -> Result<()> {
    let arguments = ["apply", "-n", &at.namespace, "-f", "-"];
    at.cluster.kubectl()?.run_with_input(&arguments, manifest).await?;
    Ok(())
}

/// The namespace with a web application in it, and the policy.
async fn shop(at: &Scenario<'_>) -> Result<()> {
    at.cluster.install().await?;
    available_deployment(&at.client, &at.namespace, &Workload::named("web").replicas(2)).await?;
    apply(at, SERVICE).await?;
    apply(at, POLICY).await
}

fn policies(at: &Scenario<'_>) -> Api<NetworkPolicy> {
    Api::namespaced(at.client.clone(), &at.namespace)
}

async fn names(at: &Scenario<'_>) -> Result<Vec<String>> {
    let list = policies(at).list(&ListParams::default()).await?;
    Ok(list
        .items
        .into_iter()
        .filter_map(|policy| policy.metadata.name)
        .collect())
}

/// Status of the namespace's remediation.
async fn record(at: &Scenario<'_>) -> Result<Value> {
    let arguments = ["get", "hrem", "-n", &at.namespace, "-o", "json"];
    let list: Value = serde_json::from_str(&at.cluster.kubectl()?.run(&arguments).await?)?;
    let items = list["items"].as_array().context("items")?;
    let of_namespace = items.iter().find(|item| item["spec"]["target"]["kind"] == "Namespace");
    Ok(of_namespace.context("no remediation of the Namespace")?["status"].clone())
}

async fn until_phase(at: &Scenario<'_>, phase: &str, reason: &str) -> Result<Value> {
    wait::until(&format!("phase {phase} ({reason})"), async || {
        let status = record(at).await?;
        ensure!(
            status["phase"] == phase && status["reason"] == reason,
            "it is {} ({}): {}",
            status["phase"],
            status["reason"],
            status["message"]
        );
        Ok(status)
    })
    .await
}

/// The allow of `web`, once the namespace is isolated.
async fn isolated(at: &Scenario<'_>) -> Result<String> {
    until_phase(at, "Succeeded", "Verified").await?;
    let names = names(at).await?;
    ensure!(names.len() == 2 && names.iter().any(|name| name == DENY), "{names:?}");
    names.into_iter().find(|name| name != DENY).context("an allow")
}

/// Writes of NetworkPolicies by an operator, in order: verb and name.
fn written(at: &Scenario<'_>, operator: &Operator) -> Result<Vec<(String, String)>> {
    let requests = operator.requests(at)?;
    let writes = requests
        .into_iter()
        .filter(|entry| entry.is_write() && entry.resource() == "networkpolicies" && entry.code() < 300);
    Ok(writes
        .map(|entry| {
            (
                entry.verb.clone(),
                entry.object_ref.map(|object| object.name).unwrap_or_default(),
            )
        })
        .collect())
}

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
async fn story_47_a_deny_that_a_human_deletes_is_held_for_a_day() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let mut operator = Start::new(at).ready().await?;
        isolated(at).await?;
        policies(at).delete(DENY, &DeleteParams::default()).await?;
        until_phase(at, "Held", "DenyDeleted").await?;
        wait::until("the network is open: our allows are gone, too", async || {
            let names = names(at).await?;
            ensure!(names.is_empty(), "{names:?}");
            Ok(())
        })
        .await?;
        // It survives a restart, and drift elsewhere does not bring it back.
        operator.restart().await?;
        apply(at, &SERVICE.replace("8080", "9090")).await?;
        wait::throughout(Duration::from_secs(3), "nothing is put back", async || {
            let names = names(at).await?;
            ensure!(names.is_empty(), "{names:?}");
            Ok(())
        })
        .await?;
        until_phase(at, "Held", "DenyDeleted").await?;
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
async fn story_43_a_namespace_with_a_webhook_is_never_touched() -> Result<()> {
    scenario(async |at| {
        let webhook = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": at.namespace},
            "webhooks": [{
                "name": "guard.example.com",
                "clientConfig": {"service": {"namespace": at.namespace, "name": "web"}},
                "rules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Ignore",
            }],
        });
        apply(at, &webhook.to_string()).await?;
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        let status = until_phase(at, "Held", "CalledByApiServer").await?;
        ensure!(status["message"].as_str().is_some_and(|message| message.contains(&at.namespace)), "{status}");
        ensure!(names(at).await?.is_empty(), "nothing is made");
        ensure!(written(at, &operator)?.is_empty(), "nothing is written");
        let name = at.namespace.as_str();
        at.cluster
            .kubectl()?
            .run(&["delete", "validatingwebhookconfiguration", name])
            .await?;
        isolated(at).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn story_47_a_namespace_on_its_way_out_is_left_alone() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        isolated(at).await?;
        let before = written(at, &operator)?.len();
        // What a finalizer keeps there keeps the namespace in Terminating.
        let keeper = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "keeper", "finalizers": ["example.com/keep"]},
        });
        apply(at, &keeper.to_string()).await?;
        let kubectl = at.cluster.kubectl()?;
        kubectl
            .run(&["delete", "namespace", &at.namespace, "--wait=false"])
            .await?;
        wait::until("the namespace controller took our policies", async || {
            let names = names(at).await?;
            ensure!(names.is_empty(), "{names:?}");
            Ok(())
        })
        .await?;
        let tried = operator
            .requests(at)?
            .into_iter()
            .filter(|entry| entry.is_write() && entry.resource() == "networkpolicies");
        ensure!(tried.count() == before, "nothing is restored there");
        let free = [
            "patch",
            "configmap",
            "keeper",
            "-n",
            &at.namespace,
            "--type=json",
            "-p",
            r#"[{"op":"remove","path":"/metadata/finalizers"}]"#,
        ];
        kubectl.run(&free).await.map(drop)
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
