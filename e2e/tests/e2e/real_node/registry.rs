//! Images from a real registry: what is pulled, what is not there, and what is gone when a repair needs it.

use anyhow::{Context as _, Result, ensure};
use ironside_crds::Phase;
use ironside_e2e::node::images::NEEDS;
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::node::registry::{ADDRESS, Registry};
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::workloads::Workload;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{LONG, NODE, asked_all_the_time, rolled_out, running, server, service};
use crate::decisions::Person;
use crate::repair::{policy, template, until_it_stands};

/// Two replicas of an image that is asked for anew at every start.
fn pulled(name: &str, image: &str) -> Workload {
    let image = image.to_owned();
    server(name, "").template(move |template| {
        let container = &mut template["spec"]["containers"][0];
        container["image"] = json!(image);
        container["imagePullPolicy"] = json!("Always");
    })
}

async fn statuses(test: &Scenario<'_>, app: &str) -> Result<Vec<Value>> {
    let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
    let pods = pods.list(&ListParams::default().labels(&format!("app={app}"))).await?;
    let statuses = pods.items.iter().map(|pod| {
        let status = serde_json::to_value(&pod.status)?;
        Ok(status["containerStatuses"][0].clone())
    });
    statuses.collect()
}

#[tokio::test]
async fn a_repair_whose_image_is_gone_is_taken_back_and_no_control_is_blamed() -> Result<()> {
    let _turn = NODE.lock().await;
    scenario_on_a_node(async |test| {
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let registry = Registry::start(test.cluster.node()?, test.folder()).await?;
        let image = registry.push(NEEDS, "shop/web", "1").await?;
        ensure!(registry.tags("shop/web").await? == json!(["1"]));

        running(&test.client, &test.namespace, &pulled("web", &image)).await?;
        test.apply(&[service("web")]).await?;
        // What was pulled is named by its digest, which the registry computes, too.
        for status in statuses(test, "web").await? {
            let digest = status["imageID"]
                .as_str()
                .and_then(|id| id.split_once('@'))
                .context("a digest")?;
            ensure!(digest.0 == format!("{ADDRESS}/shop/web"), "{status}");
            ensure!(digest.1.starts_with("sha256:"), "{status}");
        }

        // A tag that nobody pushed.
        let missing = pulled("missing", &image.replace(":1", ":2")).replicas(1);
        test.apply(&[missing.deployment()]).await?;
        wait::until_within(LONG, "the missing tag is said to be missing", async || {
            let status = statuses(test, "missing")
                .await?
                .into_iter()
                .next()
                .context("no pod yet")?;
            let waiting = &status["state"]["waiting"];
            ensure!(
                matches!(waiting["reason"].as_str(), Some("ErrImagePull" | "ImagePullBackOff")),
                "{status}"
            );
            ensure!(
                waiting["message"].as_str().is_some_and(|it| it.contains("not found")),
                "{status}"
            );
            Ok(())
        })
        .await?;
        let kubectl = test.cluster.kubectl()?;
        let delete = ["delete", "deployment", "missing", "--namespace", &test.namespace];
        kubectl.run(&delete).await?;

        // The registry goes down, and then a repair needs a new pod.
        registry.stop().await?;
        let before = template(test, "web").await?;
        let held = asked_all_the_time(test, "web", async || {
            test.apply(&[policy(&["POD-009"])]).await?;
            // A tag may mean another image by now: a human's to weigh.
            let waiting = until_it_stands(test, Phase::Pending, "AwaitingApproval").await?;
            let plan = waiting.status.and_then(|it| it.plan).context("a plan")?;
            ensure!(plan.risk_reasons.iter().any(|it| it.contains(&image)), "{plan:?}");
            let approve = ["approve", "deployment/web", "--plan", &plan.hash[..12]];
            Person::admin(test).decides(&approve).await?;
            until_it_stands(test, Phase::Held, "Environment").await
        });
        let memory = held.await?.status.context("a status")?.memory;
        ensure!(memory.failures.len() == 1, "{memory:?}");
        ensure!(memory.failures[0].reason == "ImagePull", "{memory:?}");
        ensure!(
            template(test, "web").await? == before,
            "the template is exactly the one before"
        );
        rolled_out(&test.client, &test.namespace, "web").await
    })
    .await
}
