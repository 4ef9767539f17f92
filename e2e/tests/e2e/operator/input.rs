//! Hostile and odd objects in the cluster: judged or counted as gaps; nothing panics, nothing stops.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use ironside_crds::ConditionStatus::True;
use ironside_crds::conditions::types;
use ironside_e2e::operator::Start;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{scenario, wait};
use serde_json::{Value, json};

use super::{apply, found, policy, says, until_status};

/// As many labels as fit, each of the greatest length.
fn many_labels() -> BTreeMap<String, String> {
    (0..200)
        .map(|number| (format!("{number:063}"), format!("{number:063}")))
        .collect()
}

fn five_hundred_containers() -> Value {
    let mut deployment = Workload::named("many-containers").replicas(0).deployment();
    let containers: Vec<Value> = (0..500)
        .map(|number| json!({ "name": format!("c{number}"), "image": "registry.example.com/x:1" }))
        .collect();
    deployment["spec"]["template"]["spec"]["containers"] = json!(containers);
    deployment
}

fn large_annotations() -> Value {
    let mut deployment = Workload::named("large-annotations").replicas(0).deployment();
    let text = "x".repeat(250 * 1024);
    deployment["metadata"]["annotations"] = json!({ "example.com/large": text });
    deployment
}

fn labelled() -> Value {
    let mut deployment = Workload::named("labelled").replicas(0).deployment();
    deployment["metadata"]["labels"] = json!(many_labels());
    deployment
}

/// Null where lists and maps may stand, and empty ones.
fn sparse() -> Value {
    let mut deployment = Workload::named("sparse").replicas(0).deployment();
    deployment["spec"]["template"]["spec"]["securityContext"] = json!({});
    deployment["spec"]["template"]["spec"]["containers"][0]["securityContext"] = json!({ "capabilities": {} });
    deployment["spec"]["template"]["spec"]["initContainers"] = json!([]);
    deployment
}

fn everything_of_every_kind() -> Vec<Value> {
    let workload = Workload::named("plain").replicas(0);
    vec![
        workload.stateful_set(),
        Workload::named("daemon").daemon_set(),
        Workload::named("once").job(),
        Workload::named("nightly").cron_job("0 3 * * *"),
        Workload::named("bare").pod(),
    ]
}

#[tokio::test]
async fn hostile_objects_are_judged_and_nothing_panics() -> Result<()> {
    scenario(async |test| {
        let mut objects = vec![policy(&json!({ "mode": "Preview" }))];
        objects.extend([five_hundred_containers(), large_annotations(), labelled(), sparse()]);
        objects.extend(everything_of_every_kind());
        let count = objects.len() - 1;
        apply(test, &objects).await?;
        let operator = Start::new(test).ready().await?;
        let status = until_status(test, "the policy was judged", |status| {
            says(status, types::READY, True, "Reconciled")
        })
        .await?;
        ensure!(status.coverage_percent == Some(100), "{status:?}");
        wait::until("every object is counted", async || {
            let mut all = 0.0;
            for result in ["Pass", "Fail", "NotApplicable", "Unknown"] {
                all += found(test, &operator, "POD-009", result).await?;
            }
            ensure!((all - f64::from(u32::try_from(count)?)).abs() < 0.1, "{all} of {count}");
            Ok(())
        })
        .await?;
        let metrics = operator.metrics().await?;
        ensure!(
            metrics.sum("ironside_panics_total", &[]) == Some(0.0),
            "something panicked"
        );
        ensure!(
            metrics.sum("ironside_unreadable_objects", &[]).is_none(),
            "all could be read"
        );
        let panics: Vec<_> = operator
            .log()?
            .into_iter()
            .filter(|line| line.to_string().contains("panicked"))
            .collect();
        ensure!(panics.is_empty(), "{panics:?}");
        Ok(())
    })
    .await
}
