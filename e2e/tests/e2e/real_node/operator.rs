//! The operator as a Pod, from the manifests that users apply, on real containers.

use anyhow::{Context as _, Result, ensure};
use ironside_crds::Phase;
use ironside_e2e::install::SYSTEM_NAMESPACE;
use ironside_e2e::node::images::{NEEDS_101, NEEDS_WEB};
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::scenario::scenario_on_a_node;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::{asked_all_the_time, rolled_out, running, server, service};
use crate::repair::{deployment, policy, replica_sets, template, until_it_stands};

#[tokio::test]
async fn the_operator_runs_restricted_as_its_own_account_and_repairs() -> Result<()> {
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let namespaces: Api<Namespace> = Api::all(test.client.clone());
        let own = namespaces.get(SYSTEM_NAMESPACE).await?;
        ensure!(own.labels()["pod-security.kubernetes.io/enforce"] == "restricted");
        let pods: Api<Pod> = Api::namespaced(test.client.clone(), SYSTEM_NAMESPACE);
        let pods = pods.list(&ListParams::default()).await?.items;
        ensure!(!pods.is_empty());
        for pod in pods {
            ensure!(pod.spec.as_ref().and_then(|it| it.service_account_name.as_deref()) == Some("ironside"));
            // What the kernel says, not what was asked for.
            let status = serde_json::to_value(&pod.status)?;
            let user = &status["containerStatuses"][0]["user"]["linux"]["uid"];
            ensure!(*user == json!(65532), "{status}");
        }

        let web = server("web", "write=/tmp").template(|template| {
            template["spec"]["containers"][0]["image"] = json!(NEEDS_101);
            template["spec"]["containers"][0]["volumeMounts"] = json!([{ "name": "tmp", "mountPath": "/tmp" }]);
            template["spec"]["volumes"] = json!([{ "name": "tmp", "emptyDir": {} }]);
        });
        running(&test.client, &test.namespace, &web).await?;
        test.apply(&[service("web")]).await?;
        let tally = asked_all_the_time(test, "web", async || {
            test.apply(&[policy(&["POD-007", "POD-009", "POD-011", "POD-012", "POD-013"])])
                .await?;
            until_it_stands(test, Phase::Succeeded, "Verified").await
        });
        tally.await?;
        let after = template(test, "web").await?;
        let security = &after["spec"]["containers"][0]["securityContext"];
        ensure!(security["runAsNonRoot"] == json!(true), "{security}");
        ensure!(security["readOnlyRootFilesystem"] == json!(true), "{security}");
        ensure!(security["allowPrivilegeEscalation"] == json!(false), "{security}");
        ensure!(security["capabilities"]["drop"] == json!(["ALL"]), "{security}");
        ensure!(
            security["seccompProfile"]["type"] == json!("RuntimeDefault"),
            "{security}"
        );
        ensure!(replica_sets(test).await? == 2, "one patch, one rollout");
        rolled_out(&test.client, &test.namespace, "web").await?;
        Ok(())
    })
    .await
}

/// The image names its user, so the pods report that they are not root, and yet no kubelet starts them with `runAsNonRoot`.
#[tokio::test]
async fn a_repair_that_the_kubelet_refuses_is_taken_back_exactly_and_quarantined() -> Result<()> {
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let web = server("web", "").template(|template| {
            template["spec"]["containers"][0]["image"] = json!(NEEDS_WEB);
        });
        running(&test.client, &test.namespace, &web).await?;
        test.apply(&[service("web")]).await?;
        let before = template(test, "web").await?;
        let held = asked_all_the_time(test, "web", async || {
            test.apply(&[policy(&["POD-007"])]).await?;
            until_it_stands(test, Phase::Held, "Quarantined").await
        });
        let memory = held.await?.status.context("a status")?.memory;
        ensure!(memory.failures.len() == 1, "{memory:?}");
        ensure!(memory.failures[0].reason == "RunAsNonRoot", "{memory:?}");
        ensure!(
            template(test, "web").await? == before,
            "the template is exactly the one before"
        );
        rolled_out(&test.client, &test.namespace, "web").await?;
        ensure!(replica_sets(test).await? == 2, "the old ReplicaSet was taken up again");
        Ok(())
    })
    .await
}

/// An image that starts as root is not tried: its pods report uid 0.
#[tokio::test]
async fn what_runs_as_root_is_left_alone() -> Result<()> {
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        running(&test.client, &test.namespace, &server("web", "root")).await?;
        let before = template(test, "web").await?;
        test.apply(&[policy(&["POD-007"])]).await?;
        let held = until_it_stands(test, Phase::Held, "WouldBreak").await?;
        let message = held.status.context("a status")?.message;
        ensure!(message.contains("runs as root"), "{message}");
        ensure!(template(test, "web").await? == before);
        ensure!(replica_sets(test).await? == 1, "nothing was rolled out");
        Ok(())
    })
    .await
}

/// What the rollout runs into was broken before: the repair is undone, and no control is blamed for it.
#[tokio::test]
async fn a_missing_config_map_is_not_the_repairs_fault() -> Result<()> {
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let settings = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "settings" } });
        test.apply(&[settings]).await?;
        let web = server("web", "").template(|template| {
            let source = json!([{ "configMapRef": { "name": "settings" } }]);
            template["spec"]["containers"][0]["envFrom"] = source;
        });
        running(&test.client, &test.namespace, &web).await?;
        let before = template(test, "web").await?;
        let gone = ["delete", "configmap", "settings", "--namespace", &test.namespace];
        test.cluster.kubectl()?.run(&gone).await?;
        test.apply(&[policy(&["POD-009"])]).await?;
        let held = until_it_stands(test, Phase::Held, "Environment").await?;
        let memory = held.status.context("a status")?.memory;
        ensure!(memory.failures.len() == 1, "{memory:?}");
        ensure!(memory.failures[0].reason == "ConfigMissing", "{memory:?}");
        ensure!(
            template(test, "web").await? == before,
            "the template is exactly the one before"
        );
        Ok(())
    })
    .await
}

/// `kubectl rollout undo` puts back template and annotations of the ReplicaSet before: the record of the repair goes with the repair.
#[tokio::test]
async fn the_record_of_a_repair_goes_back_with_its_template() -> Result<()> {
    const RECORD: &str = "hardening.ironside.dev/applied";
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        running(&test.client, &test.namespace, &server("web", "")).await?;
        test.apply(&[service("web")]).await?;
        let before = template(test, "web").await?;
        let tally = asked_all_the_time(test, "web", async || {
            test.apply(&[policy(&["POD-009"])]).await?;
            until_it_stands(test, Phase::Succeeded, "Verified").await?;
            let repaired = deployment(test, "web").await?;
            ensure!(
                repaired.annotations().contains_key(RECORD),
                "{:?}",
                repaired.annotations()
            );
            let undo = ["rollout", "undo", "deployment/web", "--namespace", &test.namespace];
            test.cluster.kubectl()?.run(&undo).await?;
            let undone = deployment(test, "web").await?;
            ensure!(template(test, "web").await? == before, "the template is the one before");
            ensure!(!undone.annotations().contains_key(RECORD), "{:?}", undone.annotations());
            until_it_stands(test, Phase::Held, "Fight").await
        });
        tally.await?;
        rolled_out(&test.client, &test.namespace, "web").await?;
        ensure!(template(test, "web").await? == before, "whoever undoes a repair wins");
        ensure!(replica_sets(test).await? == 2, "the old ReplicaSet was taken up again");
        Ok(())
    })
    .await
}
