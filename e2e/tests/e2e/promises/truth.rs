//! Tell the truth: four results with their reasons, evidence, conditions; and labels that stay bounded.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ConditionStatus::{False, True};
use ironside_crds::conditions::types;
use ironside_crds::{HardeningPolicy, Phase, PolicyStatus};
use ironside_e2e::binaries::workspace_program;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::proxy::{Fault, Match, Proxy, Rule};
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use super::until_of_it_stands;
use crate::fights::operator;
use crate::repair::{policy, steady, until_it_stands};

/// A watch that is broken for two minutes makes results stale.
const STALE_WITHIN: Duration = Duration::from_mins(5);

async fn status(test: &Scenario<'_>) -> Result<PolicyStatus> {
    let policies: Api<HardeningPolicy> = Api::namespaced(test.client.clone(), &test.namespace);
    policies.get("team").await?.status.context("no status yet")
}

async fn until_says(
    test: &Scenario<'_>,
    limit: Duration,
    type_: &str,
    holds: ironside_crds::ConditionStatus,
    reason: &str,
) -> Result<PolicyStatus> {
    wait::until_within(limit, &format!("{type_} is {holds:?} ({reason})"), async || {
        let status = status(test).await?;
        let condition = ironside_crds::conditions::get(&status.conditions, type_).context("not there")?;
        ensure!(condition.status == holds && condition.reason == reason, "{condition:?}");
        Ok(status)
    })
    .await
}

async fn findings(operator: &Operator, control: &str, result: &str) -> Result<f64> {
    let labels = [("control", control), ("result", result)];
    let metrics = operator.metrics().await?;
    Ok(metrics.sum("ironside_findings", &labels).unwrap_or_default())
}

/// What the command line says about the test's namespace.
async fn scan(test: &Scenario<'_>) -> Result<Value> {
    let output = tokio::process::Command::new(workspace_program("ironside")?)
        .args(["scan", "--cluster", "-n", &test.namespace, "--all", "-o", "json"])
        .env("KUBECONFIG", test.cluster.kubeconfig())
        .output()
        .await?;
    serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

fn result<'a>(scan: &'a Value, control: &str, name: &str) -> Result<&'a Value> {
    let results = scan["results"].as_array().context("results")?;
    let mut of_it = results
        .iter()
        .filter(|it| it["control"] == control && it["object"]["name"] == name);
    of_it.next().with_context(|| format!("no {control} of {name}"))
}

