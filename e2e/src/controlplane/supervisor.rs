//! The process that owns a control plane: commands come in on standard input, one JSON object a line, answers go out on
//! standard output. When standard input ends, everything ends.
//!
//! That is how nothing outlives a test process, however it dies: the pipe to its child closes with it.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::signal::unix::{SignalKind, signal};

use super::{Component, ControlPlane, Description, Options};
use crate::binaries::Binaries;
use crate::node::{Daemon, Place};

/// What the supervisor is asked to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do", content = "what")]
pub enum Command {
    /// [`ControlPlane::kill`].
    Kill(Component),
    /// [`ControlPlane::suspend`].
    Suspend(Component),
    /// [`ControlPlane::resume`].
    Resume(Component),
    /// [`ControlPlane::restart`].
    Restart(Component),
    /// [`ControlPlane::restart_with`].
    RestartWith(Component, Vec<String>),
    /// [`ControlPlane::kill_daemon`].
    KillDaemon(Place, Daemon),
    /// [`ControlPlane::restart_daemon`].
    RestartDaemon(Place, Daemon),
    /// [`ControlPlane::lose_node`].
    LoseNode(Place),
    /// [`ControlPlane::stop`], then the supervisor ends.
    Stop,
}

/// What it answers: once at the start, then once for each command.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The control plane is ready for work.
    Ready(Box<Description>),
    /// The command was carried out.
    Done,
    /// It was not, and why.
    Failed(String),
}

/// Starts a control plane and serves commands until told to stop or until `commands` ends; then takes everything down.
///
/// # Errors
/// The control plane cannot be taken down, or nobody hears that it did not start.
pub async fn serve(
    options: Options,
    keep_folder: bool,
    commands: impl AsyncBufRead + Unpin,
    mut answers: impl AsyncWrite + Unpin,
) -> Result<()> {
    let mut commands = commands.lines();
    let starting = async { ControlPlane::start(Binaries::obtain()?, options).await };
    // Whoever asked may die while it starts; dropping the unfinished start kills what runs already.
    let started = tokio::select! {
        started = starting => started,
        _ = commands.next_line() => return Ok(()),
    };
    let mut plane = match started {
        Ok(plane) => plane,
        Err(error) => {
            return answer(&mut answers, &Answer::Failed(format!("{error:#}"))).await;
        }
    };
    let described = Answer::Ready(Box::new(plane.describe()));
    let outcome = match answer(&mut answers, &described).await {
        Ok(()) => obey(&mut plane, &mut commands, &mut answers).await,
        Err(error) => Err(error),
    };
    plane.stop(keep_folder).await?;
    // A reader that is gone is how most runs end.
    let _ = answer(&mut answers, &Answer::Done).await;
    outcome
}

async fn obey(
    plane: &mut ControlPlane,
    commands: &mut tokio::io::Lines<impl AsyncBufRead + Unpin>,
    answers: &mut (impl AsyncWrite + Unpin),
) -> Result<()> {
    // Whoever ends this process politely wants its children ended too.
    let mut told_to_end = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    loop {
        let line = tokio::select! {
            line = commands.next_line() => line.context("read a command")?,
            _ = told_to_end.recv() => None,
        };
        let Some(line) = line else { return Ok(()) };
        let outcome = match serde_json::from_str(&line).with_context(|| format!("not a command: {line}"))? {
            Command::Stop => return Ok(()),
            Command::Kill(component) => plane.kill(component).await,
            Command::Suspend(component) => plane.suspend(component),
            Command::Resume(component) => plane.resume(component),
            Command::Restart(component) => plane.restart(component).await,
            Command::RestartWith(component, flags) => plane.restart_with(component, flags).await,
            Command::KillDaemon(on, daemon) => plane.kill_daemon(on, daemon).await,
            Command::RestartDaemon(on, daemon) => plane.restart_daemon(on, daemon).await,
            Command::LoseNode(lost) => plane.lose_node(lost).await,
        };
        let reply = outcome.map_or_else(|error| Answer::Failed(format!("{error:#}")), |()| Answer::Done);
        answer(answers, &reply).await?;
    }
}

async fn answer(answers: &mut (impl AsyncWrite + Unpin), reply: &Answer) -> Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    answers.write_all(&line).await.context("answer")?;
    answers.flush().await.context("answer")
}
