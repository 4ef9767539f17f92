//! Nothing outlives the process that asked for it.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use ironside_e2e::cluster::Options;
use ironside_e2e::controlplane::supervisor::Answer;
use ironside_e2e::tether::Tethered;
use ironside_e2e::wait;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

#[tokio::test]
async fn a_control_plane_ends_when_the_pipe_to_it_closes() -> Result<()> {
    let options = serde_json::to_string(&Options {
        workloads: false,
        ..Options::default()
    })?;
    let mut supervisor = Command::new(env!("CARGO_BIN_EXE_ironside-e2e"))
        .args(["control-plane", "--options", &options])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(supervisor.stdout.as_mut().context("a pipe")?).read_line(&mut line)?;
    let Answer::Ready(description) = serde_json::from_str(&line)? else {
        bail!("not ready: {line}")
    };
    ensure!(
        description.processes.len() == 2 && description.folder.is_dir(),
        "{description:?}"
    );
    let runs =
        |process: u32| i32::try_from(process).is_ok_and(|id| nix::sys::signal::kill(Pid::from_raw(id), None).is_ok());
    ensure!(
        description.processes.values().all(|process| runs(*process)),
        "{description:?}"
    );

    drop(supervisor.stdin.take());
    tokio::task::spawn_blocking(move || supervisor.wait()).await??;
    ensure!(
        !description.processes.values().any(|process| runs(*process)),
        "{description:?}"
    );
    ensure!(!description.folder.exists(), "{} is left", description.folder.display());
    Ok(())
}

#[tokio::test]
async fn a_tethered_program_dies_with_its_last_owner() -> Result<()> {
    let log = std::env::temp_dir().join(format!("ironside-tether-{}.log", std::process::id()));
    let sleep = |seconds: &str| {
        let script = format!("echo began; trap 'exit 7' TERM; sleep {seconds} & wait");
        Tethered::start("/bin/sh".as_ref(), &["-c".to_owned(), script], &[], &log)
    };
    let began = wait::until("the program has begun", async || {
        let program = sleep("60")?;
        wait::until_within(Duration::from_secs(5), "its log says so", async || {
            ensure!(std::fs::read_to_string(&log)?.contains("began"));
            Ok(())
        })
        .await?;
        Ok(program)
    });
    let program = began.await?;
    program.signal(Signal::SIGTERM)?;
    let exit = program.wait(wait::LIMIT).await?;
    ensure!(exit.code == Some(7), "it ended by itself: {exit:?}");

    let killed = sleep("60")?;
    killed.kill();
    ensure!(
        killed.exit().is_some_and(|exit| exit.signal == Some(9)),
        "{:?}",
        killed.exit()
    );

    let dropped = sleep("60")?;
    let id = Pid::from_raw(dropped.id());
    drop(dropped);
    wait::until("the dropped one is gone", async || {
        ensure!(nix::sys::signal::kill(id, None).is_err());
        Ok(())
    })
    .await?;
    std::fs::remove_file(&log)?;
    Ok(())
}
