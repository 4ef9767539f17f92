//! The pipe to a supervisor process. It closes when this process ends, however it ends, and the control plane with it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result, bail};

use crate::binaries::workspace_program;
use crate::controlplane::supervisor::{Answer, Command};
use crate::controlplane::{Description, Options};

/// A running supervisor.
pub(super) struct Link {
    ends: Arc<Mutex<Ends>>,
}

struct Ends {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Link {
    /// Starts a supervisor and waits for its control plane.
    pub(super) async fn start(options: Options) -> Result<(Self, Description)> {
        tokio::task::spawn_blocking(move || {
            let mut ends = Ends::open(&options)?;
            match ends.answer()? {
                Answer::Ready(description) => Ok((
                    Self {
                        ends: Arc::new(Mutex::new(ends)),
                    },
                    *description,
                )),
                Answer::Failed(reason) => bail!("the control plane did not start: {reason}"),
                Answer::Done => bail!("the supervisor ended before it began"),
            }
        })
        .await?
    }

    /// Has a command carried out. One at a time.
    pub(super) async fn command(&self, command: Command) -> Result<()> {
        let ends = Arc::clone(&self.ends);
        tokio::task::spawn_blocking(move || {
            let mut ends = ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            ends.send(&command)?;
            match ends.answer()? {
                Answer::Failed(reason) => bail!(reason),
                Answer::Done | Answer::Ready(_) => {}
            }
            if matches!(command, Command::Stop) {
                ends.child.wait().context("wait for the supervisor")?;
            }
            Ok(())
        })
        .await?
    }
}

impl Ends {
    fn open(options: &Options) -> Result<Self> {
        let mut child = std::process::Command::new(workspace_program("ironside-e2e")?)
            .arg("control-plane")
            .arg("--options")
            .arg(serde_json::to_string(options)?)
            // A Ctrl-C on the terminal ends us, and our end the supervisor, which then has the time to clean up.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the supervisor of the control plane")?;
        let commands = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("the supervisor's output is a pipe")?);
        Ok(Self {
            child,
            commands,
            answers,
        })
    }

    fn send(&mut self, command: &Command) -> Result<()> {
        let commands = self
            .commands
            .as_mut()
            .context("the supervisor was already told to stop")?;
        let line = serde_json::to_string(command)?;
        writeln!(commands, "{line}").context("tell the supervisor")?;
        if matches!(command, Command::Stop) {
            self.commands = None;
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<Answer> {
        let mut line = String::new();
        if self.answers.read_line(&mut line).context("hear the supervisor")? == 0 {
            let status = self.child.wait().context("wait for the supervisor")?;
            bail!("the supervisor of the control plane ended ({status})");
        }
        serde_json::from_str(&line).with_context(|| format!("understand the supervisor: {line}"))
    }
}
