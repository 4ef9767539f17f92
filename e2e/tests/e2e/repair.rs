//! The loop on a real API server: a policy repairs a workload and proves it, or puts it back as it was.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningRemediation, Phase};
use ironside_e2e::audit::{Entry, tally};
use ironside_e2e::operator::{Operator, Start};
use ironside_e2e::workloads::{Workload, available_deployment, until_rolled_out};
use ironside_e2e::{Scenario, scenario, wait};
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::decisions::Person;
use crate::fights::patches;

/// Long enough for a rollout, its soak and its probation on a busy machine.
pub(crate) const LONG: Duration = Duration::from_mins(2);

/// A policy that repairs at once whatever is not of high risk, with these controls and nothing else.
pub(crate) fn policy(controls: &[&str]) -> Value {
    let controls: Vec<Value> = controls
        .iter()
        .map(|id| json!({ "id": id, "mode": "Enforce" }))
        .collect();
    json!({
        "apiVersion": "hardening.ironside.dev/v1alpha1", "kind": "HardeningPolicy",
        "metadata": { "name": "team" },
        "spec": {
            "profile": { "name": "None" },
            "mode": "Enforce",
            "controls": controls,
            "remediation": {
                "autoApprove": "Medium",
                "settle": "1s",
                "verify": { "soak": "1s", "minDeadline": "1m", "probation": "2s" },
                "stopAfter": { "rollbacks": 100, "within": "1h" },
            },
        },
    })
}

/// A workload that may be repaired without a human: its image is named by digest, and it says when it is ready.
pub(crate) fn steady(name: &str) -> Workload {
    Workload::named(name).steady()
}

/// The remediation of the namespace's only target.
pub(crate) async fn remediation(test: &Scenario<'_>) -> Result<HardeningRemediation> {
    let api: Api<HardeningRemediation> = Api::namespaced(test.client.clone(), &test.namespace);
    let mut all = api.list(&ListParams::default()).await?.items;
    ensure!(all.len() == 1, "{} remediations", all.len());
    all.pop().context("one remediation")
}

/// Waits until the remediation stands so.
pub(crate) async fn until_it_stands(test: &Scenario<'_>, phase: Phase, reason: &str) -> Result<HardeningRemediation> {
    wait::until_within(LONG, &format!("the remediation is {phase:?} ({reason})"), async || {
        let remediation = remediation(test).await?;
        let status = remediation.status.clone().context("no status yet")?;
        ensure!(
            status.phase == Some(phase) && status.reason == reason,
            "it is {:?} ({}): {}",
            status.phase,
            status.reason,
            status.message
        );
        Ok(remediation)
    })
    .await
}

pub(crate) async fn deployment(test: &Scenario<'_>, name: &str) -> Result<Deployment> {
    let api: Api<Deployment> = Api::namespaced(test.client.clone(), &test.namespace);
    Ok(api.get(name).await?)
}

/// The pod template, exactly as stored.
pub(crate) async fn template(test: &Scenario<'_>, name: &str) -> Result<Value> {
    let deployment = serde_json::to_value(deployment(test, name).await?)?;
    Ok(deployment["spec"]["template"].clone())
}

pub(crate) async fn replica_sets(test: &Scenario<'_>) -> Result<usize> {
    let api: Api<ReplicaSet> = Api::namespaced(test.client.clone(), &test.namespace);
    Ok(api.list(&ListParams::default()).await?.items.len())
}

/// Longer than an operator that is not held back takes to start a repair.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// No Deployment is written.
pub(crate) async fn nothing_starts(test: &Scenario<'_>, operator: &Operator) -> Result<()> {
    wait::throughout(PATIENCE, "nothing starts", async || {
        ensure!(patches(operator, test)? == 0, "a patch");
        Ok(())
    })
    .await
}

/// What Ironside takes back itself is nobody's drift.
pub(crate) async fn no_drift(operator: &Operator) -> Result<()> {
    let drifts = operator.metrics().await?.sum("ironside_drift_total", &[]);
    ensure!(drifts.unwrap_or_default() < 0.5, "{drifts:?} drifts were counted");
    Ok(())
}

const ANNOTATION: &str = "hardening.ironside.dev/applied";

/// What an operator wrote about repairs: neither leases, nor the status of policies, nor questions about permissions.
pub(crate) fn repair_requests(operator: &Operator, test: &Scenario<'_>) -> Result<Vec<Entry>> {
    let about_repairs = |entry: &Entry| {
        let resource = entry.resource();
        let other = resource.starts_with("leases")
            || resource.starts_with("hardeningpolicies")
            || resource.starts_with("selfsubject");
        entry.object_ref.is_some() && !other && entry.verb != "watch"
    };
    Ok(operator.requests(test)?.into_iter().filter(about_repairs).collect())
}

