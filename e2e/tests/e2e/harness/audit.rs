//! The audit log says exactly what a credential did.

use anyhow::{Result, ensure};
use ironside_e2e::audit::tally;
use ironside_e2e::scenario;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

use super::proxy::Tester;

#[tokio::test]
async fn the_audit_log_says_exactly_what_a_credential_did() -> Result<()> {
    scenario(async |test| {
        let tester = Tester::new(test, None).await?;
        let maps: Api<ConfigMap> = Api::namespaced(tester.client.clone(), &test.namespace);
        let map: ConfigMap = serde_json::from_value(json!({ "metadata": { "name": "a" } }))?;
        maps.create(
            &PostParams {
                dry_run: true,
                ..PostParams::default()
            },
            &map,
        )
        .await?;
        maps.create(&PostParams::default(), &map).await?;
        maps.list(&ListParams::default()).await?;
        maps.delete("a", &DeleteParams::default()).await?;
        ensure!(maps.get("a").await.is_err(), "it is deleted");

        let entries = test.cluster.audit()?.entries()?;
        let own: Vec<_> = entries
            .into_iter()
            .filter(|entry| entry.user.has_credential(&tester.id))
            .collect();
        let count = |verb: &str, resource: &str| tally(&own).get(&(verb.to_owned(), resource.to_owned())).copied();
        ensure!(count("create", "configmaps") == Some(2), "{own:#?}");
        ensure!(count("list", "configmaps") == Some(1), "{own:#?}");
        ensure!(count("delete", "configmaps") == Some(1), "{own:#?}");
        ensure!(count("get", "configmaps") == Some(1), "{own:#?}");
        ensure!(
            own.iter()
                .filter(|entry| entry.is_write() && entry.resource() == "configmaps")
                .count()
                == 2,
            "{own:#?}"
        );
        ensure!(own.last().is_some_and(|entry| entry.code() == 404), "{own:#?}");
        ensure!(
            own.iter()
                .all(|entry| entry.who() == format!("system:serviceaccount:{}:tester", test.namespace))
        );
        Ok(())
    })
    .await
}
