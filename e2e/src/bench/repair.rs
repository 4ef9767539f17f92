//! Thirty drifts at once with the gates open: how many are repaired, how soon after each could be, and with how many requests.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
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
use super::world::{LABEL, PATIENCE, POLICY, World, is_rolled_out};
use crate::audit::{Entry, tally};
use crate::wait;

const CONTROL: &str = "POD-009";

type Target = (String, String);

pub(super) async fn measure(world: &World<'_>) -> Result<Part> {
    let subject = Subject::start(world, "repair").await?;
    let verify = json!({ "soak": "1s", "minDeadline": "600s", "probation": "1s" });
    let remediation = json!({
        "namespaceSelector": { "matchLabels": { LABEL: "true" } }, "autoApprove": "Medium", "settle": "0s",
        "maxConcurrent": 100, "maxConcurrentPerNamespace": 20, "verify": verify,
        "stopAfter": { "rollbacks": 100, "within": "1h" },
    });
    let spec = json!({
        "mode": "Enforce", "profile": { "name": "None" }, "controls": [{ "id": CONTROL, "mode": "Enforce" }], "remediation": remediation,
        "namespaceSelector": { "matchLabels": { LABEL: "true" } },
    });
    world.cluster_policy(spec).await?;
    let taken = take(world, &subject).await;
    subject.stop().await?;
    let taken = taken?;
    world.no_cluster_policy().await?;
    Ok(taken)
}

async fn take(world: &World<'_>, subject: &Subject) -> Result<Part> {
    let drifts = world.size.drifts;
    let mut scraper = subject.scraper().await?;
    let judged = [("policy", POLICY), ("control", CONTROL), ("result", "Pass")];
    let all = f64::from(u32::try_from(world.size.deployments)?);
    scraper
        .until("the policy is judged", |metrics| {
            metrics.sum("ironside_findings", &judged) == Some(all)
        })
        .await?;
    drop(scraper);
    let before = subject.until_quiet(world).await?;
    let mut deployments = Ear::<Deployment>::open(Api::all(world.client.clone()));
    let mut answers = Times::default();
    let mut drifted: BTreeMap<Target, i64> = BTreeMap::new();
    let began = Instant::now();
    for number in 0..drifts {
        let (namespace, name) = world.target(number);
        let asked = Instant::now();
        let generation = world.set_escalation(&namespace, &name, true).await?;
        answers.add(asked.elapsed());
        drifted.insert((namespace, name), generation);
    }
    let repaired = until_at_rest(world, &drifted).await;
    let took = began.elapsed();
    let after = subject.until_quiet(world).await?;

    let ready = rolled_out(&deployments.all(), &drifted);
    let mut entries = subject.requests(world)?;
    entries.truncate(after);
    let entries = entries.split_off(before);
    let reactions = reactions(&entries, &ready);
    let repaired = repaired?;
    let rows = vec![
        Row::new(
            format!("drifts repaired and verified, of {drifts} at once"),
            format!("{repaired} of {drifts} in {}", seconds(took)),
            format!("{drifts} of {drifts}"),
            format!(
                "of that the rollouts of the drift and of the repair, {} pods each, are the cluster's",
                world.size.replicas
            ),
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
        requests(&entries, drifts)?,
    ];
    Ok(Part {
        rows,
        note: "Repairs: allowPrivilegeEscalation opened on 30 of the 40 Deployments at once; settle 0s, soak 1s, every risk up to Medium approved. A repair \
               waits for the end of the drift's own rollout, so its time counts from the moment at which a kube client's watch hears of that end, to the audit \
               log's time of the answer to the PATCH; dry run and lock are in it. Requests: the operator's in the audit log, from the first drift until it is \
               quiet, without its lease.",
    })
}

/// Waits until all drifts have come to rest, and returns how many were repaired and verified.
async fn until_at_rest(world: &World<'_>, drifted: &BTreeMap<Target, i64>) -> Result<usize> {
    let remediations: Api<HardeningRemediation> = Api::all(world.client.clone());
    wait::until_within(PATIENCE, "every drift was repaired", async || {
        let all = remediations.list(&ListParams::default()).await?.items;
        let of_drift = all.iter().filter(|r| {
            let target = (r.namespace().unwrap_or_default(), r.spec.target.name.clone());
            drifted.contains_key(&target)
        });
        let statuses: Vec<_> = of_drift.filter_map(|remediation| remediation.status.as_ref()).collect();
        let kept = statuses
            .iter()
            .filter(|status| status.phase == Some(Phase::Succeeded))
            .count();
        let others = statuses.iter().filter(|status| status.phase != Some(Phase::Succeeded));
        let some = others
            .take(4)
            .map(|status| (status.phase, &status.reason, &status.message));
        ensure!(
            kept >= drifted.len(),
            "{kept} are; some stand at {:?}",
            some.collect::<Vec<_>>()
        );
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

fn requests(entries: &[Entry], drifts: usize) -> Result<Row> {
    let own: Vec<&Entry> = entries.iter().filter(|entry| entry.resource() != "leases").collect();
    let reads = |verb: &str| own.iter().filter(|entry| entry.verb == verb).count();
    let words: Vec<String> = tally(own.iter().copied())
        .iter()
        .map(|((verb, resource), count)| format!("{count} {verb} {resource}"))
        .collect();
    let number = f64::from(u32::try_from(own.len())?);
    Ok(Row::new(
        "requests a repair, all phases",
        format!(
            "{:.1}; {} LIST, {} GET",
            number / f64::from(u32::try_from(drifts)?),
            reads("list"),
            reads("get")
        ),
        "<= 8; 0 LIST, 0 GET",
        format!("in all: {}", words.join(", ")),
    ))
}