#[tokio::test]
async fn promise_09_four_results_and_what_is_unknown_says_why_and_lowers_coverage() -> Result<()> {
    scenario(async |test| {
        test.operator_namespace().await?;
        let closed = json!({ "allowPrivilegeEscalation": false });
        let windows = Workload::named("windows").replicas(0).template(|template| {
            template["spec"]["os"] = json!({ "name": "windows" });
        });
        test.apply(&[
            Workload::named("open").replicas(0).deployment(),
            Workload::named("closed")
                .replicas(0)
                .security_context(closed)
                .deployment(),
            windows.deployment(),
            policy(&["POD-009", "SA-001"]),
        ])
        .await?;
        let operator = Start::new(test).ready().await?;
        let before = wait::until("all is judged", async || {
            for (control, result) in [("POD-009", "Fail"), ("POD-009", "Pass"), ("POD-009", "NotApplicable")] {
                ensure!(
                    findings(&operator, control, result).await? > 0.9,
                    "no {control} {result}"
                );
            }
            let status = status(test).await?;
            ensure!(status.coverage_percent == Some(100), "{:?}", status.coverage_percent);
            status.score_percent.context("no score")?;
            Ok(status)
        })
        .await?;

        // Its account, which says whether the token is mounted, does not exist.
        let homeless = Workload::named("homeless").replicas(0).template(|template| {
            template["spec"]["serviceAccountName"] = json!("nobody");
            template["spec"]["containers"][0]["securityContext"] = json!({ "allowPrivilegeEscalation": false });
        });
        test.apply(&[homeless.deployment()]).await?;
        wait::until("it is Unknown", async || {
            ensure!(findings(&operator, "SA-001", "Unknown").await? > 0.9, "not yet");
            Ok(())
        })
        .await?;
        let after = wait::until_within(crate::repair::LONG, "the status counts it", async || {
            let status = status(test).await?;
            ensure!(
                status.controls.unknown + status.controls.failed > 0,
                "{:?}",
                status.controls
            );
            ensure!(status.coverage_percent < Some(100), "{:?}", status.coverage_percent);
            Ok(status)
        })
        .await?;
        // SA-001 fails elsewhere, so the one Unknown changes no other count; POD-009 gained a pass, SA-001 neither pass nor failure.
        ensure!(
            after.coverage_percent < before.coverage_percent,
            "{:?}",
            after.coverage_percent
        );

        let scan = scan(test).await?;
        let unknown = result(&scan, "SA-001", "homeless")?;
        ensure!(unknown["result"] == "Unknown", "{unknown}");
        let gap = &unknown["gaps"][0];
        ensure!(
            gap["reason"] == "ServiceAccountMissing" && gap["responsibility"] == "Self",
            "{unknown}"
        );
        ensure!(
            gap["message"].as_str().is_some_and(|it| it.contains("nobody")),
            "{unknown}"
        );
        for (name, expected) in [("open", "Fail"), ("closed", "Pass"), ("windows", "NotApplicable")] {
            let of_it = result(&scan, "POD-009", name)?;
            ensure!(of_it["result"] == expected, "{of_it}");
        }
        ensure!(
            result(&scan, "POD-009", "windows")?["reason"].is_string(),
            "not applicable says why"
        );

        // Visible again: judged again.
        let account = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": "nobody" } });
        test.apply(&[account]).await?;
        wait::until("it is judged", async || {
            ensure!(findings(&operator, "SA-001", "Unknown").await? < 0.1, "still Unknown");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn promise_09_unknown_never_raises_the_score() -> Result<()> {
    scenario(async |test| {
        test.operator_namespace().await?;
        let open = Workload::named("open").replicas(0);
        test.apply(&[open.deployment(), policy(&["SA-001"])]).await?;
        let operator = Start::new(test).ready().await?;
        let ratio = async |name: &str| -> Result<f64> {
            let metrics = operator.metrics().await?;
            metrics
                .sum(name, &[("policy", &format!("{}/team", test.namespace))])
                .context("no value")
        };
        wait::until("it is judged", async || {
            ensure!(findings(&operator, "SA-001", "Fail").await? > 0.9, "not yet");
            Ok(())
        })
        .await?;
        let score = ratio("ironside_compliance_score_ratio").await?;
        ensure!(ratio("ironside_coverage_ratio").await? > 0.99, "everything is visible");
        let homeless = Workload::named("homeless").replicas(0).template(|template| {
            template["spec"]["serviceAccountName"] = json!("nobody");
        });
        test.apply(&[homeless.deployment()]).await?;
        wait::until("coverage falls", async || {
            let coverage = ratio("ironside_coverage_ratio").await?;
            ensure!(coverage < 0.51, "{coverage}");
            Ok(())
        })
        .await?;
        let now = ratio("ironside_compliance_score_ratio").await?;
        ensure!((now - score).abs() < 1e-9, "{score} became {now}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_10_evidence_names_place_value_writer_and_time() -> Result<()> {
    scenario(async |test| {
        test.operator_namespace().await?;
        let open = steady("web")
            .replicas(1)
            .security_context(json!({ "allowPrivilegeEscalation": true }));
        let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
        let by = PostParams {
            field_manager: Some("pipeline".to_owned()),
            ..PostParams::default()
        };
        let created = deployments
            .create(&by, &serde_json::from_value(open.deployment())?)
            .await?;
        let written = created.metadata.managed_fields.unwrap_or_default();
        let written = written.into_iter().find(|it| it.manager.as_deref() == Some("pipeline"));
        let time = written.and_then(|it| it.time).context("a time")?.0.to_string();
        let mut preview = policy(&["POD-009"]);
        preview["spec"]["mode"] = json!("Preview");
        preview["spec"]["controls"][0]["mode"] = json!("Preview");
        test.apply(&[preview]).await?;
        let _operator = Start::new(test).ready().await?;

        let shown = until_it_stands(test, Phase::Pending, "Preview").await;
        let shown = match shown {
            Ok(shown) => shown,
            Err(_) => until_it_stands(test, Phase::Held, "FieldOwned").await?,
        };
        ensure!(
            shown.spec.target.name == "web" && shown.spec.target.kind == "Deployment",
            "{shown:?}"
        );
        let evidence = shown.status.and_then(|status| status.plan).context("a plan")?.evidence;
        let pointer = "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation";
        let expected = format!("{pointer}: true, expected false (pipeline, {time})");
        ensure!(evidence.contains(&expected), "{evidence:?} does not contain {expected}");

        let scan = scan(test).await?;
        let failed = result(&scan, "POD-009", "web")?;
        let seen = &failed["evidence"][0];
        for (field, value) in [
            ("pointer", json!(pointer)),
            ("container", json!("app")),
            ("observed", json!(true)),
            ("expected", json!("false")),
            ("manager", json!("pipeline")),
            ("time", json!(time)),
        ] {
            ensure!(seen[field] == value, "{field}: {seen}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_11_a_spec_that_can_never_work_is_stalled() -> Result<()> {
    scenario(async |test| {
        test.operator_namespace().await?;
        let mut impossible = policy(&["POD-009"]);
        impossible["spec"]["profile"] = json!({ "name": "NsaCisa", "version": "v99" });
        test.apply(&[impossible]).await?;
        let _operator = Start::new(test).ready().await?;
        let limit = crate::repair::LONG;
        let stalled = until_says(test, limit, types::STALLED, True, "UnknownProfile").await?;
        let message = ironside_crds::conditions::get(&stalled.conditions, types::STALLED);
        ensure!(message.is_some_and(|it| it.message.contains("v99")), "{message:?}");
        until_says(test, limit, types::READY, False, "UnknownProfile").await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        until_says(test, limit, types::STALLED, False, "Reconciled")
            .await
            .map(drop)
    })
    .await
}

#[tokio::test]
async fn promise_12_a_stale_watch_is_a_condition_and_a_metric() -> Result<()> {
    scenario(async |test| {
        test.operator_namespace().await?;
        test.apply(&[Workload::named("web").replicas(0).deployment(), policy(&["POD-009"])])
            .await?;
        let proxy = Proxy::start(test.cluster).await?;
        let operator = Start::new(test).via(&proxy).ready().await?;
        until_says(test, crate::repair::LONG, types::READY, True, "Reconciled").await?;
        let broken = proxy.inject(Rule::new(Match::resource("statefulsets"), Fault::internal_error()));
        proxy.streams(&Match::resource("statefulsets"), ironside_e2e::proxy::Flow::Cut);
        let labels = [("kind", "StatefulSet"), ("standing", "Interrupted")];
        wait::until("the metric shows it", async || {
            let metrics = operator.metrics().await?;
            ensure!(metrics.sum("ironside_watches", &labels) > Some(0.9), "not yet");
            Ok(())
        })
        .await?;
        let stale = until_says(test, STALE_WITHIN, types::READY, False, "Stale").await?;
        let ready = ironside_crds::conditions::get(&stale.conditions, types::READY);
        ensure!(
            ready.is_some_and(|it| it.message.contains("statefulsets.apps")),
            "{ready:?}"
        );
        let condition = [("type", "Ready"), ("status", "False")];
        wait::until("the condition is a metric", async || {
            let metrics = operator.metrics().await?;
            ensure!(
                metrics.sum("ironside_policy_condition", &condition) == Some(1.0),
                "not yet"
            );
            Ok(())
        })
        .await?;
        broken.remove();
        until_says(test, crate::repair::LONG, types::READY, True, "Reconciled")
            .await
            .map(drop)
    })
    .await
}

#[tokio::test]
async fn promise_12_plans_without_room_for_a_remediation_are_a_condition_and_a_metric() -> Result<()> {
    scenario(async |test| {
        test.operator_namespace().await?;
        // Not repaired and so many that they do not all get a remediation: half of the 20 of a namespace.
        let many: Vec<Value> = (0..12)
            .map(|number| Workload::named(&format!("agent-{number}")).daemon_set())
            .collect();
        let mut audited = policy(&["POD-009"]);
        audited["spec"]["mode"] = json!("Audit");
        audited["spec"]["controls"][0]["mode"] = json!("Audit");
        test.apply(&many).await?;
        test.apply(&[audited]).await?;
        let operator = Start::new(test).ready().await?;
        until_says(test, crate::repair::LONG, types::PLANS_RECORDED, True, "Recorded").await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        until_says(test, crate::repair::LONG, types::PLANS_RECORDED, False, "LimitReached").await?;
        wait::until("it is a metric", async || {
            let metrics = operator.metrics().await?;
            let unrecorded = metrics.sum("ironside_plans_unrecorded", &[]);
            ensure!(unrecorded == Some(2.0), "{unrecorded:?}");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn promise_13_metrics_name_no_object() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("unmistakable")).await?;
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009", "SA-001"])]).await?;
        until_of_it_stands(test, "unmistakable", Phase::Succeeded, "Verified").await?;
        ensure!(findings(&operator, "POD-009", "Pass").await? > 0.9, "it is counted");
        let text = operator.get("/metrics").await?;
        ensure!(text.lines().count() > 100, "hardly any metrics");
        let named: Vec<&str> = text.lines().filter(|line| line.contains("unmistakable")).collect();
        ensure!(named.is_empty(), "{named:?}");
        Ok(())
    })
    .await
}
