//! The operator as the thing that is measured: one process, its processor time and memory, its metrics over one connection.

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::world::World;
use crate::audit::Entry;
use crate::binaries::workspace_program;
use crate::controlplane::ports;
use crate::install::{self, Credential};
use crate::operator::Metrics;
use crate::tether::Tethered;
use crate::wait;

/// Longest wait for something that takes milliseconds.
const PATIENCE: Duration = Duration::from_mins(2);
/// A pause between two looks at a process that starts; well below what is measured.
const PAUSE: Duration = Duration::from_millis(2);
/// Without a request for so long it has nothing left to do.
const QUIET: Duration = Duration::from_secs(3);

/// Subjects so far: each has files of its own.
static NUMBER: AtomicUsize = AtomicUsize::new(1);

/// The operator's process.
pub(super) struct Subject {
    process: Tethered,
    /// The moment before the process was asked for.
    pub(super) began: Instant,
    address: String,
    credential: Credential,
    log: PathBuf,
}

impl Subject {
    /// Starts the operator on the whole cluster, as the install would, with a token of its own, and returns at once.
    pub(super) async fn start(world: &World<'_>, name: &str) -> Result<Self> {
        Self::start_at(world, name, None).await
    }

    /// The same, with a proxy in place of the API server.
    pub(super) async fn start_at(world: &World<'_>, name: &str, server: Option<&str>) -> Result<Self> {
        let folder = &world.cluster.description()?.logs;
        let account = (install::SYSTEM_NAMESPACE, install::SERVICE_ACCOUNT);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("{number:02}-{name}");
        let kubeconfig = folder.join(format!("{name}.kubeconfig"));
        let credential = install::credential(world.cluster, &world.client, account, server, &kubeconfig).await?;
        let log: PathBuf = folder.join(format!("{name}.log"));
        let address = format!("127.0.0.1:{}", ports::free()?);
        let flags = [
            format!("--listen={address}"),
            format!("--namespace={}", install::SYSTEM_NAMESPACE),
            format!("--identity={name}"),
        ];
        let environment = [("KUBECONFIG".to_owned(), kubeconfig.display().to_string())];
        let program = workspace_program("ironside-operator")?;
        let began = Instant::now();
        let process = Tethered::start(&program, &flags, &environment, &log)?;
        Ok(Self {
            process,
            began,
            address,
            credential,
            log,
        })
    }

    /// A connection to its metrics, as soon as it listens.
    pub(super) async fn scraper(&self) -> Result<Scraper> {
        let patience = Instant::now() + PATIENCE;
        loop {
            if let Some(exit) = self.process.exit() {
                bail!("the operator ended: {exit:?}");
            }
            if let Ok(stream) = tokio::net::TcpStream::connect(&self.address).await {
                stream.set_nodelay(true)?;
                let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                return Ok(Scraper {
                    sender,
                    host: self.address.clone(),
                });
            }
            ensure!(Instant::now() < patience, "the operator does not listen");
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Its resident memory.
    pub(super) fn memory(&self) -> Result<Memory> {
        Memory::of(self.process.id())
    }

    /// The processor time that it has used, in all its threads, to a hundredth of a second.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        processor_time(self.process.id())
    }

    /// The processor time that the threads which live now have used, to the nanosecond.
    pub(super) fn fine_processor_time(&self) -> Result<Duration> {
        let mut total = Duration::ZERO;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
            let nanoseconds = text
                .split_whitespace()
                .next()
                .context("the first number is time on a processor")?;
            total += Duration::from_nanos(nanoseconds.parse()?);
        }
        Ok(total)
    }

    /// What it logged so far; lines that are no JSON are left out.
    pub(super) fn log(&self) -> Result<Vec<Value>> {
        let text = std::fs::read_to_string(&self.log).context("read the operator's log")?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }

