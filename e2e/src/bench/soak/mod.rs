//! The soak: random churn, faults and policy edits on about 1,000 pods for half an hour, and what must be true at its end.
//!
//! The same seed gives the same choices; what comes of them also depends on the machine's time.

mod churn;
mod faults;
mod verdict;

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use self::faults::{Faults, Order};
use self::verdict::Growth;
use super::subject::Subject;
use super::world::{Size, World};
use crate::chance::Chance;
use crate::cluster::{Cluster, Options};
use crate::operator::Metrics;
use crate::progress::say;
use crate::proxy::Proxy;

/// A churn every so often: on two cores rollouts of 25 pods are what limits it.
const ACTION: Duration = Duration::from_secs(3);
const SAMPLE: Duration = Duration::from_secs(5);
const LINE: Duration = Duration::from_secs(30);
/// The operator is killed only in the first third: after that one process lives to the end, and its memory can be compared.
const WARM_UP: u32 = 3;

/// What a person can choose.
#[derive(Debug, Clone, Copy)]
pub struct Choices {
    /// How long.
    pub minutes: u64,
    /// Which choices; of an earlier run, to have it again.
    pub seed: Option<u64>,
    /// Fifty pods instead of a thousand: to see that it works.
    pub quick: bool,
}

/// Runs the soak on a control plane of its own, prints a line each half minute, and judges at the end.
///
/// # Errors
/// The control plane cannot be made, or something is not as it must be at the end: memory grew, something stayed unknown, a drift was not answered, a
/// workload is less available.
pub async fn run(choices: Choices) -> Result<()> {
    let chosen = || u64::try_from(jiff::Timestamp::now().as_microsecond()).unwrap_or_default();
    let seed = choices.seed.unwrap_or_else(chosen);
    print(&format!("soak of {} minutes, seed {seed}", choices.minutes))?;
    let size = if choices.quick { Size::QUICK } else { Size::FULL };
    // Rollouts add a quarter, and a Deployment that is created anew has its old pods beside it for a moment.
    let nodes = (size.deployments * size.replicas).div_ceil(250) + 4;
    let cluster = Cluster::dedicated(Options {
        nodes,
        ..Options::default()
    })
    .await?;
    let soaked = soak(&cluster, size, Duration::from_secs(60 * choices.minutes), seed).await;
    let stopped = cluster.stop().await;
    soaked
        .with_context(|| format!("the soak with seed {seed}"))
        .and(stopped)
}

async fn soak(cluster: &Cluster, size: Size, length: Duration, seed: u64) -> Result<()> {
    cluster.install().await?;
    say("making the world");
    let world = World::make(cluster, size).await?;
    world.cluster_policy(churn::policy()).await?;
    let faults = Faults::new(Proxy::start(cluster).await?);
    let subject = Subject::start_at(&world, "soak", Some(faults.address())).await?;
    let before = verdict::until_calm(&world, &subject, None).await?;
    let mut soak = Soak {
        world: &world,
        chance: Chance::of(seed),
        faults,
        subject,
        began: Instant::now(),
        length,
        growth: Growth::default(),
        starts: 1,
        actions: 0,
        lost: 0,
    };
    soak.churn().await?;
    say("no more faults: waiting until everything is answered");
    world.cluster_policy(churn::policy()).await?;
    world.until_rolled_out().await?;
    let after = verdict::until_calm(&world, &soak.subject, Some(before)).await?;
    let answers = verdict::answers(&world).await?;
    // A repair that started meanwhile has rolled out, too.
    world.until_rolled_out().await?;
    soak.tell().await?;
    print(&format!(
        "every drift is answered: {answers}; {after}; every Deployment is fully available"
    ))?;
    print(&soak.growth.judge()?)?;
    // The proxy must live as long as the operator.
    soak.subject.stop().await
}

struct Soak<'a> {
    world: &'a World<'a>,
    chance: Chance,
    faults: Faults,
    subject: Subject,
    began: Instant,
    length: Duration,
    growth: Growth,
    starts: usize,
    actions: usize,
    lost: usize,
}

impl Soak<'_> {
    async fn churn(&mut self) -> Result<()> {
        let (mut action, mut sample, mut line) = (Instant::now(), Instant::now(), Instant::now());
        while self.began.elapsed() < self.length {
            let now = Instant::now();
            let warm = self.began.elapsed() >= self.length / WARM_UP;
            if self.faults.step(&mut self.chance, !warm) == Order::Kill {
                self.subject.kill();
                self.subject = Subject::start_at(self.world, "soak", Some(self.faults.address())).await?;
                self.starts += 1;
            }
            self.subject.must_run()?;
            if now >= action {
                action = now + ACTION;
                let done = churn::act(self.world, &mut self.chance).await?;
                self.actions += 1;
                self.lost += usize::from(done == churn::LOST_RACE);
            }
            if now >= sample {
                sample = now + SAMPLE;
                if warm {
                    self.growth.add(self.subject.memory()?.now);
                }
            }
            if now >= line {
                line = now + LINE;
                self.tell().await?;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        self.faults.clear();
        Ok(())
    }

    async fn tell(&self) -> Result<()> {
        // One that was just started again may not listen yet.
        let metrics = async { self.subject.scraper().await?.scrape().await };
        let metrics = metrics.await.unwrap_or_default();
        print(&format!(
            "{:>5} s  {} resident  {} acts ({} lost races)  {} faults  {} starts  {}",
            self.began.elapsed().as_secs(),
            self.subject.memory()?,
            self.actions,
            self.lost,
            self.faults.count,
            self.starts,
            standing(&metrics)
        ))
    }
}

/// Failures, coverage, and how the repairs stand.
fn standing(metrics: &Metrics) -> String {
    let failing = metrics.sum("ironside_findings", &[("control", "POD-009"), ("result", "Fail")]);
    let coverage = metrics.sum("ironside_coverage_ratio", &[]).unwrap_or_default();
    let phases = metrics
        .of("ironside_remediations", &[])
        .filter(|sample| sample.value > 0.0);
    let phases: Vec<String> = phases
        .map(|sample| {
            let phase = sample.labels.get("phase").map_or("", String::as_str);
            format!("{} {phase}", sample.value)
        })
        .collect();
    format!(
        "{} failing, coverage {coverage:.2}, repairs: {}",
        failing.unwrap_or_default(),
        phases.join(", ")
    )
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("write to standard output")
}
