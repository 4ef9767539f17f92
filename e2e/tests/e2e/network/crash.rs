//! The operator is killed (-9) once before and once after each of its effects on the way through an isolation, and through one that breaks a workload and is
//! taken back. The next process ends in the same state, with one attempt, and nothing is left half done.

use anyhow::{Context as _, Result, bail, ensure};
use ironside_crds::HardeningRemediation;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::proxy::{Course, Moment, Proxy};
use ironside_e2e::workloads::until_rolled_out;
use ironside_e2e::{Scenario, scenario, wait};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use super::{DENY, POLICY, Starved, apply, names, record, shop, until_phase, written};

/// More effects than any isolation has.
const MOST: usize = 30;

#[tokio::test]
async fn killed_after_each_effect_of_an_isolation() -> Result<()> {
    scenario(async |at| at_each_effect(at, Moment::AfterAnswer, false).await).await
}

#[tokio::test]
async fn killed_before_each_effect_of_an_isolation() -> Result<()> {
    scenario(async |at| at_each_effect(at, Moment::BeforeForwarding, false).await).await
}

#[tokio::test]
async fn killed_after_each_effect_of_an_isolation_that_is_taken_back() -> Result<()> {
    scenario(async |at| at_each_effect(at, Moment::AfterAnswer, true).await).await
}

#[tokio::test]
async fn killed_before_each_effect_of_an_isolation_that_is_taken_back() -> Result<()> {
    scenario(async |at| at_each_effect(at, Moment::BeforeForwarding, true).await).await
}

/// One isolation after the other; the operator dies at an effect at which it did not die before, until there is none left.
async fn at_each_effect(at: &Scenario<'_>, moment: Moment, breaks: bool) -> Result<()> {
    let _starved = breaks.then(|| Starved::begin(at));
    shop(at).await?;
    at.cluster
        .kubectl()?
        .run(&["delete", "hpol", "team", "-n", &at.namespace])
        .await?;
    let proxy = Proxy::start(at.cluster).await?;
    let mut operator = Start::new(at).via(&proxy).short_lease().ready().await?;
    let course = Course::default();
    let mut deaths: Vec<String> = Vec::new();
    for _ in 1..=MOST {
        let strike = course.strike(&proxy, moment, operator.killer());
        apply(at, POLICY).await?;
        let fell = wait::until("the operator dies, or is done", async || {
            match (strike.fell_at(), ended(at, breaks).await) {
                (Some(request), _) => Ok(Some(request)),
                (None, Ok(_)) => Ok(None),
                (None, Err(error)) => Err(error),
            }
        })
        .await?;
        let Some(request) = fell else {
            let at_policies = deaths.iter().filter(|at| at.contains("/networkpolicies/")).count();
            let wanted = if breaks { 4 } else { 2 };
            ensure!(
                at_policies >= wanted,
                "killed at {at_policies} writes of policies only: {deaths:#?}"
            );
            return Ok(());
        };
        deaths.push(format!("{} {}", request.verb, request.path));
        operator.restart().await?;
        came_out_right(at, breaks)
            .await
            .with_context(|| format!("killed at {}", deaths[deaths.len() - 1]))?;
        begin_again(at, &operator).await?;
    }
    bail!("an isolation with more than {MOST} effects: {deaths:#?}")
}

async fn ended(at: &Scenario<'_>, breaks: bool) -> Result<Value> {
    let status = record(at).await?;
    let end = if breaks {
        ("Held", "Quarantined")
    } else {
        ("Succeeded", "Verified")
    };
    ensure!(
        status["phase"] == end.0 && status["reason"] == end.1,
        "it is {} ({}): {}",
        status["phase"],
        status["reason"],
        status["message"]
    );
    Ok(status)
}

async fn came_out_right(at: &Scenario<'_>, breaks: bool) -> Result<()> {
    let status = wait::until("it ends as if nothing had happened", async || ended(at, breaks).await).await?;
    ensure!(status["attempt"]["id"] == 1, "not one attempt: {}", status["attempt"]);
    let failures = status["memory"]["failures"].as_array().map_or(0, Vec::len);
    ensure!(failures == usize::from(breaks), "{}", status["memory"]);
    let names = names(at).await?;
    if breaks {
        ensure!(names.is_empty(), "{names:?}");
    } else {
        ensure!(names.len() == 2 && names.iter().any(|name| name == DENY), "{names:?}");
    }
    until_rolled_out(&at.client, &at.namespace, "web").await.map(drop)
}

/// Takes the policy and the record away, until the operator knows of nothing.
async fn begin_again(at: &Scenario<'_>, operator: &Operator) -> Result<()> {
    let kubectl = at.cluster.kubectl()?;
    kubectl.run(&["delete", "hpol", "team", "-n", &at.namespace]).await?;
    until_phase(at, "Closed", "PolicyGone").await?;
    let api: Api<HardeningRemediation> = Api::namespaced(at.client.clone(), &at.namespace);
    for remediation in api.list(&ListParams::default()).await? {
        let name = remediation.metadata.name.unwrap_or_default();
        api.delete(&name, &DeleteParams::default()).await?;
    }
    wait::until("everything is as before", async || {
        ensure!(names(at).await?.is_empty(), "{:?}", names(at).await?);
        ensure!(api.list(&ListParams::default()).await?.items.is_empty());
        Ok(())
    })
    .await?;
    ensure!(!written(at, operator)?.is_empty());
    // The operator has seen that, too, when a change of its own namespace comes through.
    let mark = json!({"metadata": {"annotations": {"example.com/round": written(at, operator)?.len().to_string()}}});
    let arguments = [
        "patch",
        "namespace",
        &at.namespace,
        "--type=merge",
        "-p",
        &mark.to_string(),
    ];
    kubectl.run(&arguments).await.map(drop)
}
