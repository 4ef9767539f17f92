//! Thirty drifts at once with the gates open: how many are repaired, how soon after each could be, and with how many requests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ironside_crds::{HardeningRemediation, Phase};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use serde_json::json;

use super::listen::Ear;
use super::statistics::{Times, seconds};
use super::subject::Subject;
use super::table::{Part, Row};
use super::world::{PATIENCE, World, is_rolled_out, target};
use crate::audit::{Entry, tally};
use crate::wait;

const DRIFTS: usize = 30;
const CONTROL: &str = "POD-009";

type Target = (String, String);

pub(super) async fn measure(world: &World<'_>) -> Result<Part> {
    let verify = json!({ "soak": "1s", "minDeadline": "600s", "probation": "1s" });
    let remediation = json!({
        "namespaceSelector": {}, "autoApprove": "Medium", "settle": "0s", "maxConcurrent": 100,
        "maxConcurrentPerNamespace": 20, "verify": verify, "stopAfter": { "rollbacks": 100, "within": "1h" },
    });
    world.no_cluster_policy().await?;
    let subject = Subject::start(world, "repair").await?;
    let spec = json!({
        "mode": "Enforce", "profile": { "name": "None" }, "controls": [{ "id": CONTROL }], "remediation": remediation,
    });
    world.cluster_policy(spec).await?;
    let taken = take(world, &subject).await;
    subject.stop().await?;
    taken
}

async fn take(world: &World<'_>, subject: &Subject) -> Result<Part> {
    let mut scraper = subject.scraper().await?;
    let judged = [
        ("policy", super::world::POLICY),
        ("control", CONTROL),
        ("result", "pass"),
    ];
    scraper
        .until("the policy is judged", |metrics| {
            metrics
                .sum("ironside_findings", &judged)
                .is_some_and(|count| count >= 40.0)
        })
        .await?;
    drop(scraper);
    let before = subject.requests(world)?.len();
    let mut deployments = Ear::<Deployment>::open(Api::all(world.client.clone()));
    let mut answers = Times::default();
    let mut drifted: BTreeMap<Target, i64> = BTreeMap::new();
    let began = Instant::now();
    for number in 0..DRIFTS {
        let (namespace, name) = target(number);
        let asked = Instant::now();
        let generation = world.set_escalation(&namespace, &name, true).await?;
        answers.add(asked.elapsed());
        drifted.insert((namespace, name), generation);
    }
    let repaired = until_at_rest(world).await;
    let took = began.elapsed();

    let ready = rolled_out(&deployments.all(), &drifted);
    let entries = subject.requests(world)?.split_off(before);
    let reactions = reactions(&entries, &ready);
    let repaired = repaired?;
    let rows = vec![
        Row::new(
            format!("drifts repaired and verified, of {DRIFTS} at once"),
            format!("{repaired} in {}", seconds(took)),
            format!("{DRIFTS} of {DRIFTS}"),
            "of that, the drift's rollout and the repair's, 25 pods each, are the cluster's",
        ),
        Row::new(
            format!(
                "drift rolled out to repair accepted, {} repairs: p50 / p99",
                reactions.count()
            ),
            reactions.both(),
            "p50 <= 50 ms",
            format!("the drift's own PATCH answered: {}", answers.both()),
        ),
        requests(&entries)?,
    ];
    Ok(Part {
        rows,
        note: "Repairs: allowPrivilegeEscalation opened on 30 of the 40 Deployments at once; settle 0s, soak 1s, every risk up to Medium approved. A repair \
               waits for the end of the drift's own rollout, so its time counts from the moment at which a kube client's watch hears of that end, to the audit \
               log's time of the answer to the PATCH; dry run and lock are in it. Requests: the operator's in the audit log, without its lease.",
    })
}

/// Waits until all drifts have come to rest, and returns how many were kept.
async fn until_at_rest(world: &World<'_>) -> Result<usize> {
    let remediations: Api<HardeningRemediation> = Api::all(world.client.clone());
    wait::until_within(PATIENCE, "every drift was repaired", async || {
        let all = remediations.list(&ListParams::default()).await?.items;
        let kept = all.iter().filter(|r| {
            let of_world = r
                .namespace()
                .is_some_and(|n| n != "bench-drift" && n != "bench-rollback");
            let phase = r.status.as_ref().and_then(|s| s.phase);
            of_world && matches!(phase, Some(Phase::Probation | Phase::Succeeded))
        });
        let kept = kept.count();
        let phases: Vec<_> = all
            .iter()
            .filter_map(|r| {
                r.status
                    .as_ref()
                    .map(|s| (s.phase, s.reason.as_str(), s.message.as_str()))
            })
            .take(4)
            .collect();
        ensure!(kept >= DRIFTS, "{kept} are; some stand at {phases:?}");
        Ok(kept)
    })
    .await
}

/// When each drift was rolled out, as far as it was heard of.
fn rolled_out(
    heard: &[super::listen::Heard<Deployment>],
    drifted: &BTreeMap<Target, i64>,
) -> BTreeMap<Target, Timestamp> {
    let mut ready = BTreeMap::new();
    for heard in heard {
        let deployment = &heard.object;
        let target = (deployment.namespace().unwrap_or_default(), deployment.name_any());
        let is_drift = drifted.get(&target).copied() == deployment.metadata.generation;
        if is_drift && is_rolled_out(deployment) {
            ready.entry(target).or_insert(heard.time);
        }
    }
    ready
}

fn reactions(entries: &[Entry], ready: &BTreeMap<Target, Timestamp>) -> Times {
    let mut times = Times::default();
    for entry in entries.iter().filter(|entry| entry.is_write() && entry.code() == 200) {
        let Some(object) = entry.object_ref.as_ref().filter(|o| o.resource == "deployments") else {
            continue;
        };
        let target = (object.namespace.clone(), object.name.clone());
        if let (Some(ready), Ok(accepted)) = (ready.get(&target), entry.stage_timestamp.parse::<Timestamp>()) {
            // The operator may hear of it a moment before the bench does.
            times.add(Duration::try_from(accepted.duration_since(*ready)).unwrap_or_default());
        }
    }
    times
}

fn requests(entries: &[Entry]) -> Result<Row> {
    let own: Vec<&Entry> = entries.iter().filter(|entry| entry.resource() != "leases").collect();
    let counts = tally(own.iter().copied());
    let reads = |verb: &str| own.iter().filter(|entry| entry.verb == verb).count();
    let words: Vec<String> = counts
        .iter()
        .map(|((verb, resource), count)| format!("{count} {verb} {resource}"))
        .collect();
    let number = u32::try_from(own.len())?;
    let drifts = u32::try_from(DRIFTS).context("a small number")?;
    Ok(Row::new(
        "requests a repair, all phases",
        format!(
            "{:.1}; {} LIST, {} GET",
            f64::from(number) / f64::from(drifts),
            reads("list"),
            reads("get")
        ),
        "<= 8; 0 LIST, 0 GET",
        format!("in all: {}", words.join(", ")),
    ))
}
