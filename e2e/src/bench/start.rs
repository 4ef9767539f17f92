//! From start to all findings, the memory then, and what is used while nothing happens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use http::Request;
use serde_json::{Value, json};

use super::reflector;
use super::statistics::{Times, seconds, thousands};
use super::subject::Subject;
use super::table::{Part, Row};
use super::world::{PATIENCE, World};
use crate::audit::tally;
use crate::operator::Metrics;

/// How long findings must stay the same to be all of them.
const STILL: Duration = Duration::from_secs(3);
/// What the operator logs when every kind was read once, with the seconds since it began to read.
const SYNCED: &str = "everything was looked at once";

/// What a world of some size should cost.
pub(super) struct Goals {
    pub(super) findings: &'static str,
    pub(super) processor: &'static str,
    pub(super) memory: &'static str,
}

pub(super) const SMALL: Goals = Goals {
    findings: "<= 1 s",
    processor: "<= 0.5 s",
    memory: "<= 20 MiB",
};

pub(super) const LARGE: Goals = Goals {
    findings: "",
    processor: "<= 0.35 s for the sync",
    memory: "<= 40 MiB",
};

type Findings = BTreeMap<String, u64>;

/// The rows of the world as it is.
pub(super) async fn measure(world: &World<'_>, goals: &Goals) -> Result<Part> {
    world.cluster_policy(json!({ "mode": "Audit" })).await?;
    let measured = rows(world, goals).await;
    // A team's policy is bounded by what a cluster's policy delegates: the other parts need theirs alone.
    world.no_cluster_policy().await?;
    measured
}

async fn rows(world: &World<'_>, goals: &Goals) -> Result<Part> {
    let expected = settled(world).await?;
    let mut starts = Starts::default();
    for _ in 1..world.size.starts {
        starts.time(world, &expected).await?.stop().await?;
    }
    let subject = starts.time(world, &expected).await?;
    let idle = idle(world, &subject).await?;
    let memory = subject.memory()?;
    let paths = listed(world, &subject)?;
    subject.stop().await?;

    let list = raw_lists(world, &paths).await?;
    let reflector = reflector::cost(world.cluster.kubeconfig()).await?;
    let pods = thousands(reflector.pods);
    let sync = starts.sync.percentile(50);
    let ratio = sync.as_secs_f64() / list.percentile(50).as_secs_f64();
    let rows = vec![
        Row::new(
            format!(
                "{pods} pods: start to all {} findings, p50 of {}",
                thousands(usize::try_from(expected.values().sum::<u64>())?),
                starts.findings.count()
            ),
            seconds(starts.findings.percentile(50)),
            goals.findings,
            format!(
                "a kube-rs reflector of the Pods alone is full after {}",
                seconds(reflector.sync)
            ),
        ),
        Row::new(
            format!("{pods} pods: processor time of the operator until then, p50"),
            seconds(starts.processor.percentile(50)),
            goals.processor,
            format!("that reflector until it is full {}", seconds(reflector.processor)),
        ),
        Row::new(
            format!("{pods} pods: first sync of all {} kinds, p50", paths.len()),
            format!("{} = {ratio:.2} x raw LIST", seconds(sync)),
            "<= 1.2 x raw LIST",
            format!(
                "raw LIST of the same kinds at once, bodies read and not decoded {}",
                seconds(list.percentile(50))
            ),
        ),
        Row::new(
            format!("{pods} pods: resident memory, idle (peak)"),
            memory.to_string(),
            goals.memory,
            format!("that reflector {}", reflector.memory),
        ),
        Row::new(
            format!("{pods} pods: requests, idle"),
            idle.requests,
            "<= 0.2 /s",
            idle.what,
        ),
        Row::new(
            format!("{pods} pods: processor, idle"),
            idle.processor,
            "<= 0.05 % of a core",
            format!("watched for {} s", world.size.idle.as_secs()),
        ),
    ];
    Ok(Part {
        rows,
        note: "Start: from before fork to the first scrape of /metrics whose ironside_findings equal those of an operator that has settled, all controls \
               of profile NsaCisa; scraped every few milliseconds. Processor time is user and system of all threads at that moment, scrapes included. \
               First sync: what the operator logs, from its first LIST to the moment at which it has decoded and indexed every kind. Idle: from the moment at \
               which three seconds brought no request but the lease's.",
    })
}

/// What an operator with time finds.
async fn settled(world: &World<'_>) -> Result<Findings> {
    let subject = Subject::start(world, "settling").await?;
    let mut scraper = subject.scraper().await?;
    let (mut seen, mut since) = (Findings::new(), Instant::now());
    let enough = u64::try_from(world.size.deployments)?;
    let began = Instant::now();
    while seen.values().sum::<u64>() < enough || since.elapsed() < STILL {
        ensure!(began.elapsed() < PATIENCE, "findings never settle: {seen:?}");
        let now = findings(&scraper.scrape().await?);
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        tokio::time::sleep(STILL / 30).await;
    }
    subject.stop().await?;
    Ok(seen)
}

#[derive(Default)]
struct Starts {
    findings: Times,
    processor: Times,
    sync: Times,
}

