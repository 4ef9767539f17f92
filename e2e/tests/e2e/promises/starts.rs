//! When nothing is written, or nothing more.

use anyhow::{Result, ensure};
use ironside_crds::Phase;
use ironside_e2e::cluster::Options;
use ironside_e2e::install::repository;
use ironside_e2e::operator::Start;
use ironside_e2e::proxy::{Fault, Match, Proxy, Rule};
use ironside_e2e::scenario::scenario_with;
use ironside_e2e::workloads::{available_deployment, until_rolled_out};
use ironside_e2e::{scenario, wait};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use super::{remediation_of, until_of_it_stands};
use crate::fights::{operator, patches, patient};
use crate::repair::{PATIENCE, nothing_starts, policy, steady, template, until_it_stands};

#[tokio::test]
async fn promise_07_deleting_the_definitions_blocks_nothing() -> Result<()> {
    let options = Options {
        nodes: 1,
        ..Options::default()
    };
    scenario_with(options, async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let operator = operator(test).await?;
        test.apply(&[patient(&["POD-009", "POD-013"])]).await?;
        until_it_stands(test, Phase::Probation, "Watching").await?;
        let repaired = template(test, "web").await?;
        let so_far = patches(&operator, test)?;

        let definitions = repository().join("config/crd").display().to_string();
        let kubectl = test.cluster.kubectl()?;
        kubectl.run(&["delete", "-k", &definitions, "--wait=false"]).await?;
        until_definitions_are_gone(&test.client).await?;
        wait::throughout(PATIENCE, "the workload is left as it is", async || {
            ensure!(template(test, "web").await? == repaired, "the template changed");
            ensure!(patches(&operator, test)? == so_far, "another patch");
            ensure!(operator.process().exit().is_none(), "the operator ended");
            Ok(())
        })
        .await?;
        until_rolled_out(&test.client, &test.namespace, "web").await?;

        // Installed again, it goes on, and knows from the target what it did.
        kubectl.run(&["apply", "--server-side", "-k", &definitions]).await?;
        wait::until("the policy can be applied again", async || {
            test.apply(&[patient(&["POD-009", "POD-013"])]).await
        })
        .await?;
        available_deployment(&test.client, &test.namespace, &steady("another")).await?;
        until_of_it_stands(test, "another", Phase::Probation, "Watching").await?;
        ensure!(template(test, "web").await? == repaired, "the template changed");
        ensure!(patches(&operator, test)? == so_far + 1, "one patch, of the other one");
        Ok(())
    })
    .await
}

/// Waits until the definitions are gone, which a finalizer of ours on one of them or on an object would keep them from.
///
/// The API server's own finalizer may lose one. Each definition that goes makes it build the caches of the others anew; where one is not built yet when its
/// objects are to be deleted ("storage is (re)initializing"), that is noted in the status and tried again at once, from a copy that does not have the note
/// yet. The conflict counts as somebody else's change that will be heard of, but a change of that condition alone is not heard of: nothing happens until
/// everything is looked at again, every five minutes (apiextensions-apiserver 0.37, `crd_finalizer.go`). Any other change of the definition wakes it.
async fn until_definitions_are_gone(client: &Client) -> Result<()> {
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    wait::until("the definitions are gone", async || {
        let mut kept = Vec::new();
        for definition in definitions.list(&ListParams::default()).await? {
            let spec = &definition.spec;
            if spec.group != ironside_crds::GROUP {
                continue;
            }
            let kind = GroupVersionKind::gvk(&spec.group, &spec.versions[0].name, &spec.names.kind);
            let kind = ApiResource::from_gvk_with_plural(&kind, &spec.names.plural);
            let objects: Api<DynamicObject> = Api::all_with(client.clone(), &kind);
            let objects = objects.list(&ListParams::default()).await;
            let objects = objects.map_or_else(|error| error.to_string(), |objects| held(&objects.items));
            let mut conditions = definition
                .status
                .iter()
                .flat_map(|status| status.conditions.iter().flatten());
            let terminating = conditions.find(|condition| condition.type_ == "Terminating");
            if terminating.is_some_and(|it| it.reason.as_deref() == Some("InstanceDeletionFailed")) {
                let touched = json!({"metadata": {"annotations": {"touched": jiff::Timestamp::now().to_string()}}});
                let touched = Patch::Merge(touched);
                let (name, parameters) = (definition.name_any(), PatchParams::default());
                let woken = definitions.patch(&name, &parameters, &touched).await;
                woken.map(drop).or_else(if_gone)?;
            }
            kept.push(format!(
                "{} (finalizers {:?}; {:?}; objects: {objects})",
                spec.names.plural,
                definition.finalizers(),
                terminating.map(|condition| &condition.message),
            ));
        }
        ensure!(kept.is_empty(), "{}", kept.join("; "));
        Ok(())
    })
    .await
}

