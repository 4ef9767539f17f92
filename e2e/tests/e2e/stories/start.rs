//! What must be so before a repair starts: health, room, budgets of disruption, an owner who is done, nobody who rewrites what we write.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ironside_crds::Phase;
use ironside_e2e::workloads::{available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::fights::{operator, patches};
use crate::repair::{nothing_starts, policy, remediation, replica_sets, steady, template, until_it_stands};

/// A policy's settle time in the story of a release that goes on for a while, in seconds.
const SETTLE: i64 = 8;

#[tokio::test]
async fn story_05_a_value_that_admission_rewrites_is_not_sent() -> Result<()> {
    scenario(async |test| {
        let kubectl = test.cluster.kubectl()?;
        let served = kubectl.run(&["get", "--raw", "/apis/admissionregistration.k8s.io/v1"]).await?;
        if !served.contains("mutatingadmissionpolicies") {
            println!("SKIPPED: this version of Kubernetes serves no MutatingAdmissionPolicy");
            return Ok(());
        }
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let before = template(test, "web").await?;
        let name = format!("{}-rewrites", test.namespace);
        let field = "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation";
        let rewriting = json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
              "metadata": { "name": name },
              "spec": {
                "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": test.namespace } },
                    "resourceRules": [{
                        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"],
                    }],
                },
                "matchConditions": [{
                    "name": "has-a-context", "expression": "has(object.spec.template.spec.containers[0].securityContext)",
                }],
                "mutations": [{ "patchType": "JSONPatch", "jsonPatch": {
                    "expression": format!("[JSONPatch{{op: \"add\", path: \"{field}\", value: true}}]"),
                } }],
              } },
            { "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
              "metadata": { "name": name }, "spec": { "policyName": name } },
        ] });
        kubectl.run_with_input(&["apply", "-f", "-"], &rewriting.to_string()).await?;
        wait::until("admission rewrites", async || {
            let closing = json!([{ "op": "add", "path": "/spec/template/spec/containers/0/securityContext",
                "value": { "allowPrivilegeEscalation": false } }]);
            let patch = format!("--patch={closing}");
            let dry = ["patch", "deployment/web", "-n", &test.namespace, "--type=json", &patch, "--dry-run=server"];
            let seen = kubectl.run(&[&dry[..], &["-o", "json"]].concat()).await?;
            let seen: Value = serde_json::from_str(&seen)?;
            ensure!(seen.pointer(field) == Some(&json!(true)), "not yet");
            Ok(())
        })
        .await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        let held = until_it_stands(test, Phase::Held, "Mutated").await?;
        let message = held.status.unwrap_or_default().message;
        ensure!(message.contains("allowPrivilegeEscalation"), "{message}");
        nothing_starts(test, &operator).await?;
        ensure!(template(test, "web").await? == before, "it was changed");
        for kind in ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"] {
            kubectl.run(&["delete", kind, &name]).await?;
        }
        Ok(())
    })
    .await
}

/// Helm and Argo CD change a release step by step. Their own state is not readable in the default install, so nothing starts while any part of the
/// release changed a short time ago.
#[tokio::test]
async fn story_09_a_release_in_progress_is_not_joined() -> Result<()> {
    scenario(async |test| {
        let part = |name: &str, number: usize| {
            let mut manifest = steady(name).deployment();
            manifest["metadata"]["annotations"] =
                json!({ "meta.helm.sh/release-name": "shop", "meta.helm.sh/release-namespace": "shop" });
            manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] = json!("Helm");
            manifest["spec"]["template"]["metadata"]["annotations"] = json!({ "wave": number.to_string() });
            manifest
        };
        let helm = async |manifest: &Value| {
            let arguments = ["apply", "-n", &test.namespace, "-f", "-", "--field-manager=helm"];
            let kubectl = test.cluster.kubectl()?;
            kubectl
                .run_with_input(&arguments, &manifest.to_string())
                .await
                .map(drop)
        };
        for name in ["web", "api"] {
            helm(&part(name, 0)).await?;
        }
        for name in ["web", "api"] {
            until_rolled_out(&test.client, &test.namespace, name).await?;
        }
        let operator = operator(test).await?;
        let mut settling = policy(&["POD-009"]);
        settling["spec"]["remediation"]["settle"] = json!(format!("{SETTLE}s"));
        settling["spec"]["remediation"]["owners"] =
            json!({ "argoCD": "Cooperate", "flux": "Cooperate", "helm": "Cooperate", "controller": "Cooperate" });
        test.apply(&[settling]).await?;
        // The release goes on for longer than it takes `web` to settle; `web` itself does not change any more.
        for wave in 1..5 {
            helm(&part("api", wave)).await?;
            until_rolled_out(&test.client, &test.namespace, "api").await?;
            wait::throughout(Duration::from_secs(3), "between two waves", async || {
                let so_far = patches(&operator, test)?;
                ensure!(so_far == 0, "{so_far} patches in the middle of a release");
                Ok(())
            })
            .await?;
        }
        let last = last_write_of_the_owner(test)?;
        wait::until("the release is over, and repairs start", async || {
            ensure!(patches(&operator, test)? == 2, "not yet");
            Ok(())
        })
        .await?;
        let first = operator
            .requests(test)?
            .into_iter()
            .find(|entry| entry.is_write() && entry.resource() == "deployments")
            .context("a patch")?;
        let first: Timestamp = first.request_received_timestamp.parse()?;
        // Times in managedFields have whole seconds.
        ensure!(
            first.duration_since(last) >= SignedDuration::from_secs(SETTLE - 1),
            "patched at {first}, the owner wrote at {last}"
        );
        Ok(())
    })
    .await
}

