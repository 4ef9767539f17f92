//! The same story on a real node: a small shop of real containers that ask each other, Ironside as pods, and a client that
//! never stops asking and counts what it loses.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::{Pod, Service};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

use super::apps;
use super::story::{Story, is_at_rest, put_back};
use super::voice::{Mark, Voice};
use crate::cluster::{Cluster, Options};
use crate::node::ironside::Overlay;
use crate::node::obstacle::obstacle;
use crate::node::{ask, relay};
use crate::wait;

/// Rollouts, crash loops and rollbacks of five services on a busy machine.
const LONG: Duration = Duration::from_mins(5);
const NAMESPACE: &str = "shop";
/// Deployments of the shop.
const SERVICES: usize = 5;

/// Runs it from start to end.
pub(super) async fn run(keep: bool) -> Result<()> {
    if let Some(obstacle) = obstacle() {
        bail!("{obstacle}; `make demo` without NODE=real needs none of that");
    }
    let voice = Voice::new(Instant::now());
    voice.chapter("A cluster with a real node");
    let cluster = Cluster::dedicated(Options::with_nodes(1)).await?;
    let client = cluster.client().await?;
    voice
        .say("kubelet, containerd and runc in private namespaces of this machine: a kernel decides what pods survive.");

    voice.chapter("A shop of real containers");
    let shop = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("demo/real");
    apps::apply(&cluster, &client, Some(&shop), &voice).await?;
    let asking = start_to_ask(&cluster, &client, &voice).await?;

    voice.chapter("Ironside, as pods, from config/overlays/remediate");
    cluster.install_as_pods(Overlay::Remediate).await?;
    let pods = ["get", "pods", "-n", "ironside-system", "-o", "wide"];
    voice.quote(&cluster.kubectl()?.run(&pods).await?);

    voice.chapter("Repairs, while it happens");
    let told = repairs(&cluster, &client, &voice).await;
    let tally = asking.tally().await?;
    told?;

    voice.chapter("After");
    for line in users(&client).await? {
        voice.quote(&line);
    }
    voice.quote(&cluster.kubectl()?.run(&["get", "hrem", "-n", NAMESPACE]).await?);
    let mark = if tally.lost.is_empty() { Mark::Good } else { Mark::Bad };
    let (asked, lost) = (tally.asked, tally.lost.len());
    voice.event(
        mark,
        &format!("the client asked the shop {asked} times and lost {lost} answers"),
    );
    for line in tally.lost.iter().take(10) {
        voice.quote(line);
    }
    if keep {
        voice.say(&format!("export KUBECONFIG={}", cluster.kubeconfig().display()));
        voice.say("Everything stays up. Ctrl-C ends it.");
        tokio::signal::ctrl_c().await?;
    }
    cluster.stop().await
}

/// Starts the client once the whole chain of services answers.
async fn start_to_ask(cluster: &Cluster, client: &Client, voice: &Voice) -> Result<ask::Client> {
    let services: Api<Service> = Api::namespaced(client.clone(), NAMESPACE);
    let spec = services.get("web").await?.spec.unwrap_or_default();
    let address = format!("{}:80", spec.cluster_ip.unwrap_or_default());
    let dial = cluster.node()?.dial.clone();
    wait::until("the shop answers", async || {
        match relay::get(&dial, &address, "/").await? {
            (200, _) => Ok(()),
            (status, body) => bail!("{status} {body}"),
        }
    })
    .await?;
    voice.say("A client asks the storefront all the time, from now to the end; each page asks all other services.");
    Ok(ask::Client::start(dial, address))
}

async fn repairs(cluster: &Cluster, client: &Client, voice: &Voice) -> Result<()> {
    let policy = include_str!("../../demo/policy.yaml").replace("mode: Audit", "mode: Enforce");
    voice.say("$ kubectl apply -n shop -f policy.yaml   # with mode: Enforce");
    let apply = ["apply", "-n", NAMESPACE, "-f", "-"];
    cluster.kubectl()?.run_with_input(&apply, &policy).await?;
    let mut story = Story::default();
    let all = story
        .until(client, voice, LONG, "every repair has come to rest", |all| {
            all.len() >= SERVICES && all.iter().all(is_at_rest)
        })
        .await?;
    let broke: Vec<String> = all.iter().filter_map(put_back).collect();
    voice.say(&format!(
        "{} repairs at rest, {} of them put back first ({}).",
        all.len(),
        broke.len(),
        broke.join("; ")
    ));
    Ok(())
}

/// Whom the kernel runs each container as, and what the template says now.
async fn users(client: &Client) -> Result<Vec<String>> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let mut lines = Vec::new();
    for pod in pods.list(&ListParams::default()).await?.items {
        if pod.metadata.deletion_timestamp.is_some() {
            continue; // of before, on its way out
        }
        let status = serde_json::to_value(&pod.status)?;
        let user = &status["containerStatuses"][0]["user"]["linux"]["uid"];
        let spec = pod.spec.as_ref().context("a pod has a spec")?;
        let context = serde_json::to_string(&spec.containers[0].security_context)?;
        lines.push(format!("{}: uid {user}, {context}", pod.name_any()));
    }
    Ok(lines)
}