fn if_gone(error: kube::Error) -> Result<(), kube::Error> {
    match error {
        kube::Error::Api(status) if status.code == 404 => Ok(()),
        error => Err(error),
    }
}

/// Objects by name, with what keeps them.
fn held(objects: &[DynamicObject]) -> String {
    let held = objects
        .iter()
        .map(|object| format!("{} {:?}", object.name_any(), object.finalizers()));
    held.collect::<Vec<_>>().join(", ")
}

/// What waits is not sent. Each gate by itself keeps a repair from starting, and says so.
async fn waits_for(reason: &str, edit: impl FnOnce(&mut Value)) -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let operator = operator(test).await?;
        let mut shut = policy(&["POD-009"]);
        edit(&mut shut["spec"]["remediation"]);
        test.apply(&[shut]).await?;
        until_it_stands(test, Phase::Pending, reason).await?;
        nothing_starts(test, &operator).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_08_nothing_starts_outside_its_window() -> Result<()> {
    // Half a year from now.
    let month = (jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).month() + 5) % 12 + 1;
    let schedule = format!("0 3 1 {month} *");
    waits_for("OutsideWindow", |remediation| {
        remediation["windows"] = json!([{ "name": "far", "schedule": schedule, "timeZone": "UTC", "duration": "1h" }]);
    })
    .await
}

#[tokio::test]
async fn promise_08_nothing_starts_before_the_target_has_settled() -> Result<()> {
    waits_for("Settling", |remediation| remediation["settle"] = json!("1h")).await
}

#[tokio::test]
async fn promise_08_nothing_starts_without_permission() -> Result<()> {
    scenario(async |test| {
        available_deployment(&test.client, &test.namespace, &steady("web")).await?;
        let proxy = Proxy::start(test.cluster).await?;
        let without = proxy.inject(Rule::new(
            Match::resource("selfsubjectrulesreviews"),
            Fault::no_rights(),
        ));
        let operator = Start::new(test).via(&proxy).ready().await?;
        // Rights are asked for as soon as a policy needs them, which is while the target settles; on a busy machine that takes a while.
        let mut enforcing = policy(&["POD-009"]);
        enforcing["spec"]["remediation"]["settle"] = json!("15s");
        test.apply(&[enforcing]).await?;
        until_it_stands(test, Phase::Pending, "PermissionDenied").await?;
        nothing_starts(test, &operator).await?;
        without.remove();
        until_it_stands(test, Phase::Succeeded, "Verified").await?;
        ensure!(patches(&operator, test)? == 1, "one patch");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_08_no_more_repairs_at_once_than_the_budget_allows() -> Result<()> {
    scenario(async |test| {
        for name in ["first", "second"] {
            let slow = steady(name).sim("ready-after", "3s");
            available_deployment(&test.client, &test.namespace, &slow).await?;
        }
        let operator = operator(test).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        let waiting = wait::until("one waits for the other", async || {
            for name in ["first", "second"] {
                let status = remediation_of(test, name).await?.status.unwrap_or_default();
                if status.reason == "Budget" {
                    return Ok(name);
                }
            }
            anyhow::bail!("none waits yet")
        })
        .await?;
        let status = remediation_of(test, waiting).await?.status.unwrap_or_default();
        ensure!(
            status.message.contains("maxConcurrentPerNamespace"),
            "{}",
            status.message
        );
        ensure!(patches(&operator, test)? == 1, "one at a time");
        for name in ["first", "second"] {
            until_of_it_stands(test, name, Phase::Succeeded, "Verified").await?;
        }
        ensure!(patches(&operator, test)? == 2, "each once");
        Ok(())
    })
    .await
}