fn last_write_of_the_owner(test: &Scenario<'_>) -> Result<Timestamp> {
    let entries = test.cluster.audit()?.entries()?;
    let writes = entries
        .iter()
        .filter(|entry| {
            entry.is_write() && entry.resource() == "deployments" && entry.uri.contains("fieldManager=helm")
        })
        .filter(|entry| {
            entry
                .object_ref
                .as_ref()
                .is_some_and(|it| it.namespace == test.namespace)
        });
    let last = writes.last().context("a write of the owner")?;
    Ok(last.request_received_timestamp.parse()?)
}

fn without_unavailable(workload: &ironside_e2e::workloads::Workload) -> Value {
    let mut manifest = workload.deployment();
    manifest["spec"]["strategy"] =
        json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
    manifest
}

/// A quota that is full before the repair keeps it from starting; more room lets it go.
async fn waits_for_room(quota: &[(&str, &str)], more: &[(&str, &str)]) -> Result<()> {
    scenario(async |test| {
        let web = steady("web").template(|template| {
            template["spec"]["containers"][0]["resources"] = json!({
                "requests": { "cpu": "100m", "memory": "64Mi" }, "limits": { "cpu": "1", "memory": "64Mi" },
            });
        });
        let hard = |of: &[(&str, &str)]| {
            let hard: serde_json::Map<String, Value> = of.iter().map(|(k, v)| ((*k).to_owned(), json!(v))).collect();
            json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "small" }, "spec": { "hard": hard } })
        };
        test.deliver(&hard(quota)).await?;
        test.deliver(&without_unavailable(&web)).await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        let waiting = until_it_stands(test, Phase::Pending, "NoRoom").await?;
        let message = waiting.status.unwrap_or_default().message;
        ensure!(message.contains("ResourceQuota small"), "{message}");
        nothing_starts(test, &operator).await?;
        ensure!(replica_sets(test).await? == 1, "a rollout");
        test.deliver(&hard(more)).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn story_18_a_quota_of_pods_without_room_for_the_surge() -> Result<()> {
    waits_for_room(&[("pods", "3")], &[("pods", "4")]).await
}

#[tokio::test]
async fn story_18_a_quota_of_cpu_without_room_for_the_surge() -> Result<()> {
    waits_for_room(&[("requests.cpu", "350m")], &[("requests.cpu", "0.4")]).await
}

#[tokio::test]
async fn story_18_a_quota_of_memory_without_room_for_the_surge() -> Result<()> {
    waits_for_room(
        &[("limits.memory", "0.2Gi"), ("requests.cpu", "10")],
        &[("limits.memory", "1Gi")],
    )
    .await
}

#[tokio::test]
async fn story_19_a_workload_that_fails_already_is_left_alone() -> Result<()> {
    scenario(async |test| {
        test.deliver(&steady("web").sim("never-ready", "true").deployment())
            .await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        until_it_stands(test, Phase::Pending, "Unhealthy").await?;
        nothing_starts(test, &operator).await?;
        test.deliver(&steady("web").deployment()).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn story_21_a_disruption_budget_with_nothing_to_give_is_waited_for() -> Result<()> {
    scenario(async |test| {
        let budget = |least: usize| {
            json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": { "name": "web" },
                "spec": { "minAvailable": least, "selector": { "matchLabels": { "app": "web" } } },
            })
        };
        test.deliver(&budget(3)).await?;
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        let waiting = until_it_stands(test, Phase::Pending, "DisruptionBudget").await?;
        let message = waiting.status.unwrap_or_default().message;
        ensure!(message.contains("PodDisruptionBudget web"), "{message}");
        nothing_starts(test, &operator).await?;
        test.deliver(&budget(2)).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pause_on_the_namespace_stops_starts() -> Result<()> {
    scenario(async |test| {
        let kubectl = test.cluster.kubectl()?;
        let pause = "hardening.ironside.dev/pause-until";
        let until = format!("{pause}=2099-01-01T00:00:00Z");
        kubectl.run(&["annotate", "namespace", &test.namespace, &until]).await?;
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        until_it_stands(test, Phase::Pending, "Paused").await?;
        nothing_starts(test, &operator).await?;
        // What cannot be read counts as paused.
        let malformed = format!("{pause}=tomorrow");
        kubectl
            .run(&["annotate", "--overwrite", "namespace", &test.namespace, &malformed])
            .await?;
        nothing_starts(test, &operator).await?;
        let status = remediation(test).await?.status.unwrap_or_default();
        if status.reason != "Paused" {
            bail!("{}: {}", status.reason, status.message);
        }
        let none = format!("{pause}-");
        kubectl.run(&["annotate", "namespace", &test.namespace, &none]).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}