/// Lock, dry run, claim, patch, applied, verified, the event about it, succeeded: eight requests, and nothing is read.
fn few_requests(requests: &[Entry]) -> Result<()> {
    let counts = tally(requests);
    ensure!(
        requests.len() <= 8,
        "{} requests for one repair: {counts:#?}",
        requests.len()
    );
    let reads = requests
        .iter()
        .filter(|entry| matches!(entry.verb.as_str(), "get" | "list"))
        .count();
    ensure!(reads == 0, "{counts:#?}");
    Ok(())
}

#[tokio::test]
async fn promise_13_a_target_that_rolls_out_first_costs_no_further_request() -> Result<()> {
    scenario(async |test| {
        let operator = Start::new(test).short_lease().ready().await?;
        test.apply(&[policy(&["POD-009", "POD-011", "POD-013"])]).await?;
        let policies: Api<ironside_crds::HardeningPolicy> = Api::namespaced(test.client.clone(), &test.namespace);
        wait::until("the policy is in effect", async || {
            let status = policies.get("team").await?.status.unwrap_or_default();
            ensure!(
                ironside_crds::conditions::is_true(&status.conditions, "Ready"),
                "not yet"
            );
            Ok(())
        })
        .await?;
        let first_look = repair_requests(&operator, test)?.len();
        // Under the operator's eyes: rolling out, then not healthy yet, then settling.
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        few_requests(&repair_requests(&operator, test)?[first_look..])
    })
    .await
}

#[tokio::test]
async fn promise_01_a_policy_repairs_a_deployment_and_proves_it() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let before = template(test, "web").await?;
        let operator = Start::new(test).short_lease().ready().await?;
        let first_look = repair_requests(&operator, test)?.len();
        test.apply(&[policy(&["POD-009", "POD-011", "POD-013"])]).await?;

        let done = until_it_stands(test, Phase::Succeeded, "Verified").await?;
        let after = template(test, "web").await?;
        let container = &after["spec"]["containers"][0]["securityContext"];
        ensure!(container["allowPrivilegeEscalation"] == json!(false), "{container}");
        ensure!(container["capabilities"]["drop"] == json!(["ALL"]), "{container}");
        ensure!(after.to_string().contains("RuntimeDefault"), "{after}");
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        ensure!(replica_sets(test).await? == 2, "one patch, one rollout");

        let phases: Vec<Phase> = done
            .status
            .context("a status")?
            .history
            .iter()
            .map(|entry| entry.phase)
            .collect();
        for phase in [Phase::Applying, Phase::Verifying, Phase::Probation, Phase::Succeeded] {
            ensure!(phases.contains(&phase), "{phases:?}");
        }
        let deployment = deployment(test, "web").await?;
        let recorded = deployment
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(ANNOTATION));
        ensure!(recorded.is_some(), "the record is on the target");
        let managers: Vec<_> = deployment
            .metadata
            .managed_fields
            .iter()
            .flatten()
            .map(|it| it.manager.clone())
            .collect();
        ensure!(managers.contains(&Some("ironside/workload".to_owned())), "{managers:?}");

        few_requests(&repair_requests(&operator, test)?[first_look..])?;
        ensure!(before != after);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_01_a_repair_that_breaks_its_workload_is_taken_back_exactly_and_quarantined() -> Result<()> {
    scenario(async |test| {
        let web = steady("web").sim("needs-caps", "NET_RAW");
        available_deployment(&test.client, &test.namespace, &web).await?;
        let before = template(test, "web").await?;
        let operator = Start::new(test).short_lease().ready().await?;
        test.apply(&[policy(&["POD-009", "POD-011"])]).await?;

        let held = until_it_stands(test, Phase::Held, "Quarantined").await?;
        let status = held.status.context("a status")?;
        ensure!(status.memory.failures.len() == 1, "{:?}", status.memory);
        ensure!(
            status.memory.failures[0].reason == "CrashLoopBackOff",
            "{:?}",
            status.memory
        );
        ensure!(
            template(test, "web").await? == before,
            "the template is exactly the one before"
        );
        let deployment = until_rolled_out(&test.client, &test.namespace, "web").await?;
        let annotations = deployment.metadata.annotations.unwrap_or_default();
        ensure!(
            !annotations.contains_key(ANNOTATION),
            "the record left with the change: {annotations:?}"
        );
        ensure!(replica_sets(test).await? == 2, "the old ReplicaSet was taken up again");

        no_drift(&operator).await?;
        wait::throughout(Duration::from_secs(5), "it is not tried again", async || {
            ensure!(template(test, "web").await? == before);
            Ok(())
        })
        .await
    })
    .await
}

