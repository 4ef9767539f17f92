//! The alternative for memory and first sync: kube-rs' reflector of full Pods, in a process of its own.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, reflector, watcher};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};

use super::subject::{Memory, processor_time};
use crate::binaries::workspace_program;
use crate::controlplane;

/// What a reflector of all Pods costs.
pub(super) struct Cost {
    pub(super) pods: usize,
    /// From before the first request to a full store.
    pub(super) sync: Duration,
    /// Processor time until it is full.
    pub(super) processor: Duration,
    /// Resident memory once it is full.
    pub(super) memory: Memory,
}

/// Starts the reflector's process, waits until its store is full, and reads its memory.
pub(super) async fn cost(kubeconfig: &Path) -> Result<Cost> {
    let mut child = tokio::process::Command::new(workspace_program("ironside-e2e")?)
        .arg("hold-reflector")
        .arg(kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("start a reflector")?;
    let mut lines = BufReader::new(child.stdout.take().context("its output is a pipe")?).lines();
    let line = lines.next_line().await?.context("the reflector ended")?;
    let (micros, pods) = line.split_once(' ').context("two numbers")?;
    let process = i32::try_from(child.id().context("it runs")?)?;
    let cost = Cost {
        pods: pods.parse()?,
        sync: Duration::from_micros(micros.parse()?),
        processor: processor_time(process)?,
        memory: Memory::of(process)?,
    };
    drop(child.stdin.take());
    child.wait().await?;
    Ok(cost)
}

/// That process: fills a store with all Pods, says how long it took (microseconds) and how many there are, and keeps it until standard input ends.
///
/// # Errors
/// The cluster cannot be reached.
pub async fn hold(kubeconfig: &Path) -> Result<()> {
    let client = controlplane::client(kubeconfig).await?;
    let began = Instant::now();
    let (store, writer) = reflector::store();
    let pods: Api<Pod> = Api::all(client);
    let stream = reflector(writer, watcher(pods, watcher::Config::default())).default_backoff();
    let filling = tokio::spawn(stream.for_each(|_| std::future::ready(())));
    store.wait_until_ready().await.context("fill the store")?;
    let took = began.elapsed().as_micros();
    writeln!(std::io::stdout(), "{took} {}", store.len())?;
    let mut rest = Vec::new();
    tokio::io::stdin().read_to_end(&mut rest).await?;
    filling.abort();
    Ok(())
}
