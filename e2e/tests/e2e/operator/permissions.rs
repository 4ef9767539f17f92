//! A missing permission is a condition and a gap, never a crash, and heals when it is granted.

use anyhow::{Result, ensure};
use ironside_crds::ConditionStatus::{False, True};
use ironside_crds::conditions::types;
use ironside_e2e::cluster::Options;
use ironside_e2e::operator::Start;
use ironside_e2e::proxy::{Fault, Match, Proxy, Rule};
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{scenario, wait};
use serde_json::json;

use super::{apply, condition, policy, says, until_status};

#[tokio::test]
async fn promise_14_a_missing_permission_is_a_condition_and_a_gap_and_heals() -> Result<()> {
    scenario(async |test| {
        apply(
            test,
            &[Workload::named("web").replicas(0).deployment(), policy(&json!({}))],
        )
        .await?;
        let proxy = Proxy::start(test.cluster).await?;
        let refused = proxy.inject(Rule::new(Match::resource("cronjobs"), Fault::forbidden()));
        let operator = Start::new(test).via(&proxy).ready().await?;
        let status = until_status(test, "the refusal shows", |status| {
            says(status, types::PERMISSIONS_GRANTED, False, "PermissionDenied")?;
            says(status, types::READY, True, "Reconciled")
        })
        .await?;
        let message = &condition(&status, types::PERMISSIONS_GRANTED)?.message;
        ensure!(message.contains("cronjobs.batch"), "{message}");
        ensure!(
            status.coverage_percent < Some(100),
            "what was not seen lowers coverage: {status:?}"
        );
        ensure!(
            status.controls.failed > 0,
            "everything else is judged: {:?}",
            status.controls
        );
        let denied = [("resource", "cronjobs.batch"), ("verb", "watch")];
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_permission_denied", &denied) == Some(1.0),
            "it is a metric"
        );

        refused.remove();
        let status = until_status(test, "the permission that was granted shows", |status| {
            says(status, types::PERMISSIONS_GRANTED, True, "Granted")
        })
        .await?;
        ensure!(status.coverage_percent == Some(100), "{status:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_12_a_missing_right_to_repair_is_a_condition_and_a_metric() -> Result<()> {
    scenario(async |test| {
        let spec = json!({ "mode": "Enforce", "remediation": { "autoApprove": "None" } });
        apply(test, &[Workload::named("web").replicas(0).deployment(), policy(&spec)]).await?;
        let proxy = Proxy::start(test.cluster).await?;
        let without = proxy.inject(Rule::new(
            Match::resource("selfsubjectrulesreviews"),
            Fault::no_rights(),
        ));
        let operator = Start::new(test).via(&proxy).ready().await?;
        let status = until_status(test, "the missing right shows", |status| {
            says(status, types::PERMISSIONS_GRANTED, False, "PermissionDenied")
        })
        .await?;
        let message = &condition(&status, types::PERMISSIONS_GRANTED)?.message;
        ensure!(message.contains("patch deployments.apps"), "{message}");
        let denied = [("resource", "deployments.apps"), ("verb", "patch")];
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_permission_denied", &denied) == Some(1.0),
            "it is a metric"
        );
        without.remove();
        until_status(test, "the right that was granted shows", |status| {
            says(status, types::PERMISSIONS_GRANTED, True, "Granted")
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn definitions_older_than_the_operator_are_named_and_the_right_ones_heal() -> Result<()> {
    let options = Options {
        workloads: false,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        test.operator_namespace().await?;
        let kubectl = test.cluster.kubectl()?;
        let name = "hardeningpolicies.hardening.ironside.dev";
        let old = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/threats";
        let patch = json!([{ "op": "remove", "path": old }]).to_string();
        kubectl
            .run(&[
                "patch",
                "customresourcedefinition",
                name,
                "--type=json",
                "--patch",
                &patch,
            ])
            .await?;
        apply(test, &[policy(&json!({}))]).await?;
        let operator = Start::new(test).start().await?;
        wait::until("the operator says that the definitions are old", async || {
            let error = match operator.get("/readyz").await {
                Ok(_) => anyhow::bail!("ready"),
                Err(error) => format!("{error:?}"),
            };
            ensure!(error.contains("older than this operator"), "{error}");
            Ok(())
        })
        .await?;
        let definitions = ironside_e2e::install::repository()
            .join("config/crd")
            .display()
            .to_string();
        kubectl
            .run(&["apply", "--server-side", "--force-conflicts", "-k", &definitions])
            .await?;
        operator.until_ready().await?;
        until_status(test, "the whole status", |status| {
            ensure!(status.threats.len() == 3, "{:?}", status.threats);
            Ok(())
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn without_definitions_the_operator_waits_and_says_what_to_apply() -> Result<()> {
    scenario(async |test| {
        let proxy = Proxy::start(test.cluster).await?;
        let own = Match::when(|request| request.group == "hardening.ironside.dev");
        let missing = proxy.inject(Rule::new(
            own,
            Fault::status(404, "NotFound", "the server could not find the requested resource"),
        ));
        let operator = Start::new(test).via(&proxy).start().await?;
        wait::until("the operator says what is missing", async || {
            let line = operator.log()?.into_iter().find(|line| line["level"] == "ERROR");
            let line = line.ok_or_else(|| anyhow::anyhow!("nothing yet"))?;
            ensure!(
                line["message"].as_str().is_some_and(|text| text.contains("config/crd")),
                "{line}"
            );
            Ok(())
        })
        .await?;
        ensure!(operator.get("/readyz").await.is_err(), "not ready without its kinds");
        operator.get("/healthz").await?;
        missing.remove();
        operator.until_ready().await?;
        apply(test, &[policy(&json!({}))]).await?;
        until_status(test, "it works now", |status| {
            says(status, types::READY, True, "Reconciled")
        })
        .await?;
        Ok(())
    })
    .await
}