    /// Waits until three seconds brought no request but the lease's, and returns how many requests there were until then.
    pub(super) async fn until_quiet(&self, world: &World<'_>) -> Result<usize> {
        wait::until_within(PATIENCE, "the operator is quiet", async || {
            let before = self.requests(world)?.len();
            tokio::time::sleep(QUIET).await;
            let after = self.requests(world)?;
            let busy = after.iter().skip(before).any(|entry| entry.resource() != "leases");
            ensure!(!busy, "it still asks or writes");
            Ok(after.len())
        })
        .await
    }

    /// What it has asked of the API server so far.
    pub(super) fn requests(&self, world: &World<'_>) -> Result<Vec<Entry>> {
        let own = |entry: &Entry| entry.user.has_credential(&self.credential.id);
        // That one is the bench's own question whose token it is.
        let ours = |entry: &Entry| entry.resource() == "selfsubjectreviews";
        let entries = world.cluster.audit()?.entries()?;
        Ok(entries.into_iter().filter(|entry| own(entry) && !ours(entry)).collect())
    }

    /// Kills it (-9) and returns when it is gone.
    pub(super) fn kill(&self) {
        self.process.kill();
    }

    /// # Errors
    /// It has ended by itself.
    pub(super) fn must_run(&self) -> Result<()> {
        match self.process.exit() {
            Some(exit) => bail!("the operator ended: {exit:?}; its log is {}", self.log.display()),
            None => Ok(()),
        }
    }

    /// Ends it as a kubelet would.
    pub(super) async fn stop(self) -> Result<()> {
        self.process.signal(nix::sys::signal::Signal::SIGTERM)?;
        self.process.wait(PATIENCE).await.map(drop)
    }
}

/// A kept connection to the operator's metrics.
pub(super) struct Scraper {
    sender: SendRequest<Empty<&'static [u8]>>,
    host: String,
}

impl Scraper {
    /// One scrape.
    pub(super) async fn scrape(&mut self) -> Result<Metrics> {
        let request = Request::get("/metrics").header("host", &self.host).body(Empty::new())?;
        self.sender.ready().await?;
        let answer = self.sender.send_request(request).await?;
        let body = answer.into_body().collect().await?.to_bytes();
        Metrics::parse(std::str::from_utf8(&body)?)
    }

    /// Scrapes without a pause until the metrics are as wanted, and returns the moment at which the answer was there.
    pub(super) async fn until(&mut self, what: &str, wanted: impl Fn(&Metrics) -> bool) -> Result<Instant> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let metrics = self.scrape().await?;
            let now = Instant::now();
            if wanted(&metrics) {
                return Ok(now);
            }
            ensure!(now < patience, "waited {PATIENCE:?} until {what}");
            tokio::task::yield_now().await;
        }
    }
}

/// The memory of a process in bytes: resident now, and at most so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    pub(super) now: u64,
    pub(super) peak: u64,
}

impl Memory {
    pub(super) fn of(process: i32) -> Result<Self> {
        let path = format!("/proc/{process}/status");
        let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let bytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let kibibytes = line.and_then(|line| line.split_whitespace().next());
            let kibibytes: u64 = kibibytes.with_context(|| format!("no {name}"))?.parse()?;
            anyhow::Ok(kibibytes * 1024)
        };
        Ok(Self {
            now: bytes("VmRSS:")?,
            peak: bytes("VmHWM:")?,
        })
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", mebibytes(self.now), mebibytes(self.peak))
    }
}

/// The processor time of a process, user and system, in all its threads.
pub(super) fn processor_time(process: i32) -> Result<Duration> {
    let path = format!("/proc/{process}/stat");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
    // utime and stime are fields 14 and 15; the name in field 2 may hold spaces and ends with the last parenthesis.
    let rest = text.rsplit_once(')').context("a process has a name")?.1;
    let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks: u64 = ticks.sum::<Result<u64, _>>()?;
    // USER_HZ is 100 on every Linux that Rust runs on.
    Ok(Duration::from_millis(ticks * 10))
}

/// In MiB with one decimal.
pub(super) fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1 << 20);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}
