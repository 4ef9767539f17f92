//! The private namespaces of a node, held by its first process, which lives as long as the pipe to it.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

const INIT: &str = include_str!("init.sh");

/// Namespaces with a first process in them.
pub(super) struct Namespaces {
    unshare: Child,
    pipe: Option<ChildStdin>,
    id: u32,
}

impl Namespaces {
    /// Makes them, with the node's network and mounts.
    pub(super) async fn create(
        folder: &Path,
        log: &Path,
        packages: Option<&Path>,
        cgroup: &str,
        address: Ipv4Addr,
    ) -> Result<Self> {
        let script = folder.join("init.sh");
        std::fs::write(&script, INIT).context("write the first process")?;
        let complaints = std::fs::File::create(log).context("create the log of the first process")?;
        let mut unshare = Command::new("unshare")
            .args([
                "--mount",
                "--net",
                "--pid",
                "--uts",
                "--ipc",
                "--fork",
                "--kill-child",
                "--mount-proc",
                "bash",
            ])
            .arg(&script)
            .arg(folder)
            .arg(packages.unwrap_or(Path::new("")))
            .arg(cgroup)
            .arg(address.to_string())
            .env("PATH", path(None))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(complaints)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("start unshare")?;
        let pipe = unshare.stdin.take();
        let mut lines = BufReader::new(unshare.stdout.take().context("its output is a pipe")?).lines();
        let id = unshare.id().context("unshare ended at once")?;
        if lines.next_line().await.context("hear the first process")?.as_deref() != Some("ready") {
            let said = std::fs::read_to_string(log).unwrap_or_default();
            bail!("the node's namespaces could not be made: {}", said.trim());
        }
        Ok(Self { unshare, pipe, id })
    }

    /// A program inside, as a command line for outside.
    pub(super) fn entering(&self, program: &Path, arguments: Vec<String>) -> (PathBuf, Vec<String>) {
        entering(self.id, program, arguments)
    }

    /// By what others find them ([`entering`]).
    pub(super) const fn id(&self) -> u32 {
        self.id
    }

    /// Ends the first process, and with it all others, and waits until they are gone.
    pub(super) async fn end(&mut self) -> Result<()> {
        drop(self.pipe.take());
        self.unshare.wait().await.context("wait for the node to end")?;
        Ok(())
    }
}

/// A program inside the namespaces of that id, as a command line for outside.
pub(super) fn entering(id: u32, program: &Path, arguments: Vec<String>) -> (PathBuf, Vec<String>) {
    let file = |name: &str| format!("/proc/{id}/ns/{name}");
    let mut line = vec![
        format!("--mount={}", file("mnt")),
        format!("--net={}", file("net")),
        format!("--uts={}", file("uts")),
        format!("--ipc={}", file("ipc")),
        // unshare itself stays in the machine's; its child is the first process of the new one.
        format!("--pid={}", file("pid_for_children")),
        "--".to_owned(),
        "env".to_owned(),
        format!("PATH={}", path(program.parent())),
        program.display().to_string(),
    ];
    line.extend(arguments);
    (PathBuf::from("nsenter"), line)
}

/// What programs inside find by name: their neighbours, and the folders of administrators, which not everybody has on PATH.
pub(super) fn path(first: Option<&Path>) -> String {
    let own = std::env::var("PATH").unwrap_or_default();
    let first = first.filter(|folder| folder.is_absolute());
    let first = first.map_or_else(String::new, |folder| format!("{}:", folder.display()));
    format!("{first}{own}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin")
}
