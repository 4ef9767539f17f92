//! Programs that end with the test: each runs below a small process of ours that kills it when our pipe closes.
//!
//! A test process that dies, however it dies, closes its pipes. Nothing it started survives it, and no `unsafe` is needed
//! for that.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use crate::binaries::workspace_program;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Its exit code, if it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

/// A program that runs; it dies when the last clone of this is dropped.
#[derive(Clone)]
pub struct Tethered(Arc<Inner>);

struct Inner {
    process: Pid,
    exit: Arc<(Mutex<Option<Exit>>, Condvar)>,
    _pipe: ChildStdin,
}

impl Tethered {
    /// Starts a program with its output appended to `log`.
    ///
    /// # Errors
    /// The program does not start.
    pub fn start(program: &Path, arguments: &[String], environment: &[(String, String)], log: &Path) -> Result<Self> {
        let mut keeper = Command::new(workspace_program("ironside-e2e")?)
            .args(["tether", "--log"])
            .arg(log)
            .arg(program)
            .arg("--")
            .args(arguments)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            // A test points its programs at its own cluster; what the person's shell points at is none of its business.
            .env_remove("KUBERNETES_SERVICE_HOST")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("start a tether")?;
        let pipe = keeper.stdin.take().context("the tether's input is a pipe")?;
        let mut lines = BufReader::new(keeper.stdout.take().context("the tether's output is a pipe")?).lines();
        let process = match lines.next() {
            Some(line) => line.context("hear the tether")?.parse().context("a process id")?,
            None => bail!(
                "{} did not start: {}",
                program.display(),
                keeper.wait().context("wait for the tether")?
            ),
        };
        let exit = Arc::new((Mutex::new(None), Condvar::new()));
        let told = Arc::clone(&exit);
        std::thread::spawn(move || {
            let last = lines
                .next()
                .and_then(Result::ok)
                .and_then(|line| serde_json::from_str(&line).ok());
            let _ = keeper.wait();
            let (exit, changed) = &*told;
            *exit.lock().unwrap_or_else(PoisonError::into_inner) = last.or(Some(Exit {
                code: None,
                signal: None,
            }));
            changed.notify_all();
        });
        Ok(Self(Arc::new(Inner {
            process: Pid::from_raw(process),
            exit,
            _pipe: pipe,
        })))
    }

    /// Its process id.
    pub fn id(&self) -> i32 {
        self.0.process.as_raw()
    }

    /// How it ended, if it has.
    pub fn exit(&self) -> Option<Exit> {
        *self.0.exit.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        if let Some(exit) = self.exit() {
            bail!("process {} has ended already: {exit:?}", self.id());
        }
        kill(self.0.process, signal).with_context(|| format!("send {signal} to process {}", self.id()))
    }

    /// Kills it (-9) and returns when it is gone. Blocks for some milliseconds. It may have ended before.
    pub fn kill(&self) {
        // An error means that it is gone, or about to be.
        let _ = self.signal(Signal::SIGKILL);
        let _ = self.wait_blocking(Duration::from_secs(10));
    }

    /// An action that kills it, for somebody else to hold: it does not keep the program alive.
    pub fn killer(&self) -> impl FnOnce() + Send + 'static {
        let program = Arc::downgrade(&self.0);
        move || {
            if let Some(program) = program.upgrade() {
                Self(program).kill();
            }
        }
    }

    /// Waits until it ends.
    ///
    /// # Errors
    /// It still runs after `limit`.
    pub async fn wait(&self, limit: Duration) -> Result<Exit> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || this.wait_blocking(limit)).await?
    }

    fn wait_blocking(&self, limit: Duration) -> Result<Exit> {
        let (exit, changed) = &*self.0.exit;
        let guard = exit.lock().unwrap_or_else(PoisonError::into_inner);
        let (guard, _) = changed
            .wait_timeout_while(guard, limit, |exit| exit.is_none())
            .unwrap_or_else(PoisonError::into_inner);
        guard.with_context(|| format!("process {} still runs after {limit:?}", self.id()))
    }
}

/// The other end: runs a program, tells its process id and later how it ended, and kills it when standard input ends.
///
/// # Errors
/// The program cannot be started.
pub fn keep(log: &PathBuf, program: &Path, arguments: &[String]) -> Result<()> {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(log);
    let log = log.context("open the log")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("share the log")?)
        .stderr(log)
        .process_group(0)
        .spawn()
        .with_context(|| format!("start {}", program.display()))?;
    tell(&child.id())?;
    let process = Pid::from_raw(i32::try_from(child.id())?);
    std::thread::spawn(move || {
        // Nobody ever writes: this returns when the other end is closed.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = kill(process, Signal::SIGKILL);
    });
    tell(&ended(&mut child)?)
}

fn ended(child: &mut Child) -> Result<Exit> {
    let status = child.wait().context("wait for the program")?;
    Ok(Exit {
        code: status.code(),
        signal: status.signal(),
    })
}

fn tell(what: &impl Serialize) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(what)?).context("tell")?;
    out.flush().context("tell")
}
