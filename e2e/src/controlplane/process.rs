//! One program of the control plane as a process: start, signals, end, and what its log said when it failed.

use std::fs::OpenOptions;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::process::{Child, Command};

/// How many of a log's last lines an error quotes.
const QUOTED_LINES: usize = 15;

/// How far the heap of a Go program may grow before it collects, in percent of what lives. At the usual 100 an API server that tests start for themselves collects
/// all the time, for its heap is small: more memory for less of the processors, which many of them share.
const GARBAGE: &str = "300";

/// How long a process that was killed may take to be gone: the kernel takes its memory apart first.
const GONE: Duration = Duration::from_secs(10);

/// A program with its arguments and log, running or not.
#[derive(Debug)]
pub(crate) struct Process {
    program: PathBuf,
    arguments: Vec<String>,
    /// Flags that somebody wanted later.
    more: Vec<String>,
    log: PathBuf,
    child: Option<Child>,
    /// Whether the program is `nsenter`, which forks: signals are meant for its child.
    enters: bool,
}

impl Process {
    pub(crate) fn new(program: PathBuf, arguments: Vec<String>, log: PathBuf) -> Self {
        Self {
            program,
            arguments,
            more: Vec::new(),
            log,
            child: None,
            enters: false,
        }
    }

    /// The program only enters namespaces and starts another one there, which is the one that is meant.
    pub(crate) fn entering(self) -> Self {
        Self { enters: true, ..self }
    }

    /// Starts it, in a process group of its own so that a Ctrl-C on the terminal does not reach it; its output is
    /// appended to its log.
    pub(crate) fn start(&mut self) -> Result<()> {
        if self.child.is_some() {
            bail!("{} is already running", self.program.display());
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("open {}", self.log.display()))?;
        let child = Command::new(&self.program)
            .env("GOGC", GARBAGE)
            .args(self.arguments.iter().chain(&self.more))
            .stdin(Stdio::null())
            .stdout(log.try_clone().context("share the log file")?)
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("start {}", self.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Has these flags after its own from its next start on, in place of others that were added before.
    pub(crate) fn add_flags(&mut self, flags: Vec<String>) {
        self.more = flags;
    }

    /// Its process id while it runs.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        match &mut self.child {
            Some(child) => child
                .try_wait()
                .with_context(|| format!("look after {}", self.program.display())),
            None => Ok(Some(ExitStatus::from_raw(0))),
        }
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        let id = self
            .id()
            .with_context(|| format!("{} is not running", self.program.display()))?;
        let id = if self.enters { only_child(id)? } else { id };
        nix::sys::signal::kill(Pid::from_raw(i32::try_from(id)?), signal)
            .with_context(|| format!("send {signal} to {}", self.program.display()))
    }

    /// Kills it (-9) and waits until it is gone. Not running is fine.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if self.enters && self.ended()?.is_none() {
            // It may be gone already, with the namespace that it was in.
            let _ = self.signal(Signal::SIGKILL);
            // What entered waits for it, and ends when its ports and files are free.
            if let Some(child) = &mut self.child {
                let _ = tokio::time::timeout(GONE, child.wait()).await;
            }
        }
        if let Some(mut child) = self.child.take() {
            child
                .kill()
                .await
                .with_context(|| format!("kill {}", self.program.display()))?;
        }
        Ok(())
    }

    /// Asks it to end, and kills it if it has not after `grace`. A stopped (SIGSTOP) process is woken first.
    pub(crate) async fn end(&mut self, grace: Duration) -> Result<()> {
        if self.ended()?.is_none() {
            // It may end by itself at any moment; that is what is wanted.
            let _ = self.signal(Signal::SIGCONT);
            let _ = self.signal(Signal::SIGTERM);
            if let Some(child) = &mut self.child {
                let _ = tokio::time::timeout(grace, child.wait()).await;
            }
        }
        self.kill().await
    }

    /// The end of its log, for error messages.
    pub(crate) fn last_words(&self) -> String {
        last_lines(&self.log, QUOTED_LINES)
    }
}

fn only_child(id: u32) -> Result<u32> {
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).context("list the children")?;
    let child = children.split_whitespace().next().context("it has no child")?;
    child.parse().context("a process id")
}

/// The last `count` lines of a file, or why it cannot be read.
fn last_lines(path: &Path, count: usize) -> String {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = String::from_utf8_lossy(&bytes);
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(count)..].join("\n")
        }
        Err(error) => format!("({}: {error})", path.display()),
    }
}
