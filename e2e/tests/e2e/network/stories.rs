//! Stories of harm that need an API server: namespaces and denies that are left alone.

use std::time::Duration;

use anyhow::{Result, ensure};
use ironside_e2e::operator::Start;
use ironside_e2e::{scenario, wait};
use kube::api::DeleteParams;
use serde_json::json;

use super::{DENY, SERVICE, apply, isolated, names, policies, shop, until_phase, written};

#[tokio::test]
async fn story_43_a_namespace_with_a_webhook_is_never_touched() -> Result<()> {
    scenario(async |at| {
        let webhook = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": at.namespace},
            "webhooks": [{
                "name": "guard.example.com",
                "clientConfig": {"service": {"namespace": at.namespace, "name": "web"}},
                "rules": [{"apiGroups": ["example.com"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["things"]}],
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "failurePolicy": "Ignore",
            }],
        });
        apply(at, &webhook.to_string()).await?;
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        let status = until_phase(at, "Held", "CalledByApiServer").await?;
        ensure!(status["message"].as_str().is_some_and(|message| message.contains(&at.namespace)), "{status}");
        ensure!(names(at).await?.is_empty(), "nothing is made");
        ensure!(written(at, &operator)?.is_empty(), "nothing is written");
        let name = at.namespace.as_str();
        at.cluster
            .kubectl()?
            .run(&["delete", "validatingwebhookconfiguration", name])
            .await?;
        isolated(at).await.map(drop)
    })
    .await
}

#[tokio::test]
async fn story_47_a_deny_that_a_human_deletes_is_held_for_a_day() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let mut operator = Start::new(at).ready().await?;
        isolated(at).await?;
        policies(at).delete(DENY, &DeleteParams::default()).await?;
        until_phase(at, "Held", "DenyDeleted").await?;
        wait::until("the network is open: our allows are gone, too", async || {
            let names = names(at).await?;
            ensure!(names.is_empty(), "{names:?}");
            Ok(())
        })
        .await?;
        // It survives a restart, and drift elsewhere does not bring it back.
        operator.restart().await?;
        apply(at, &SERVICE.replace("8080", "9090")).await?;
        wait::throughout(Duration::from_secs(3), "nothing is put back", async || {
            let names = names(at).await?;
            ensure!(names.is_empty(), "{names:?}");
            Ok(())
        })
        .await?;
        until_phase(at, "Held", "DenyDeleted").await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn story_47_a_namespace_on_its_way_out_is_left_alone() -> Result<()> {
    scenario(async |at| {
        shop(at).await?;
        let operator = Start::new(at).ready().await?;
        isolated(at).await?;
        let before = written(at, &operator)?.len();
        // What a finalizer keeps there keeps the namespace in Terminating.
        let keeper = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "keeper", "finalizers": ["example.com/keep"]},
        });
        apply(at, &keeper.to_string()).await?;
        let kubectl = at.cluster.kubectl()?;
        kubectl
            .run(&["delete", "namespace", &at.namespace, "--wait=false"])
            .await?;
        wait::until("the namespace controller took our policies", async || {
            let names = names(at).await?;
            ensure!(names.is_empty(), "{names:?}");
            Ok(())
        })
        .await?;
        let tried = operator
            .requests(at)?
            .into_iter()
            .filter(|entry| entry.is_write() && entry.resource() == "networkpolicies");
        ensure!(tried.count() == before, "nothing is restored there");
        let free = [
            "patch",
            "configmap",
            "keeper",
            "-n",
            &at.namespace,
            "--type=json",
            "-p",
            r#"[{"op":"remove","path":"/metadata/finalizers"}]"#,
        ];
        kubectl.run(&free).await.map(drop)
    })
    .await
}
