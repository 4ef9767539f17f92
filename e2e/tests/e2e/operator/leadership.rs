//! One process leads and writes; the others take over without a gap in what is known.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ConditionStatus::{False, True};
use ironside_crds::conditions::types;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

use super::{apply, policy, says, until_status};

async fn lease(test: &Scenario<'_>) -> Result<Lease> {
    let leases: Api<Lease> = Api::namespaced(test.client.clone(), test.operator_namespace().await?);
    Ok(leases.get("ironside-operator").await?)
}

async fn leads(operator: &Operator) -> Result<bool> {
    Ok(operator.metrics().await?.sum("ironside_leader", &[]) == Some(1.0))
}

/// Writes that one operator made, its lease aside.
fn writes(test: &Scenario<'_>, operator: &Operator) -> Result<Vec<String>> {
    let entries = operator.requests(test)?;
    let writes = entries
        .iter()
        .filter(|entry| entry.is_write() && entry.resource() != "leases");
    // Asking what one may do is a create, and changes nothing.
    let writes = writes.filter(|entry| !entry.resource().starts_with("selfsubject"));
    Ok(writes
        .map(|entry| format!("{} {}", entry.verb, entry.resource()))
        .collect())
}

fn quick<'a>(test: &'a Scenario<'a>) -> Start<'a> {
    Start::new(test).flag("--lease-duration=3s").flag("--lease-renew=1s")
}

#[tokio::test]
async fn promise_08_of_two_replicas_one_writes_and_the_other_takes_over() -> Result<()> {
    scenario(async |test| {
        apply(
            test,
            &[Workload::named("web").replicas(0).deployment(), policy(&json!({}))],
        )
        .await?;
        let first = quick(test).ready().await?;
        wait::until("the first one leads", async || {
            ensure!(leads(&first).await?, "not yet");
            Ok(())
        })
        .await?;
        let second = quick(test).ready().await?;
        until_status(test, "the leader reports", |status| {
            says(status, types::READY, True, "Reconciled")
        })
        .await?;
        let epoch = lease(test).await?.spec.context("a spec")?.lease_transitions;

        ensure!(!leads(&second).await?, "two leaders");
        ensure!(
            writes(test, &second)?.is_empty(),
            "a follower wrote: {:?}",
            writes(test, &second)?
        );
        let judged = second.metrics().await?.sum("ironside_findings", &[]);
        ensure!(judged > Some(0.0), "a follower judges, too");

        first.kill();
        wait::until("the second one leads", async || {
            ensure!(leads(&second).await?, "not yet");
            Ok(())
        })
        .await?;
        let after = lease(test).await?.spec.context("a spec")?;
        ensure!(after.holder_identity.as_deref() == Some(second.identity()), "{after:?}");
        ensure!(
            after.lease_transitions > epoch,
            "a new term has a new number: {epoch:?}, {after:?}"
        );

        // What is known was not lost, and what is unchanged is not written again.
        ensure!(
            writes(test, &second)?.is_empty(),
            "written without a change: {:?}",
            writes(test, &second)?
        );
        apply(test, &[policy(&json!({ "suspend": true }))]).await?;
        until_status(test, "the new leader reports", |status| {
            says(status, types::READY, True, "Suspended")
        })
        .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_graceful_end_frees_the_lease_at_once() -> Result<()> {
    scenario(async |test| {
        // With such a lease a crash would cost two minutes.
        let long = || Start::new(test).flag("--lease-duration=120s").flag("--lease-renew=60s");
        let first = long().ready().await?;
        wait::until("the first one leads", async || {
            ensure!(leads(&first).await?, "not yet");
            Ok(())
        })
        .await?;
        let second = long().ready().await?;
        let exit = first.terminate().await?;
        ensure!(exit.code == Some(0), "{exit:?}");
        wait::until("the second one leads", async || {
            ensure!(leads(&second).await?, "not yet");
            Ok(())
        })
        .await
    })
    .await
}

#[tokio::test]
async fn a_leader_that_was_stopped_in_its_tracks_does_not_write_afterwards() -> Result<()> {
    scenario(async |test| {
        apply(test, &[policy(&json!({}))]).await?;
        let first = quick(test).ready().await?;
        until_status(test, "the first one reports", |status| {
            says(status, types::READY, True, "Reconciled")
        })
        .await?;
        let second = quick(test).ready().await?;
        first.suspend()?;
        wait::until("the second one leads", async || {
            ensure!(leads(&second).await?, "not yet");
            Ok(())
        })
        .await?;
        // A change that the stopped process will see the moment it goes on.
        apply(test, &[policy(&json!({ "suspend": true }))]).await?;
        until_status(test, "the second one reports", |status| {
            says(status, types::READY, True, "Suspended")
        })
        .await?;
        let before = writes(test, &first)?.len();
        first.resume()?;
        wait::until("the first one answers again", async || {
            ensure!(!leads(&first).await?, "it believes that it leads");
            Ok(())
        })
        .await?;
        wait::throughout(Duration::from_secs(3), "the former leader writes nothing", async || {
            let after = writes(test, &first)?;
            ensure!(after.len() == before, "{after:?}");
            ensure!(!leads(&first).await?, "two leaders");
            Ok(())
        })
        .await?;
        until_status(test, "nothing was overwritten", |status| {
            says(status, types::STALLED, False, "Reconciled")
        })
        .await?;
        Ok(())
    })
    .await
}
