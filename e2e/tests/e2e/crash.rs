//! The operator is killed (-9) once at each of its effects on the way through a repair and through a rollback. Whatever it was about to do or had just done,
//! the next process ends in the same state, with one rollout, and nothing is left half done.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ironside_crds::{HardeningRemediation, Phase};
use ironside_e2e::audit::Entry;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::proxy::{Moment, Proxy};
use ironside_e2e::workloads::{Workload, available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::Api;
use kube::api::{DeleteParams, ListParams};
use serde_json::{Value, json};

use crate::repair::{policy, steady, template};

/// More effects than any repair has.
const MOST: usize = 20;

#[tokio::test]
async fn killed_after_each_effect_of_a_repair() -> Result<()> {
    scenario(async |test| at_each_effect(test, Moment::AfterAnswer, &repaired()).await).await
}

#[tokio::test]
async fn killed_before_each_effect_of_a_repair() -> Result<()> {
    scenario(async |test| at_each_effect(test, Moment::BeforeForwarding, &repaired()).await).await
}

#[tokio::test]
async fn killed_after_each_effect_of_a_rollback() -> Result<()> {
    scenario(async |test| at_each_effect(test, Moment::AfterAnswer, &rolled_back()).await).await
}

#[tokio::test]
async fn killed_before_each_effect_of_a_rollback() -> Result<()> {
    scenario(async |test| at_each_effect(test, Moment::BeforeForwarding, &rolled_back()).await).await
}

/// What must come out, whatever was killed.
struct End {
    workload: fn(&str) -> Workload,
    phase: Phase,
    reason: &'static str,
    /// Patches of the Deployment that the API server accepted.
    patches: usize,
    hardened: Value,
}

fn repaired() -> End {
    End {
        workload: steady,
        phase: Phase::Succeeded,
        reason: "Verified",
        patches: 1,
        hardened: json!(false),
    }
}

fn rolled_back() -> End {
    End {
        workload: |name| steady(name).sim("needs-caps", "NET_RAW"),
        phase: Phase::Held,
        reason: "Quarantined",
        patches: 2,
        hardened: Value::Null,
    }
}

/// One workload after the other; the operator dies at the first effect of the first, the second of the second, and so on until one has no such effect.
async fn at_each_effect(test: &Scenario<'_>, moment: Moment, end: &End) -> Result<()> {
    let proxy = Proxy::start(test.cluster).await?;
    let mut operator = Start::new(test)
        .via(&proxy)
        .flag("--lease-duration=3s")
        .flag("--lease-renew=2s")
        .ready()
        .await?;
    test.apply(&[policy(&["POD-009", "POD-011"])]).await?;
    let mut deaths = Vec::new();
    for number in 1..=MOST {
        let name = format!("web-{number}");
        let strike = proxy.strike(number, moment, operator.killer());
        available_deployment(&test.client, &test.namespace, &(end.workload)(&name)).await?;
        let fell = wait::until("the operator dies, or is done", async || {
            match (strike.fell_at(), stands(test, &name, end).await) {
                (Some(request), _) => Ok(Some(request)),
                (None, Ok(_)) => Ok(None),
                (None, Err(error)) => Err(error),
            }
        })
        .await?;
        let Some(request) = fell else {
            ensure!(
                deaths.iter().any(|at: &String| at.contains("/deployments/")),
                "never killed at its patch: {deaths:#?}"
            );
            return Ok(());
        };
        deaths.push(format!("{} {}", request.verb, request.path));
        operator.restart().await?;
        came_out_right(test, &operator, &name, end)
            .await
            .with_context(|| format!("killed at {}", deaths[deaths.len() - 1]))?;
        let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
        deployments.delete(&name, &DeleteParams::default()).await?;
    }
    bail!("a repair with more than {MOST} effects: {deaths:#?}")
}

async fn came_out_right(test: &Scenario<'_>, operator: &Operator, name: &str, end: &End) -> Result<()> {
    wait::until("it ends as if nothing had happened", async || {
        stands(test, name, end).await
    })
    .await?;
    until_rolled_out(&test.client, &test.namespace, name).await?;
    let stored = template(test, name).await?;
    let container = &stored["spec"]["containers"][0];
    ensure!(
        container["securityContext"]["allowPrivilegeEscalation"] == end.hardened,
        "{container}"
    );
    ensure!(
        end.hardened != Value::Null || container.get("securityContext").is_none(),
        "traces are left: {container}"
    );
    let sets = replica_sets(test, name).await?;
    ensure!(sets == 2, "{sets} ReplicaSets: more than one rollout");
    wait::throughout(Duration::from_secs(1), "it is at rest", async || {
        ensure!(template(test, name).await? == stored, "the template changed again");
        Ok(())
    })
    .await?;
    let accepted = |entry: &&Entry| {
        let patch = entry.verb == "patch" && entry.resource() == "deployments" && !entry.is_dry_run();
        patch && entry.code() == 200 && entry.object_ref.as_ref().is_some_and(|object| object.name == name)
    };
    let patches = operator.requests(test)?.iter().filter(accepted).count();
    ensure!(
        patches == end.patches,
        "{patches} patches were accepted, not {}",
        end.patches
    );
    Ok(())
}

async fn stands(test: &Scenario<'_>, name: &str, end: &End) -> Result<HardeningRemediation> {
    let api: Api<HardeningRemediation> = Api::namespaced(test.client.clone(), &test.namespace);
    let all = api.list(&ListParams::default()).await?.items;
    let mut own = all
        .into_iter()
        .filter(|remediation| remediation.spec.target.name == name);
    let remediation = own.next().context("no remediation yet")?;
    ensure!(own.next().is_none(), "two remediations of one target");
    let status = remediation.status.clone().unwrap_or_default();
    ensure!(
        status.phase == Some(end.phase) && status.reason == end.reason,
        "it is {:?} ({}): {}",
        status.phase,
        status.reason,
        status.message
    );
    Ok(remediation)
}

async fn replica_sets(test: &Scenario<'_>, name: &str) -> Result<usize> {
    let api: Api<ReplicaSet> = Api::namespaced(test.client.clone(), &test.namespace);
    let of_it = ListParams::default().labels(&format!("app={name}"));
    Ok(api.list(&of_it).await?.items.len())
}
