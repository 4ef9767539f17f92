//! kubectl as a process: for what users do with it, and for readable dumps.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::binaries::Binaries;

/// kubectl bound to one kubeconfig; no other is ever looked at.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// The built kubectl, or for an existing cluster the one on PATH.
    pub(crate) fn of(kubeconfig: &Path, built: bool) -> Result<Self> {
        let program = if built {
            Binaries::obtain()?.kubectl()
        } else {
            PathBuf::from("kubectl")
        };
        Ok(Self {
            program,
            kubeconfig: kubeconfig.to_owned(),
        })
    }

    /// The same kubectl as somebody else.
    #[must_use]
    pub fn with_kubeconfig(&self, kubeconfig: &Path) -> Self {
        Self {
            program: self.program.clone(),
            kubeconfig: kubeconfig.to_owned(),
        }
    }

    /// A command line to be extended, for callers that want to run it themselves.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("KUBECONFIG", &self.kubeconfig);
        // Its cache of discovery answers is keyed by host and port, which another cluster may have had before.
        command.env("KUBECACHEDIR", self.kubeconfig.with_extension("cache"));
        command
    }

    /// Runs it and returns what it printed.
    ///
    /// # Errors
    /// It fails; the error holds what it complained about.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        self.run_with_input(arguments, "").await
    }

    /// Applies manifests given as text (`kubectl apply --server-side -f -`).
    ///
    /// # Errors
    /// An object is refused.
    pub async fn apply(&self, manifests: &str) -> Result<String> {
        self.run_with_input(&["apply", "--server-side", "-f", "-"], manifests)
            .await
    }

    /// Runs it with something on standard input.
    ///
    /// # Errors
    /// It fails; the error holds what it complained about.
    pub async fn run_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut command = self.command();
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let (line, input) = (arguments.join(" "), input.to_owned());
        tokio::task::spawn_blocking(move || {
            let mut child = command
                .spawn()
                .with_context(|| format!("run {}", command.get_program().display()))?;
            if let Some(mut stdin) = child.stdin.take() {
                // A kubectl that fails before it has read everything says why on standard error.
                let _ = stdin.write_all(input.as_bytes());
            }
            let output = child.wait_with_output().context("wait for kubectl")?;
            if !output.status.success() {
                bail!("kubectl {line}: {}", String::from_utf8_lossy(&output.stderr).trim());
            }
            Ok(String::from_utf8_lossy(&output.stdout).into_owned())
        })
        .await?
    }
}
