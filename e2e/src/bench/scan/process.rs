//! What a process costs, as the kernel counts it when the process has ended.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike as _};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::binaries::workspace_program;

/// What one run cost.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Cost {
    /// From start to end.
    pub(super) wall: Duration,
    /// User and system, in all threads.
    pub(super) processor: Duration,
    /// Largest resident memory, in bytes.
    pub(super) peak: u64,
}

impl Cost {
    /// The better of each.
    pub(super) fn least(self, other: Self) -> Self {
        Self {
            wall: self.wall.min(other.wall),
            processor: self.processor.min(other.processor),
            peak: self.peak.min(other.peak),
        }
    }
}

/// Runs a program on so many cores with a path as its last argument; what it writes is not kept.
///
/// The kernel tells the peak of the largest child only, so each run has a parent of its own: this program again, with the verb `run-measured`.
pub(super) fn cost(program: &Path, arguments: &[&str], path: &Path, cores: usize) -> Result<Cost> {
    let output = Command::new(workspace_program("ironside-e2e")?)
        .arg("run-measured")
        .arg(cores.to_string())
        .arg(program)
        .arg("--")
        .args(arguments)
        .arg(path)
        .output()
        .context("run the program that measures")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("what the program that measures says")
}

/// Runs a program as the only child of this process and returns its cost as JSON.
///
/// # Errors
/// It cannot be started, ends by a signal, or says (exit code 2) that it could not read something.
pub fn run_measured(cores: usize, program: &Path, arguments: &[OsString]) -> Result<String> {
    let mut set = CpuSet::new();
    for core in 0..cores {
        set.set(core)?;
    }
    sched_setaffinity(Pid::from_raw(0), &set).context("keep to some cores")?;
    let began = Instant::now();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .with_context(|| format!("start {}", program.display()))?;
    let wall = began.elapsed();
    match output.status.code() {
        Some(0 | 1) => {}
        _ => bail!(
            "{}: {}: {}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    }
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: TimeVal| Duration::from_micros(u64::try_from(value.num_microseconds()).unwrap_or_default());
    let cost = Cost {
        wall,
        processor: time(usage.user_time()) + time(usage.system_time()),
        peak: u64::try_from(usage.max_rss())? * 1024,
    };
    Ok(serde_json::to_string(&cost)?)
}
