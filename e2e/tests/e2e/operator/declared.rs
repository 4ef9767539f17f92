//! What people declare beside policies: exceptions, and policies for the cluster.

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ConditionStatus::{False, True};
use ironside_crds::conditions::{get, types};
use ironside_crds::{ClusterHardeningPolicy, HardeningException};
use ironside_e2e::cluster::Options;
use ironside_e2e::operator::Start;
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, scenario, wait};
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use serde_json::{Value, json};

use super::{apply, found, policy, says, until_status};

fn exception(name: &str, target: &str, expires_at: Timestamp) -> Value {
    let expires_at = expires_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "HardeningException",
        "metadata": { "name": name },
        "spec": {
            "controls": ["POD-009"],
            "targets": [{ "kind": "Deployment", "name": target }],
            "reason": "needs setuid helpers until 2.0",
            "expiresAt": expires_at,
        },
    })
}

async fn until_effective(test: &Scenario<'_>, name: &str, effective: bool, reason: &str) -> Result<HardeningException> {
    let exceptions: Api<HardeningException> = Api::namespaced(test.client.clone(), &test.namespace);
    wait::until(&format!("exception {name} is {reason}"), async || {
        let exception = exceptions.get(name).await?;
        let status = exception.status.as_ref().context("no status yet")?;
        let condition = get(&status.conditions, types::EFFECTIVE).context("no condition yet")?;
        let expected = if effective { True } else { False };
        ensure!(
            condition.status == expected && condition.reason == reason,
            "{condition:?}"
        );
        Ok(exception)
    })
    .await
}

#[tokio::test]
async fn an_exception_counts_until_the_moment_it_expires() -> Result<()> {
    scenario(async |test| {
        let later = Timestamp::now() + SignedDuration::from_hours(24);
        let objects = [
            Workload::named("web").replicas(0).deployment(),
            policy(&json!({})),
            exception("web", "web", later),
            exception("typo", "wbe", later),
        ];
        apply(test, &objects).await?;
        let operator = Start::new(test).ready().await?;
        until_effective(test, "typo", false, "NoMatch").await?;
        let web = until_effective(test, "web", true, "Expiring").await?;
        let status = web.status.context("a status")?;
        ensure!(status.matched == 1, "{status:?}");
        ensure!(status.effective_until.is_some(), "{status:?}");
        ensure!(
            found(test, &operator, "POD-009", "Excepted").await? > 0.9,
            "it counts as excepted"
        );
        ensure!(
            found(test, &operator, "POD-009", "Fail").await? < 0.1,
            "and not as failed"
        );

        // Nobody touches anything from here on: the clock alone ends it.
        let soon = Timestamp::now() + SignedDuration::from_secs(4);
        apply(test, &[exception("web", "web", soon)]).await?;
        until_effective(test, "web", false, "Expired").await?;
        ensure!(
            found(test, &operator, "POD-009", "Fail").await? > 0.9,
            "it is judged again"
        );
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_exceptions", &[("state", "expired")]) == Some(1.0),
            "it is a metric"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_cluster_policy_judges_the_namespaces_it_selects_and_names_those_it_leaves_out() -> Result<()> {
    let options = Options {
        nodes: 1,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        let baseline = json!({
            "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "ClusterHardeningPolicy",
            "metadata": { "name": "baseline" },
            "spec": { "excludeNamespaces": ["default"] },
        });
        apply(test, &[Workload::named("web").deployment(), policy(&json!({}))]).await?;
        test.cluster
            .kubectl()?
            .run_with_input(&["apply", "-f", "-"], &baseline.to_string())
            .await?;
        let operator = Start::new(test).watch_everything().ready().await?;
        let policies: Api<ClusterHardeningPolicy> = Api::all(test.client.clone());
        let status = wait::until("the cluster policy was judged", async || {
            let status = policies.get("baseline").await?.status.context("no status yet")?;
            says(&status, types::READY, True, "Reconciled")?;
            ensure!(status.controls.failed > 0, "nothing fails yet");
            Ok(status)
        })
        .await?;
        for system in ["default", "kube-system"] {
            ensure!(
                status.exempt_namespaces.contains(system),
                "{system} is not in {:?}",
                status.exempt_namespaces
            );
        }
        ensure!(
            !status.exempt_namespaces.contains(&test.namespace),
            "{:?}",
            status.exempt_namespaces
        );
        until_status(test, "the team's policy is judged beside it", |status| {
            ensure!(status.controls.failed > 0, "nothing fails yet");
            Ok(())
        })
        .await?;
        let labels = [
            ("policy", "baseline"),
            ("target_namespace", test.namespace.as_str()),
            ("result", "Fail"),
        ];
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_findings", &labels) > Some(0.0),
            "no findings of the cluster policy"
        );
        ensure!(
            metrics
                .sum("ironside_findings", &[("target_namespace", "kube-system")])
                .is_none(),
            "system namespaces are left out"
        );

        policies.delete("baseline", &kube::api::DeleteParams::default()).await?;
        wait::until("its findings are gone with it", async || {
            let metrics = operator.metrics().await?;
            ensure!(
                metrics.sum("ironside_findings", &[("policy", "baseline")]).is_none(),
                "still there"
            );
            ensure!(
                metrics.sum("ironside_policy_info", &[("policy", "baseline")]).is_none(),
                "still there"
            );
            Ok(())
        })
        .await
    })
    .await
}
