//! What people decide about the network of their namespace: revert, pause; and what they do by hand.

use std::time::Duration;

use anyhow::{Result, ensure};
use ironside_e2e::operator::Start;
use ironside_e2e::{Scenario, scenario, wait};
use kube::api::DeleteParams;

use super::{DENY, SERVICE, apply, isolated, names, policies, shop, until_phase, written};
use crate::decisions::Person;

/// Longer than an operator that is not held back takes to isolate a namespace.
const PATIENCE: Duration = Duration::from_secs(4);

async fn nothing_stands(at: &Scenario<'_>) -> Result<()> {
    let names = names(at).await?;
    ensure!(names.is_empty(), "{names:?}");
    Ok(())
}

#[tokio::test]
async fn promise_07_a_revert_takes_every_policy_away_and_stays_so() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let mut operator = Start::new(at).ready().await?;
        let allow = isolated(at).await?;
        let before = written(at, &operator)?.len();
        let target = format!("namespace/{}", at.namespace);
        let person = Person::admin(at);
        person
            .decides(&["revert", &target, "--reason", "clients are missing"])
            .await?;
        until_phase(at, "Reverted", "RevertRequested").await?;
        nothing_stands(at).await?;
        let deleted = |name: &str| ("delete".to_owned(), name.to_owned());
        let writes = written(at, &operator)?.split_off(before);
        ensure!(writes == [deleted(DENY), deleted(&allow)], "{writes:?}");
        operator.restart().await?;
        apply(at, &SERVICE.replace("8080", "9090")).await?;
        wait::throughout(PATIENCE, "it stays reverted", async || nothing_stands(at).await).await?;
        person.decides(&["retry", &target]).await?;
        isolated(at).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn a_pause_keeps_an_isolation_from_starting_and_leaves_one_that_stands() -> Result<()> {
    scenario(async |at| {
        let kubectl = at.cluster.kubectl()?;
        let annotate = async |kind: &str, name: &str, until: &str| -> Result<()> {
            let annotation = format!("hardening.ironside.dev/pause-until{until}");
            let arguments = ["annotate", "--overwrite", "-n", &at.namespace, kind, name, &annotation];
            kubectl.run(&arguments).await.map(drop)
        };
        let long = "=2099-01-01T00:00:00Z";
        annotate("namespace", &at.namespace, long).await?;
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        until_phase(at, "Pending", "Paused").await?;
        wait::throughout(PATIENCE, "nothing is written", async || nothing_stands(at).await).await?;
        annotate("namespace", &at.namespace, "-").await?;
        let allow = isolated(at).await?;

        annotate("hpol", "team", long).await?;
        wait::until("the operator has seen the pause", async || {
            let condition = "jsonpath={.status.conditions[?(@.type=='Paused')].status}";
            let arguments = ["get", "hpol", "team", "-n", &at.namespace, "-o", condition];
            let status = kubectl.run(&arguments).await?;
            ensure!(status.trim() == "True", "Paused is {status}");
            Ok(())
        })
        .await?;
        let before = written(at, &operator)?;
        apply(at, &SERVICE.replace("name: web", "name: admin").replace("8080", "9000")).await?;
        wait::throughout(PATIENCE, "what stands stays as it is", async || {
            ensure!(written(at, &operator)? == before);
            Ok(())
        })
        .await?;
        annotate("hpol", "team", "-").await?;
        wait::until("the new port is let in", async || {
            let spec = serde_json::to_string(&policies(at).get(&allow).await?.spec)?;
            ensure!(spec.contains("9000"), "{spec}");
            Ok(())
        })
        .await
    })
    .await
}

/// The watch shows an object that came and went in between not at all, or both at once: it is not waited for.
#[tokio::test]
async fn an_allow_that_is_deleted_as_soon_as_it_is_written_is_put_back_without_waiting() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let _operator = Start::new(at).ready().await?;
        let allow = isolated(at).await?;
        for _ in 0..2 {
            let old = policies(at).get(&allow).await?.metadata.uid;
            policies(at).delete(&allow, &DeleteParams::default()).await?;
            // As soon as it is there again it goes again, before most watches have brought it.
            let again = wait::until("it is put back", async || {
                let policy = policies(at).get(&allow).await?;
                ensure!(policy.metadata.uid != old, "still the old one");
                Ok(policy.metadata.uid)
            })
            .await?;
            policies(at).delete(&allow, &DeleteParams::default()).await?;
            // Well within the ten seconds that a write which is never shown is waited for.
            wait::until_within(Duration::from_secs(8), "it is put back once more", async || {
                let policy = policies(at).get(&allow).await?;
                ensure!(policy.metadata.uid != again, "still the old one");
                Ok(())
            })
            .await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn promise_07_deleting_the_operator_leaves_the_policies_and_one_command_opens_everything() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        isolated(at).await?;
        operator.terminate().await?;
        let names_before = names(at).await?;
        ensure!(names_before.len() == 2, "{names_before:?}");
        let kubectl = at.cluster.kubectl()?;
        kubectl
            .run(&["delete", "hpol,hrem", "--all", "-n", &at.namespace])
            .await?;
        ensure!(
            names(at).await? == names_before,
            "nothing is collected with our own objects"
        );
        let ours = "app.kubernetes.io/managed-by=ironside";
        kubectl
            .run(&["delete", "networkpolicy", "-l", ours, "-n", &at.namespace])
            .await?;
        nothing_stands(at).await
    })
    .await
}
