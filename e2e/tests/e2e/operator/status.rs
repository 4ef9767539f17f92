//! Status, metrics and events say what is so.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ConditionStatus::{False, True, Unknown};
use ironside_crds::conditions::types;
use ironside_e2e::operator::Start;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use super::{apply, condition, found, label, policy, says, stored, until_status};

/// A container that the control POD-009 passes.
fn closed() -> Workload {
    Workload::named("web")
        .replicas(1)
        .security_context(json!({ "allowPrivilegeEscalation": false }))
}

async fn set_escalation(test: &Scenario<'_>, value: bool) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
    let field = "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation";
    let patch: Value = json!([{ "op": "replace", "path": field, "value": value }]);
    let parameters = PatchParams {
        field_manager: Some("kubectl-edit".to_owned()),
        ..PatchParams::default()
    };
    let patch = Patch::Json::<()>(serde_json::from_value(patch)?);
    deployments.patch("web", &parameters, &patch).await?;
    Ok(())
}

#[tokio::test]
async fn promise_11_ready_means_working_and_compliance_is_its_own_condition() -> Result<()> {
    scenario(async |test| {
        apply(test, &[Workload::named("web").deployment(), policy(&json!({}))]).await?;
        let operator = Start::new(test).ready().await?;
        let status = until_status(test, "the policy was judged", |status| {
            says(status, types::READY, True, "Reconciled")?;
            says(status, types::COMPLIANT, False, "ControlsFailed")?;
            says(status, types::STALLED, False, "Reconciled")?;
            says(status, types::RECONCILING, False, "Reconciled")?;
            says(status, types::PERMISSIONS_GRANTED, True, "Granted")?;
            says(status, types::APPROVAL_GUARDED, True, "Guarded")
        })
        .await?;
        let score = status.score_percent.context("a score")?;
        ensure!(score < 100, "something fails, so the score is below 100: {score}");
        ensure!(
            status.coverage_percent == Some(100),
            "everything could be looked at: {status:?}"
        );
        ensure!(
            status.controls.failed > 0 && status.controls.unknown == 0,
            "{:?}",
            status.controls
        );
        ensure!(status.components.len() == 10 && status.threats.len() == 3, "{status:?}");

        let metrics = operator.metrics().await?;
        let ratio = metrics.sum("ironside_compliance_score_ratio", &[("policy", &label(test))]);
        let ratio = ratio.context("the score is a metric, too")?;
        ensure!((0.0..1.0).contains(&ratio), "{ratio}");
        ensure!(
            found(test, &operator, "POD-009", "Fail").await? >= 1.0,
            "the failure is counted"
        );
        ensure!(
            metrics.sum("ironside_panics_total", &[]) == Some(0.0),
            "nothing panicked"
        );

        // Messages carry no counters and no times: one more failing workload changes counts, never a message.
        let messages: Vec<String> = status.conditions.iter().map(|c| c.message.clone()).collect();
        apply(test, &[Workload::named("another").deployment()]).await?;
        wait::until("the second failure is counted", async || {
            ensure!(found(test, &operator, "POD-009", "Fail").await? >= 2.0, "not yet");
            Ok(())
        })
        .await?;
        let later = until_status(test, "the status has a score", |status| {
            status.score_percent.map(drop).context("a score")
        })
        .await?;
        ensure!(messages == later.conditions.iter().map(|c| c.message.clone()).collect::<Vec<_>>());
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_change_is_counted_as_soon_as_it_is_seen_and_drift_becomes_an_event() -> Result<()> {
    scenario(async |test| {
        apply(test, &[closed().deployment(), policy(&json!({}))]).await?;
        let operator = Start::new(test).ready().await?;
        wait::until("the workload passes", async || {
            ensure!(
                (found(test, &operator, "POD-009", "Pass").await? - 1.0).abs() < 0.1,
                "not yet"
            );
            Ok(())
        })
        .await?;
        let began = Instant::now();
        set_escalation(test, true).await?;
        wait::until("the failure is counted", async || {
            ensure!(found(test, &operator, "POD-009", "Fail").await? > 0.0, "not yet");
            Ok(())
        })
        .await?;
        println!("a change showed in the metrics {:?} after it was sent", began.elapsed());

        let metrics = operator.metrics().await?;
        let by_a_person = [("control", "POD-009"), ("actor_class", "human")];
        ensure!(
            metrics.sum("ironside_drift_total", &by_a_person) == Some(1.0),
            "drift names who did it"
        );
        let events: Api<Event> = Api::namespaced(test.client.clone(), &test.namespace);
        let about_drift = ListParams::default().fields("reason=DriftDetected");
        let event = wait::until("the drift is an event", async || {
            let events = events.list(&about_drift).await?;
            events.items.into_iter().next().context("none yet")
        })
        .await?;
        ensure!(
            event.regarding.as_ref().and_then(|of| of.name.as_deref()) == Some("web"),
            "{event:?}"
        );
        ensure!(
            event.note.as_deref().is_some_and(|note| note.contains("POD-009")),
            "{event:?}"
        );
        ensure!(event.reporting_controller.as_deref() == Some("ironside"), "{event:?}");

        set_escalation(test, false).await?;
        wait::until("the repair by hand is counted", async || {
            ensure!(found(test, &operator, "POD-009", "Fail").await? < 0.1, "not yet");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_spec_that_cannot_work_says_what_to_write_and_the_rest_of_it_works() -> Result<()> {
    scenario(async |test| {
        let spec = json!({
            "controls": [
                { "id": "POD-999", "mode": "Audit" },
                { "id": "POD-009", "mode": "Audit", "parameters": { "nonsense": ["1"] } },
            ],
            "remediation": { "windows": [{ "name": "night", "schedule": "99 2 * * *", "duration": "2h" }] },
        });
        apply(test, &[Workload::named("web").deployment(), policy(&spec)]).await?;
        let _operator = Start::new(test).ready().await?;
        let status = until_status(test, "the problems are reported", |status| {
            ensure!(condition(status, types::CONTROLS_RESOLVED)?.status == False, "not yet");
            says(status, types::STALLED, False, "Reconciled")?;
            says(status, types::READY, True, "Reconciled")
        })
        .await?;
        let message = &condition(&status, types::CONTROLS_RESOLVED)?.message;
        for named in ["POD-999", "nonsense", "99 2 * * *"] {
            ensure!(message.contains(named), "{named} is not named in: {message}");
        }
        ensure!(
            status.controls.failed > 0,
            "the rest of the policy works: {:?}",
            status.controls
        );

        apply(test, &[policy(&json!({}))]).await?;
        until_status(test, "a corrected spec is fine", |status| {
            says(status, types::CONTROLS_RESOLVED, True, "Resolved")
        })
        .await
        .map(drop)
    })
    .await
}

#[tokio::test]
async fn promise_12_zero_results_are_not_a_pass() -> Result<()> {
    scenario(async |test| {
        let nothing = json!({ "profile": { "name": "None" } });
        apply(test, &[policy(&nothing)]).await?;
        let _operator = Start::new(test).ready().await?;
        let status = until_status(test, "the policy was looked at", |status| {
            says(status, types::READY, True, "Reconciled")?;
            says(status, types::COMPLIANT, Unknown, "Incomplete")
        })
        .await?;
        ensure!(
            status.score_percent.is_none() && status.coverage_percent.is_none(),
            "{status:?}"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_pause_is_a_condition_and_malformed_counts_as_paused() -> Result<()> {
    scenario(async |test| {
        apply(test, &[policy(&json!({}))]).await?;
        let _operator = Start::new(test).ready().await?;
        let kubectl = test.cluster.kubectl()?;
        let pause = async |value: &str| {
            let annotation = format!("hardening.ironside.dev/pause-until={value}");
            let of = [
                "annotate",
                "--overwrite",
                "hpol",
                "team",
                "--namespace",
                &test.namespace,
                &annotation,
            ];
            kubectl.run(&of).await.map(drop)
        };
        pause("2099-01-01T00:00:00Z").await?;
        until_status(test, "the pause shows", |status| {
            says(status, types::PAUSED, True, "PausedByAnnotation")
        })
        .await?;
        pause("tomorrow").await?;
        until_status(test, "a malformed pause counts", |status| {
            says(status, types::PAUSED, True, "MalformedPause")
        })
        .await?;
        pause("2020-01-01T00:00:00Z").await?;
        until_status(test, "a pause in the past is none", |status| {
            says(status, types::PAUSED, False, "Running")
        })
        .await?;

        let namespace = test.operator_namespace().await?;
        let switch = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "ironside-pause",
                "annotations": { "hardening.ironside.dev/pause-until": "2099-01-01T00:00:00Z" },
            },
        });
        kubectl
            .run_with_input(&["apply", "--namespace", namespace, "-f", "-"], &switch.to_string())
            .await?;
        until_status(test, "the switch pauses all", |status| {
            says(status, types::PAUSED, True, "PausedByCommand")
        })
        .await?;
        kubectl
            .run(&["delete", "configmap", "ironside-pause", "--namespace", namespace])
            .await?;
        until_status(test, "taken back", |status| {
            says(status, types::PAUSED, False, "Running")
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn status_is_written_only_on_change() -> Result<()> {
    scenario(async |test| {
        apply(
            test,
            &[Workload::named("web").replicas(0).deployment(), policy(&json!({}))],
        )
        .await?;
        let operator = Start::new(test).ready().await?;
        until_status(test, "the policy was judged", |status| {
            says(status, types::COMPLIANT, False, "ControlsFailed")
        })
        .await?;
        // The rollout of the workload may still change counts once; after that nothing does.
        let settled = wait::until("the status is quiet", async || {
            let before = stored(test).await?.metadata.resource_version;
            tokio::time::sleep(Duration::from_secs(3)).await;
            let after = stored(test).await?.metadata.resource_version;
            ensure!(before == after, "still written to");
            Ok(after)
        })
        .await?;
        let patch = json!({ "metadata": { "annotations": { "example.com/note": "x" } } });
        let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
        let evaluated = async || {
            let metrics = operator.metrics().await?;
            anyhow::Ok(metrics.sum("ironside_objects_evaluated_total", &[("kind", "Deployment")]))
        };
        let before = evaluated().await?;
        deployments
            .patch("web", &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        set_image(&deployments).await?;
        wait::until("the change was judged", async || {
            ensure!(evaluated().await? > before, "not yet");
            Ok(())
        })
        .await?;
        wait::throughout(
            Duration::from_secs(2),
            "no write without a change of the status",
            async || {
                ensure!(
                    stored(test).await?.metadata.resource_version == settled,
                    "it was written"
                );
                Ok(())
            },
        )
        .await
    })
    .await
}

async fn set_image(deployments: &Api<Deployment>) -> Result<()> {
    let image = json!([{ "op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "registry.example.com/web:2.0" }]);
    let patch = Patch::Json::<()>(serde_json::from_value(image)?);
    deployments.patch("web", &PatchParams::default(), &patch).await?;
    Ok(())
}
