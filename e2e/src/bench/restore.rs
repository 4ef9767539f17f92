//! An allow of ours that somebody deletes: how soon it is there again.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt};
use serde_json::json;

use super::listen::Ear;
use super::statistics::Times;
use super::subject::Subject;
use super::table::{Part, Row};
use super::world::{PATIENCE, World};
use crate::wait;
use crate::workloads::Workload;

const DENY: &str = "ironside-default-deny-ingress";
const LIMIT: Duration = Duration::from_secs(20);
/// A third deletion within a day would be taken for a fight, and held.
const DELETIONS: usize = 2;
/// Where a plain watch loop does the same.
const BARE: &str = "bench-restore-bare";

pub(super) async fn measure(world: &World<'_>) -> Result<Part> {
    let namespaces: Vec<String> = (0..world.size.isolated).map(|n| format!("bench-restore-{n}")).collect();
    for namespace in &namespaces {
        prepare(world, namespace).await?;
    }
    world.until_rolled_out().await?;
    let subject = Subject::start(world, "restore").await?;
    let taken = take(world, &subject, &namespaces).await;
    subject.stop().await?;
    let (restored, requests) = taken?;
    let bare = bare(world, restored.count()).await?;
    Ok(Part {
        rows: vec![Row::new(
            format!("deleted allow restored, {} deletions: p50 / p99", restored.count()),
            restored.both(),
            "<= 20 / 60 ms",
            format!(
                "a plain kube watch that creates it again {}; requests of the operator: {requests:.1} a deletion",
                bare.both()
            ),
        )],
        note: "Deleted allow: NetworkPolicies that isolating a namespace gave it, deleted one at a time. From before the DELETE is sent to the moment at which \
               a kube client's watch hears of the new one. The loop beside it does the same with one policy that it knows by heart.",
    })
}

/// A namespace that will be isolated, with one allow.
async fn prepare(world: &World<'_>, namespace: &str) -> Result<()> {
    world.namespace(namespace).await?;
    world
        .deploy(namespace, &Workload::named("web").steady().replicas(1))
        .await?;
    let service = json!({
        "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    });
    let services: Api<Service> = Api::namespaced(world.client.clone(), namespace);
    services
        .create(&PostParams::default(), &serde_json::from_value(service)?)
        .await
        .context("create a Service")?;
    let spec = json!({
        "mode": "Enforce", "profile": { "name": "None" }, "controls": [{ "id": "NET-002", "mode": "Enforce" }],
        "remediation": { "autoApprove": "Medium", "settle": "0s", "verify": { "soak": "1s" } },
        "network": { "isolate": ["Ingress"] },
    });
    world.policy(namespace, spec).await
}

async fn take(world: &World<'_>, subject: &Subject, namespaces: &[String]) -> Result<(Times, f64)> {
    let mut allows = Vec::new();
    for namespace in namespaces {
        allows.push((namespace.as_str(), isolated(world, namespace).await?));
    }
    let mut ear = Ear::<NetworkPolicy>::open(Api::all(world.client.clone()));
    ear.first(LIMIT, "the watch works", |_| true).await?;
    let before = subject.until_quiet(world).await?;
    let mut times = Times::default();
    for _ in 0..DELETIONS {
        for (namespace, allow) in &allows {
            let api: Api<NetworkPolicy> = Api::namespaced(world.client.clone(), namespace);
            let old = api.get(allow).await?.uid();
            let began = Instant::now();
            api.delete(allow, &DeleteParams::default()).await?;
            let is_new = |policy: &NetworkPolicy| {
                policy.name_any() == *allow && policy.namespace().as_deref() == Some(*namespace) && policy.uid() != old
            };
            let heard = ear.first(LIMIT, "the allow is back", is_new).await?;
            times.add(heard.at.saturating_duration_since(began));
        }
    }
    let after = subject.until_quiet(world).await?;
    let all = subject.requests(world)?;
    let own = all[before..after].iter().filter(|entry| entry.resource() != "leases");
    let number = u32::try_from(own.count())?;
    Ok((
        times.clone(),
        f64::from(number) / f64::from(u32::try_from(times.count())?),
    ))
}

/// The allow of a namespace, once it is isolated.
async fn isolated(world: &World<'_>, namespace: &str) -> Result<String> {
    let policies: Api<NetworkPolicy> = Api::namespaced(world.client.clone(), namespace);
    wait::until_within(PATIENCE, "the namespace is isolated", async || {
        let list = policies.list(&ListParams::default()).await?;
        let names: Vec<String> = list.iter().map(ResourceExt::name_any).collect();
        ensure!(names.len() == 2 && names.iter().any(|name| name == DENY), "{names:?}");
        names.into_iter().find(|name| name != DENY).context("an allow")
    })
    .await
}

/// The same by a watch loop of a few lines.
async fn bare(world: &World<'_>, number: usize) -> Result<Times> {
    world.namespace(BARE).await?;
    let policy: NetworkPolicy = serde_json::from_value(json!({
        "metadata": { "name": "allow" },
        "spec": { "podSelector": { "matchLabels": { "app": "web" } }, "ingress": [{ "ports": [{ "port": 8080 }] }] },
    }))?;
    let api: Api<NetworkPolicy> = Api::namespaced(world.client.clone(), BARE);
    api.create(&PostParams::default(), &policy).await?;
    let (watched, again) = (api.clone(), policy.clone());
    let keeper = tokio::spawn(async move {
        let mut events = std::pin::pin!(watcher(watched.clone(), watcher::Config::default()).default_backoff());
        while let Some(event) = events.next().await {
            if let Ok(watcher::Event::Delete(_)) = event {
                // What fails is seen by the wait below.
                let _ = watched.create(&PostParams::default(), &again).await;
            }
        }
    });
    let mut ear = Ear::<NetworkPolicy>::open(api.clone());
    let mut last = ear.first(LIMIT, "the watch works", |_| true).await?.object.uid();
    let mut times = Times::default();
    for _ in 0..number {
        let began = Instant::now();
        api.delete("allow", &DeleteParams::default()).await?;
        let heard = ear.first(LIMIT, "it is back", |policy| policy.uid() != last).await?;
        times.add(heard.at.saturating_duration_since(began));
        last = heard.object.uid();
    }
    keeper.abort();
    Ok(times)
}
