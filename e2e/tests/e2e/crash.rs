//! The operator is killed (-9) once at each of its effects on the way through a repair and through a rollback. Whatever it was about to do or had just done,
//! the next process ends in the same state, with one rollout, and nothing is left half done.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ironside_crds::{HardeningRemediation, Phase};
use ironside_e2e::audit::Entry;
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::proxy::{Course, Fault, Match, Moment, Proxy, Rule};
use ironside_e2e::workloads::{Workload, available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::repair::{policy, steady, template};

/// More effects than any repair has.
const MOST: usize = 20;

#[tokio::test]
async fn promise_08_killed_after_each_effect_of_a_repair() -> Result<()> {
    scenario(async |test| at_each_effect(test, Moment::AfterAnswer, &repaired()).await).await
}

#[tokio::test]
async fn promise_08_killed_before_each_effect_of_a_repair() -> Result<()> {
    scenario(async |test| at_each_effect(test, Moment::BeforeForwarding, &repaired()).await).await
}

#[tokio::test]
async fn promise_08_killed_after_each_effect_of_a_rollback() -> Result<()> {
    scenario(async |test| at_each_effect(test, Moment::AfterAnswer, &rolled_back()).await).await
}

#[tokio::test]
async fn promise_08_killed_before_each_effect_of_a_rollback() -> Result<()> {
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

/// One workload after the other; the operator dies at an effect at which it did not die before, until there is none left.
async fn at_each_effect(test: &Scenario<'_>, moment: Moment, end: &End) -> Result<()> {
    let proxy = Proxy::start(test.cluster).await?;
    let mut operator = Start::new(test).via(&proxy).short_lease().ready().await?;
    test.apply(&[policy(&["POD-009", "POD-011"])]).await?;
    let course = Course::default();
    let mut deaths = Vec::new();
    for number in 1..=MOST {
        let name = format!("web-{number}");
        let strike = course.strike(&proxy, moment, operator.killer());
        create(test, &(end.workload)(&name)).await?;
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

/// Does not wait until it is available: the operator does, and may already be at work by then.
async fn create(test: &Scenario<'_>, workload: &Workload) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
    let object: Deployment = serde_json::from_value(workload.deployment())?;
    deployments.create(&PostParams::default(), &object).await?;
    Ok(())
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

/// Nothing is known about a write whose answer is lost: whatever is decided next is decided by looking, and comes to the same end.
#[tokio::test]
async fn the_answer_to_each_effect_of_a_repair_is_lost() -> Result<()> {
    scenario(async |test| each_effect_meets(test, &Fault::LoseAnswer, &repaired()).await).await
}

#[tokio::test]
async fn the_answer_to_each_effect_of_a_rollback_is_lost() -> Result<()> {
    scenario(async |test| each_effect_meets(test, &Fault::LoseAnswer, &rolled_back()).await).await
}

#[tokio::test]
async fn each_effect_of_a_rollback_meets_a_busy_api_server() -> Result<()> {
    scenario(async |test| each_effect_meets(test, &Fault::too_many_requests(1), &rolled_back()).await).await
}

#[tokio::test]
async fn each_effect_of_a_rollback_meets_a_failing_api_server() -> Result<()> {
    scenario(async |test| each_effect_meets(test, &Fault::internal_error(), &rolled_back()).await).await
}

#[tokio::test]
async fn each_effect_of_a_repair_meets_a_refusal_that_passes() -> Result<()> {
    scenario(async |test| {
        let message = "deployments.apps is forbidden: User \"ironside\" cannot patch resource \"deployments\"";
        each_effect_meets(test, &Fault::status(403, "Forbidden", message), &repaired()).await
    })
    .await
}

/// One workload after the other; the first effect of the first meets the fault, the second of the second, and so on.
async fn each_effect_meets(test: &Scenario<'_>, fault: &Fault, end: &End) -> Result<()> {
    let proxy = Proxy::start(test.cluster).await?;
    let operator = Start::new(test).via(&proxy).ready().await?;
    test.apply(&[policy(&["POD-009", "POD-011"])]).await?;
    for number in 0..MOST {
        let name = format!("web-{number}");
        let rule = proxy.inject(Rule::new(Match::effects(), fault.clone()).after(number).times(1));
        create(test, &(end.workload)(&name)).await?;
        came_out_right(test, &operator, &name, end)
            .await
            .with_context(|| format!("the fault met effect {}", number + 1))?;
        if rule.hits() == 0 {
            return Ok(());
        }
        let deployments: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
        deployments.delete(&name, &DeleteParams::default()).await?;
        wait::until("the workload is gone", async || {
            ensure!(deployments.get_opt(&name).await?.is_none());
            Ok(())
        })
        .await?;
        rule.remove();
    }
    bail!("a repair with more than {MOST} effects")
}

/// Two replicas: the leader dies in the middle of a rollout, the other finishes what it finds.
#[tokio::test]
async fn a_leader_that_dies_hands_over_a_repair_and_a_rollback() -> Result<()> {
    scenario(async |test| {
        let first = Start::new(test)
            .flag("--lease-duration=3s")
            .flag("--lease-renew=1s")
            .ready()
            .await?;
        let second = Start::new(test)
            .flag("--lease-duration=3s")
            .flag("--lease-renew=1s")
            .start()
            .await?;
        let slow = steady("good").sim("ready-after", "4s");
        let broken = steady("bad").sim("needs-caps", "NET_RAW").sim("fail-after", "6s");
        available_deployment(&test.client, &test.namespace, &slow).await?;
        available_deployment(&test.client, &test.namespace, &broken).await?;
        let mut at_once = policy(&["POD-009", "POD-011"]);
        at_once["spec"]["remediation"]["maxConcurrentPerNamespace"] = json!(2);
        at_once["spec"]["remediation"]["verify"]["soak"] = json!("8s");
        test.apply(&[at_once]).await?;
        let verifying = |phase: Phase| End {
            phase,
            reason: "Progressing",
            ..repaired()
        };
        for name in ["good", "bad"] {
            let rolling = verifying(Phase::Verifying);
            wait::until("it rolls out", async || stands(test, name, &rolling).await).await?;
        }
        first.kill();
        let good = End {
            patches: 0,
            ..repaired()
        };
        let bad = End {
            patches: 1,
            ..rolled_back()
        };
        came_out_right(test, &second, "good", &good)
            .await
            .context("the good one")?;
        came_out_right(test, &second, "bad", &bad).await.context("the bad one")
    })
    .await
}
