//! `ironside scan --cluster`, with the rights of whoever runs it.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::workloads::Workload;
use ironside_e2e::{scenario, wait};
use serde_json::Value;

use crate::decisions::Person;

/// Result of one control on the Deployment, the reason why it is not known, and the exit code.
async fn verdict(person: &Person<'_>, control: &str) -> Result<(String, String, Option<i32>)> {
    let output = person.run(&["scan", "--cluster", "--all", "-o", "json"]).await?;
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let scan: Value = serde_json::from_slice(&output.stdout).with_context(|| told)?;
    let mut results = scan["results"].as_array().context("results")?.iter();
    let of_it = results.find(|it| it["control"] == control && it["object"]["kind"] == "Deployment");
    let of_it = of_it.with_context(|| format!("no verdict of {control}"))?;
    let text = |pointer: &str| {
        of_it
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    Ok((text("/result"), text("/gaps/0/reason"), output.status.code()))
}

#[tokio::test]
async fn what_may_not_be_listed_is_unknown_and_what_was_listed_is_all_there_is() -> Result<()> {
    scenario(async |test| {
        let mut web = Workload::named("web").replicas(0).deployment();
        web["spec"]["template"]["spec"]["serviceAccountName"] = "ghost".into();
        test.apply(&[web]).await?;
        // Whoever may list accounts sees that this one does not exist.
        let (result, _, code) = verdict(&Person::admin(test), "SA-002").await?;
        ensure!(result == "Fail" && code == Some(1), "{result}, {code:?}");

        let role = [
            "create",
            "role",
            "reader",
            "-n",
            &test.namespace,
            "--verb=list",
            "--resource=deployments.apps",
        ];
        test.cluster.kubectl()?.run(&role).await?;
        let reader = Person::with_role(test, "rita", "--role=reader").await?;
        wait::until("rita may list Deployments and no accounts", async || {
            let (result, reason, code) = verdict(&reader, "SA-002").await?;
            ensure!(
                result == "Unknown" && reason == "PermissionDenied",
                "{result} ({reason})"
            );
            ensure!(code == Some(2), "what could not be read is trouble: {code:?}");
            Ok(())
        })
        .await
    })
    .await
}