/// What broke is known by name: the rest of the plan is done without it.
#[tokio::test]
async fn a_control_that_breaks_a_workload_does_not_keep_the_others_from_it() -> Result<()> {
    scenario(async |test| {
        let web = steady("web").sim("image-user", "root");
        available_deployment(&test.client, &test.namespace, &web).await?;
        let operator = Start::new(test).short_lease().ready().await?;
        test.apply(&[policy(&["POD-007", "POD-009"])]).await?;
        let fits = async || {
            let held = remediation(test).await?.status.context("a status")?;
            ensure!(
                held.phase == Some(Phase::Held) && held.reason == "Quarantined",
                "it is {:?}",
                held.phase
            );
            let after = template(test, "web").await?;
            let container = &after["spec"]["containers"][0]["securityContext"];
            ensure!(container["allowPrivilegeEscalation"] == json!(false), "{container}");
            ensure!(!after.to_string().contains("runAsNonRoot"), "{after}");
            Ok(held)
        };
        let held = wait::until_within(LONG, "what does not break it is done", fits).await?;
        let failures = &held.memory.failures;
        ensure!(
            failures.len() == 1 && failures[0].controls.iter().eq(["POD-007"]),
            "{failures:?}"
        );
        ensure!(held.message.contains("POD-007"), "{}", held.message);
        until_rolled_out(&test.client, &test.namespace, "web").await?;
        wait::throughout(PATIENCE, "it rests", async || {
            let sent = patches(&operator, test)?;
            ensure!(sent == 3, "tried, taken back, the rest done: three patches, not {sent}");
            Ok(())
        })
        .await
    })
    .await
}

/// Nothing that a crash loop shows names a control. Each Retry tries a part, until the one that is to blame stands alone.
#[tokio::test]
async fn story_04_one_patch_for_all_and_only_a_retry_bisects() -> Result<()> {
    scenario(async |test| {
        let web = steady("web").sim("writes-rootfs", "true");
        available_deployment(&test.client, &test.namespace, &web).await?;
        let operator = Start::new(test).short_lease().ready().await?;
        test.apply(&[policy(&["POD-009", "POD-012"])]).await?;
        let held = until_it_stands(test, Phase::Held, "Quarantined").await?;
        let status = held.status.context("a status")?;
        ensure!(status.memory.failures[0].controls.len() == 2, "{:?}", status.memory);
        ensure!(
            status.message.ends_with("Retry tries POD-009 without the others"),
            "{}",
            status.message
        );
        until_rolled_out(&test.client, &test.namespace, "web").await?;

        Person::admin(test).decides(&["retry", "deployment/web"]).await?;
        let found = wait::until_within(LONG, "the half that breaks nothing is done", async || {
            let status = remediation(test).await?.status.context("a status")?;
            let after = template(test, "web").await?;
            let container = &after["spec"]["containers"][0]["securityContext"];
            ensure!(
                *container == json!({ "allowPrivilegeEscalation": false }),
                "{container}"
            );
            ensure!(
                status.phase == Some(Phase::Held) && status.reason == "Quarantined",
                "it is {:?} ({})",
                status.phase,
                status.reason
            );
            Ok(status)
        });
        let found = found.await?;
        ensure!(
            found.memory.failures.len() == 1 && found.memory.failures[0].controls.iter().eq(["POD-012"]),
            "{:?}",
            found.memory.failures
        );
        let sent = patches(&operator, test)?;
        ensure!(sent == 3, "all, taken back, half: three patches, not {sent}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_05_whoever_undoes_a_repair_wins() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let before = template(test, "web").await?;
        let _operator = Start::new(test).short_lease().ready().await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;

        let undo = ["rollout", "undo", "deployment/web", "--namespace", &test.namespace];
        test.cluster.kubectl()?.run(&undo).await?;
        let held = until_it_stands(test, Phase::Held, "Fight").await?;
        let memory = held.status.context("a status")?.memory;
        ensure!(memory.reverts.len() == 1, "{memory:?}");
        ensure!(template(test, "web").await? == before);
        wait::throughout(Duration::from_secs(5), "it is not repaired again", async || {
            ensure!(template(test, "web").await? == before);
            Ok(())
        })
        .await
    })
    .await
}