impl Starts {
    async fn time(&mut self, world: &World<'_>, expected: &Findings) -> Result<Subject> {
        let subject = Subject::start(world, "start").await?;
        let mut scraper = subject.scraper().await?;
        loop {
            let seen = findings(&scraper.scrape().await?);
            let now = Instant::now();
            if seen == *expected {
                self.findings.add(now - subject.began);
                self.processor.add(subject.processor_time()?);
                self.sync.add(synced(&subject)?);
                return Ok(subject);
            }
            ensure!(
                subject.began.elapsed() < PATIENCE,
                "a restarted operator finds something else than the one before: {seen:?} and {expected:?}"
            );
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }
}

fn synced(subject: &Subject) -> Result<Duration> {
    let log = subject.log()?;
    let line = log.iter().find(|line| line["message"] == SYNCED);
    let seconds = line.and_then(|line| line["seconds"].as_f64());
    seconds
        .map(Duration::from_secs_f64)
        .with_context(|| format!("the operator does not log `{SYNCED}`"))
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

struct Idle {
    requests: String,
    what: String,
    processor: String,
}

async fn idle(world: &World<'_>, subject: &Subject) -> Result<Idle> {
    let span = world.size.idle;
    let before = subject.until_quiet(world).await?;
    let processor = subject.fine_processor_time()?;
    tokio::time::sleep(span).await;
    let processor = subject.fine_processor_time()?.saturating_sub(processor);
    let entries = subject.requests(world)?;
    let counts = tally(entries.iter().skip(before));
    let number = u32::try_from(counts.values().sum::<usize>())?;
    let words: Vec<String> = counts
        .iter()
        .map(|((verb, resource), count)| format!("{count} {verb} {resource}"))
        .collect();
    Ok(Idle {
        requests: format!("{:.2} /s", f64::from(number) / span.as_secs_f64()),
        what: format!("in {} s: {}", span.as_secs(), words.join(", ")),
        processor: format!(
            "{:.3} % of a core",
            100.0 * processor.as_secs_f64() / span.as_secs_f64()
        ),
    })
}

/// The collections that the operator read at its start.
fn listed(world: &World<'_>, subject: &Subject) -> Result<BTreeSet<String>> {
    let requests = subject.requests(world)?;
    let lists = requests
        .iter()
        .filter(|entry| entry.verb == "list" && entry.code() == 200);
    Ok(lists
        .filter_map(|entry| entry.uri.split('?').next().map(str::to_owned))
        .collect())
}

/// All of them at once by a client that does nothing else, each in one piece.
async fn raw_lists(world: &World<'_>, paths: &BTreeSet<String>) -> Result<Times> {
    let mut times = Times::default();
    for _ in 0..world.size.starts {
        let client = world.cluster.client().await?;
        let began = Instant::now();
        let lists = paths.iter().map(async |path| {
            let request = Request::get(path).body(Vec::new())?;
            let body = client
                .request_text(request)
                .await
                .with_context(|| format!("list {path}"))?;
            anyhow::Ok(body.len())
        });
        let sizes = futures::future::try_join_all(lists).await?;
        times.add(began.elapsed());
        ensure!(
            sizes.iter().sum::<usize>() > world.size.deployments * world.size.replicas,
            "lists of objects"
        );
    }
    Ok(times)
}

/// Edits of the policy, each of which lets everything be judged again, until the metrics show it.
pub(super) async fn edits(world: &World<'_>) -> Result<Part> {
    const CONTROL: &str = "POD-009";
    world.cluster_policy(json!({ "mode": "Audit" })).await?;
    let subject = Subject::start(world, "edits").await?;
    let mut scraper = subject.scraper().await?;
    let of_control = [("policy", super::world::POLICY), ("control", CONTROL)];
    let shown = |metrics: &Metrics| {
        metrics
            .sum("ironside_findings", &of_control)
            .is_some_and(|count| count > 0.0)
    };
    scraper.until("the policy is judged", shown).await?;
    let (mut times, mut answers) = (Times::default(), Times::default());
    for number in 0..world.size.edits {
        let mode = if number % 2 == 0 { "Disabled" } else { "Audit" };
        let controls: Value = json!([{ "id": CONTROL, "mode": mode }]);
        let began = Instant::now();
        world
            .cluster_policy(json!({ "mode": "Audit", "controls": controls }))
            .await?;
        answers.add(began.elapsed());
        let at = scraper
            .until("the edit is in the metrics", |metrics| {
                shown(metrics) == (mode == "Audit")
            })
            .await?;
        times.add(at.saturating_duration_since(began));
    }
    let pods = world.pods().await?;
    subject.stop().await?;
    Ok(Part {
        rows: vec![Row::new(
            format!(
                "{} pods: policy edit to all judged again, in metrics: p50 / p99 of {}",
                thousands(pods),
                times.count()
            ),
            times.both(),
            "<= 1 s",
            format!("the edit's own request answered {}", answers.both()),
        )],
        note: "Policy edit: one control withdrawn and asked for again; from before the request is sent to the first scrape that shows it.",
    })
}
