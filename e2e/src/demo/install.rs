//! Ironside installed exactly as a user would: `kubectl apply --server-side -k config/overlays/remediate`, then the operator with the account and the permissions
//! of that install and no others.
//!
//! No container engine is needed: the Deployment's pods are simulated like all others, and the operator runs as a process beside them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use kube::Client;

use super::voice::Voice;
use crate::binaries::workspace_program;
use crate::cluster::Cluster;
use crate::controlplane::ports;
use crate::operator::Metrics;
use crate::pki::write_kubeconfig;
use crate::wait;

/// The running operator.
pub(super) struct Installed {
    operator: Child,
    log: PathBuf,
    metrics: String,
}

impl Installed {
    /// The operator's log.
    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Address of the metrics page.
    pub(super) fn metrics(&self) -> &str {
        &self.metrics
    }

    /// What the operator's metrics say now.
    pub(super) async fn scrape(&self) -> Result<Metrics> {
        let mut config = kube::Config::new(self.metrics.trim_end_matches("/metrics").parse()?);
        config.default_retry = false;
        let request = http::Request::get("/metrics").body(Vec::new())?;
        let text = Client::try_from(config)?
            .request_text(request)
            .await
            .context("read the metrics")?;
        Metrics::parse(&text)
    }

    /// Ends the operator as a kubelet would (SIGTERM first).
    pub(super) async fn stop(mut self) -> Result<()> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.operator.id())?);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).context("end the operator")?;
        let ended = wait::until_within(Duration::from_secs(10), "the operator to end", async || {
            self.operator.try_wait()?.map(drop).context("it still runs")
        })
        .await;
        if ended.is_err() {
            self.operator.kill().context("kill the operator")?;
        }
        Ok(())
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        // Only after an error: the story ends, and so must the process.
        if matches!(self.operator.try_wait(), Ok(None)) {
            let _ = self.operator.kill();
        }
    }
}

/// Applies `config/` and starts the operator.
pub(super) async fn install(cluster: &Cluster, voice: &Voice) -> Result<Installed> {
    let kubectl = cluster.kubectl()?;
    let overlay = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/overlays/remediate");
    let overlay = overlay.canonicalize().context("config/overlays/remediate")?;
    voice.say("$ kubectl apply --server-side -k config/overlays/remediate");
    let output = kubectl
        .run(&[
            "apply",
            "--server-side",
            "-k",
            overlay.to_str().context("path is not UTF-8")?,
        ])
        .await?;
    voice.say(&format!(
        "{} objects: resource definitions, accounts and roles, the operator, its networks and quotas, approval guard and fence",
        output.lines().count()
    ));
    wait::until("the resource definitions to be served", async || {
        kubectl.run(&["get", "hpol,chpol,hrem,hexc,chexc", "-A"]).await
    })
    .await?;

    let token = kubectl
        .run(&["create", "token", "ironside", "-n", "ironside-system", "--duration=8h"])
        .await?;
    let description = cluster.description()?;
    let kubeconfig = cluster.kubeconfig().with_file_name("operator.kubeconfig");
    write_kubeconfig(
        &kubeconfig,
        &description.server,
        Some(&description.authority),
        &serde_json::json!({ "token": token.trim() }),
    )?;
    let log = description.logs.join("ironside-operator.log");
    let operator = start(&kubeconfig, &log)?;
    voice.say("The install's pods are simulated like all others; the operator itself runs as a process with that account's token.");
    ready(operator, log).await
}

/// A started process and its address, not yet known to be ready.
fn start(kubeconfig: &Path, log: &Path) -> Result<(Child, String)> {
    let port = ports::free()?;
    let file = File::create(log).with_context(|| format!("create {}", log.display()))?;
    let child = Command::new(workspace_program("ironside-operator")?)
        .args([
            "--listen",
            &format!("127.0.0.1:{port}"),
            "--namespace",
            "ironside-system",
            "--identity",
            "demo",
        ])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("start ironside-operator")?;
    Ok((child, format!("127.0.0.1:{port}")))
}

async fn ready((mut operator, address): (Child, String), log: PathBuf) -> Result<Installed> {
    let mut ended = None;
    let mut config = kube::Config::new(format!("http://{address}").parse()?);
    config.default_retry = false;
    let probe = Client::try_from(config)?;
    let readiness = wait::until("the operator to be ready", async || {
        if let Some(status) = operator.try_wait()? {
            ended = Some(status);
        }
        let request = http::Request::get("/readyz").body(Vec::new())?;
        probe.request_text(request).await.map(drop).context("/readyz")
    })
    .await;
    if let Some(status) = ended {
        bail!("the operator ended at once ({status}); its log: {}", log.display());
    }
    readiness.with_context(|| format!("its log: {}", log.display()))?;
    let metrics = format!("http://{address}/metrics");
    Ok(Installed { operator, log, metrics })
}
