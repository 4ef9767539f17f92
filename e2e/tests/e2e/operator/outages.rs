//! Outages change nothing that is reported, and nothing is missed.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::ConditionStatus::True;
use ironside_crds::PolicyStatus;
use ironside_crds::conditions::types;
use ironside_e2e::cluster::{Component, Options};
use ironside_e2e::operator::Start;
use ironside_e2e::proxy::{Fault, Flow, Match, Proxy, Rule};
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{scenario, wait};
use serde_json::json;

use super::{apply, found, policy, says, stored, until_status};

/// Every condition with its status and the moment from which it holds.
fn holds(status: &PolicyStatus) -> Vec<(String, String, String)> {
    let conditions = status.conditions.iter();
    conditions
        .map(|c| {
            (
                c.type_.clone(),
                format!("{:?}", c.status),
                c.last_transition_time.to_string(),
            )
        })
        .collect()
}

#[tokio::test]
async fn spurious_refusals_after_an_outage_flip_nothing_and_lose_nothing() -> Result<()> {
    scenario(async |test| {
        apply(
            test,
            &[Workload::named("web").replicas(0).deployment(), policy(&json!({}))],
        )
        .await?;
        let proxy = Proxy::start(test.cluster).await?;
        let operator = Start::new(test).via(&proxy).ready().await?;
        let before = until_status(test, "judged", |status| says(status, types::READY, True, "Reconciled")).await?;
        let failing = found(test, &operator, "POD-009", "Fail").await?;

        // As an API server does that restarts: all connections break, and until it has read its RBAC objects everything is forbidden.
        let refused = proxy.inject(Rule::new(Match::any(), Fault::forbidden()));
        let cut = proxy.streams(&Match::any(), Flow::Cut);
        ensure!(cut > 10, "only {cut} watches were open");
        apply(test, &[Workload::named("meanwhile").replicas(0).deployment()]).await?;
        wait::until("refusals were met", async || {
            ensure!(refused.hits() > 40, "{}", refused.hits());
            Ok(())
        })
        .await?;
        refused.remove();
        wait::until("what happened meanwhile is known", async || {
            ensure!(found(test, &operator, "POD-009", "Fail").await? > failing, "not yet");
            Ok(())
        })
        .await?;
        wait::until("all watches are open again", async || {
            let metrics = operator.metrics().await?;
            let live = metrics.sum("ironside_watches", &[("standing", "Live")]);
            let all = metrics.sum("ironside_watches", &[]);
            ensure!(live == all, "{live:?} of {all:?}");
            Ok(())
        })
        .await?;
        let after = stored(test).await?.status.context("a status")?;
        ensure!(
            holds(&before) == holds(&after),
            "{:#?}\n{:#?}",
            holds(&before),
            holds(&after)
        );
        ensure!(
            operator
                .metrics()
                .await?
                .sum("ironside_permission_denied", &[])
                .is_none(),
            "nothing counts as denied"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn after_a_restart_of_the_api_server_everything_goes_on() -> Result<()> {
    let options = Options {
        nodes: 1,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        apply(
            test,
            &[Workload::named("web").replicas(1).deployment(), policy(&json!({}))],
        )
        .await?;
        let operator = Start::new(test).ready().await?;
        let before = until_status(test, "judged", |status| says(status, types::READY, True, "Reconciled")).await?;
        let failing = found(test, &operator, "POD-009", "Fail").await?;
        test.cluster.kill(Component::ApiServer).await?;
        test.cluster.restart(Component::ApiServer).await?;
        apply(test, &[Workload::named("afterwards").replicas(1).deployment()]).await?;
        wait::until("a change after the restart is known", async || {
            ensure!(found(test, &operator, "POD-009", "Fail").await? > failing, "not yet");
            Ok(())
        })
        .await?;
        wait::until("it leads again", async || {
            ensure!(
                operator.metrics().await?.sum("ironside_leader", &[]) == Some(1.0),
                "not yet"
            );
            Ok(())
        })
        .await?;
        let after = stored(test).await?.status.context("a status")?;
        ensure!(
            holds(&before) == holds(&after),
            "{:#?}\n{:#?}",
            holds(&before),
            holds(&after)
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_version_that_is_too_old_leads_to_a_new_list_without_ghosts() -> Result<()> {
    scenario(async |test| {
        apply(
            test,
            &[Workload::named("web").replicas(0).deployment(), policy(&json!({}))],
        )
        .await?;
        let proxy = Proxy::start(test.cluster).await?;
        let operator = Start::new(test).via(&proxy).ready().await?;
        wait::until("the failure is counted", async || {
            ensure!(found(test, &operator, "POD-009", "Fail").await? > 0.0, "not yet");
            Ok(())
        })
        .await?;
        // The watch stalls, the object goes away unseen, and the watch ends with 410: only the new list can tell.
        proxy.streams(&Match::resource("deployments"), Flow::Stalled);
        let kubectl = test.cluster.kubectl()?;
        kubectl
            .run(&["delete", "deployment", "web", "--namespace", &test.namespace])
            .await?;
        // The first list after it breaks off.
        let broken = proxy.inject(
            Rule::new(
                Match::resource("deployments").and(Match::verb("list")),
                Fault::LoseAnswer,
            )
            .times(1),
        );
        proxy.streams(&Match::resource("deployments"), Flow::Expired);
        wait::until("the object is gone", async || {
            ensure!(found(test, &operator, "POD-009", "Fail").await? < 0.1, "still there");
            Ok(())
        })
        .await?;
        ensure!(broken.hits() == 1, "the list did not break off");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn throttling_is_obeyed() -> Result<()> {
    scenario(async |test| {
        apply(test, &[policy(&json!({}))]).await?;
        let proxy = Proxy::start(test.cluster).await?;
        let lists = Match::resource("services").and(Match::verb("list"));
        let throttled = proxy.inject(Rule::new(lists, Fault::too_many_requests(4)));
        let operator = Start::new(test).via(&proxy).start().await?;
        wait::until("it was throttled", async || {
            ensure!(throttled.hits() >= 1, "not yet");
            Ok(())
        })
        .await?;
        wait::throughout(Duration::from_secs(3), "no request before the time is up", async || {
            ensure!(throttled.hits() == 1, "{} requests", throttled.hits());
            Ok(())
        })
        .await?;
        throttled.remove();
        operator.until_ready().await
    })
    .await
}
