//! From start to all findings, the memory then, and what is asked of the API server while nothing happens.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use http::Request;
use serde_json::json;

use super::reflector;
use super::statistics::{Times, millis, seconds};
use super::subject::{Subject, mebibytes};
use super::table::{Part, Row};
use super::world::{DEPLOYMENTS, REPLICAS, World};
use crate::audit::tally;
use crate::operator::Metrics;
use crate::wait;

/// Starts that are timed.
const RUNS: usize = 5;
/// How long findings must stay the same to be all of them.
const STILL: Duration = Duration::from_secs(3);
/// How long idleness is watched.
const IDLE: Duration = Duration::from_secs(20);

type Findings = BTreeMap<String, u64>;

pub(super) async fn measure(world: &World<'_>) -> Result<Part> {
    world.cluster_policy(json!({ "mode": "Audit" })).await?;
    let expected = settled(world).await?;
    let (mut times, mut processor) = (Times::default(), Times::default());
    for run in 1..RUNS {
        let subject = timed(world, run, &expected, &mut times, &mut processor).await?;
        subject.stop().await?;
    }
    let subject = timed(world, RUNS, &expected, &mut times, &mut processor).await?;
    let idle = idle(world, &subject).await?;
    let memory = subject.memory()?;
    subject.stop().await?;

    let list = raw_list(world).await?;
    let reflector = reflector::cost(world.cluster.kubeconfig()).await?;
    let pods = reflector.pods;
    let findings: u64 = expected.values().sum();
    let rows = vec![
        Row::new(
            format!("start to all {findings} findings, {pods} pods: p50 of {RUNS}"),
            seconds(times.percentile(50)),
            "<= 1 s",
            format!(
                "raw LIST of the Pods {}, kube-rs reflector of Pods {}",
                seconds(list.percentile(50)),
                seconds(reflector.sync)
            ),
        ),
        Row::new(
            "processor time of the operator until then: p50",
            seconds(processor.percentile(50)),
            "<= 0.5 s",
            "",
        ),
        Row::new(
            format!("resident memory, idle, {pods} pods"),
            mebibytes(memory),
            "<= 20 MiB",
            format!("kube-rs reflector of Pods alone {}", mebibytes(reflector.memory)),
        ),
        Row::new("requests a second, idle", idle.0, "<= 0.2 /s", idle.1),
    ];
    Ok(Part {
        rows,
        note: "Start: from before fork to the first scrape of /metrics whose ironside_findings equal those of an operator that has settled, all controls \
               of profile NsaCisa; scraped every few milliseconds. Processor time is user and system of all threads at that moment, scrapes included. \
               Idle requests: audit log, 20 s after the last request that was not the lease's. The LIST is one request, its body read and not decoded.",
    })
}

/// What an operator with time finds.
async fn settled(world: &World<'_>) -> Result<Findings> {
    let subject = Subject::start(world, "settling").await?;
    let mut scraper = subject.scraper().await?;
    let (mut seen, mut since) = (Findings::new(), Instant::now());
    let enough = u64::try_from(DEPLOYMENTS)?;
    let began = Instant::now();
    while seen.values().sum::<u64>() < enough || since.elapsed() < STILL {
        anyhow::ensure!(
            began.elapsed() < super::world::PATIENCE,
            "findings never settle: {seen:?}"
        );
        let now = findings(&scraper.scrape().await?);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        tokio::time::sleep(STILL / 30).await;
    }
    subject.stop().await?;
    Ok(seen)
}

async fn timed(
    world: &World<'_>,
    run: usize,
    expected: &Findings,
    times: &mut Times,
    processor: &mut Times,
) -> Result<Subject> {
    let subject = Subject::start(world, &format!("start-{run}")).await?;
    let mut scraper = subject.scraper().await?;
    loop {
        let complete = findings(&scraper.scrape().await?) == *expected;
        let now = Instant::now();
        if complete {
            times.add(now - subject.began);
            processor.add(subject.processor_time()?);
            return Ok(subject);
        }
        anyhow::ensure!(
            subject.began.elapsed() < super::world::PATIENCE,
            "the findings of a restarted operator differ from those before"
        );
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

fn findings(metrics: &Metrics) -> Findings {
    let samples = metrics.of("ironside_findings", &[]);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of objects are small whole numbers"
    )]
    samples
        .map(|sample| (format!("{:?}", sample.labels), sample.value as u64))
        .collect()
}

/// Requests a second, and what they were.
async fn idle(world: &World<'_>, subject: &Subject) -> Result<(String, String)> {
    let before = wait::until("the start is over", async || {
        let before = subject.requests(world)?.len();
        tokio::time::sleep(Duration::from_secs(3)).await;
        let after = subject.requests(world)?;
        let busy = after.iter().skip(before).any(|entry| entry.resource() != "leases");
        anyhow::ensure!(!busy, "it still writes");
        Ok(after.len())
    })
    .await?;
    tokio::time::sleep(IDLE).await;
    let entries = subject.requests(world)?;
    let counts = tally(entries.iter().skip(before));
    let number: usize = counts.values().sum();
    let words: Vec<String> = counts
        .iter()
        .map(|((verb, resource), count)| format!("{count} {verb} {resource}"))
        .collect();
    let number = u32::try_from(number)?;
    Ok((
        format!("{:.2} /s", f64::from(number) / IDLE.as_secs_f64()),
        format!("in 20 s: {}", words.join(", ")),
    ))
}

async fn raw_list(world: &World<'_>) -> Result<Times> {
    let mut times = Times::default();
    for _ in 0..RUNS {
        let request = Request::get("/api/v1/pods?resourceVersion=0").body(Vec::new())?;
        let began = Instant::now();
        let body = world.client.request_text(request).await.context("list the Pods")?;
        times.add(began.elapsed());
        anyhow::ensure!(body.len() > DEPLOYMENTS * REPLICAS, "a list of pods");
    }
    tracing::debug!(p50 = millis(times.percentile(50)), "raw list");
    Ok(times)
}
