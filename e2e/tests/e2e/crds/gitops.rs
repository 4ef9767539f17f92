//! What Argo CD and Flux need: applying the same files again changes nothing, and what is stored is what was written.

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::scenario;
use serde_json::Value;

use super::{collection, install_definitions, repository, send};

const SAMPLES: [&str; 3] = ["hardeningpolicy", "clusterhardeningpolicy", "hardeningexception"];

#[tokio::test]
async fn samples_applied_twice_change_nothing() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        let kubectl = test.cluster.kubectl()?;
        for sample in ["hardeningpolicy", "hardeningexception"] {
            let file = repository(&format!("config/samples/{sample}.yaml"));
            let namespaced = ["-n", &test.namespace, "-f", &file];
            let run = async |arguments: &[&str]| kubectl.run(&[arguments, &namespaced[..]].concat()).await;
            for apply in [&["apply"][..], &["apply", "--server-side"]] {
                // Server-side apply takes the fields over from client-side apply once; from then on nothing may change.
                run(apply).await?;
                let first = run(&["get", "-o", "json"]).await?;
                run(apply).await?;
                let second = run(&["get", "-o", "json"]).await?;
                ensure!(
                    first == second,
                    "kubectl {apply:?} of {sample} again:\n{first}\n{second}"
                );
            }
            // Exits with 1 and prints when there is a difference.
            run(&["diff"]).await?;
        }
        Ok(())
    })
    .await
}

/// A GitOps tool compares lists as a whole: a default that the API server adds to an item shows as drift for ever.
#[tokio::test]
async fn what_is_stored_is_what_was_written() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        for sample in SAMPLES {
            let text = std::fs::read_to_string(repository(&format!("config/samples/{sample}.yaml")))?;
            let written: Value = serde_saphyr::from_str(&text).context(sample)?;
            // A dry run, because the cluster policy would concern other tests.
            let path = format!(
                "{}?dryRun=All&fieldValidation=Strict",
                collection(&written, &test.namespace)
            );
            let stored = send(&test.client, "POST", &path, &written, "alice@example.com")
                .await
                .context(sample)?;
            let mut expected = written["spec"].clone();
            for (field, default) in [("suspend", Value::from(false)), ("mode", "Audit".into())] {
                if sample.ends_with("policy") && expected[field].is_null() {
                    expected[field] = default;
                }
            }
            ensure!(
                stored["spec"] == expected,
                "{sample}: {:#}\nbecame {:#}",
                written["spec"],
                stored["spec"]
            );
        }
        Ok(())
    })
    .await
}
