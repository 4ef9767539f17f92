//! Ironside's own manifests are accepted, and an operator's place in the cluster is as its flags expect it.

use anyhow::{Result, ensure};
use ironside_e2e::install::{OPERATOR_USER, SERVICE_ACCOUNT, SYSTEM_NAMESPACE, credential};
use ironside_e2e::{controlplane, scenario};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::json;

#[tokio::test]
async fn the_operators_account_may_do_in_a_tests_namespace_what_it_may_in_its_own() -> Result<()> {
    scenario(async |test| {
        let namespace = test.operator_namespace().await?;
        let resources = test
            .cluster
            .kubectl()?
            .run(&["api-resources", "--api-group=hardening.ironside.dev", "-o", "name"])
            .await?;
        ensure!(resources.lines().count() == 5, "five kinds:\n{resources}");

        let file = test.folder().join("operator.kubeconfig");
        let account = (SYSTEM_NAMESPACE, SERVICE_ACCOUNT);
        let credential = credential(test.cluster, &test.client, account, None, &file).await?;
        let client = controlplane::client(&credential.kubeconfig).await?;
        let leases: Api<Lease> = Api::namespaced(client.clone(), namespace);
        let lease = serde_json::from_value(json!({ "metadata": { "name": "ironside-operator" } }))?;
        ironside_e2e::wait::until("the role is in force", async || {
            Ok(leases.get_opt("ironside-operator").await.map(drop)?)
        })
        .await?;
        leases.create(&PostParams::default(), &lease).await?;
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), namespace);
        ensure!(
            maps.get_opt("ironside-pause").await?.is_none(),
            "allowed, and not there"
        );
        ensure!(maps.get_opt("another").await?.is_none(), "others may be read, too");
        let secrets: Api<Secret> = Api::namespaced(client.clone(), namespace);
        ensure!(secrets.get_opt("another").await.is_err(), "no Secret may be read");
        Api::<Pod>::all(client).list(&ListParams::default().limit(1)).await?;

        let entries = test.cluster.audit()?.by(OPERATOR_USER)?;
        let own = entries
            .iter()
            .filter(|entry| entry.user.has_credential(&credential.id))
            .count();
        ensure!(
            own >= 5,
            "the audit log tells this token's requests: {own} of {}",
            entries.len()
        );
        Ok(())
    })
    .await
}
