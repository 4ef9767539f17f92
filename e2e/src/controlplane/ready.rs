//! When a component is ready: its health endpoint says so, and for some a further sign.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kube::Client;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};

use super::controller_manager;
use super::process::Process;

/// A busy machine needs several times the usual three seconds; a component that hangs is reported all the same.
const LIMIT: Duration = Duration::from_mins(2);
const PERIOD: Duration = Duration::from_millis(20);
/// A probe that hangs (a stopped etcd behind a living API server) must not hide that the process has ended.
const ONE_PROBE: Duration = Duration::from_secs(5);

/// How to ask one component whether it is ready.
pub(super) struct Probe {
    address: String,
    path: &'static str,
    client: Client,
    /// A client of the API server, where ready also means that controllers have begun to work.
    controllers: Option<Client>,
}

impl Probe {
    /// A component without TLS.
    pub(super) fn plain(address: &str, path: &'static str) -> Result<Self> {
        let mut config = Config::new(address.parse().context("the address of a component")?);
        config.default_retry = false;
        Ok(Self {
            address: address.to_owned(),
            path,
            client: Client::try_from(config)?,
            controllers: None,
        })
    }

    /// A component that serves with the control plane's certificate on `port`.
    pub(super) async fn secure(kubeconfig: &Path, port: u16, path: &'static str) -> Result<Self> {
        let address = format!("https://127.0.0.1:{port}");
        let client = client(kubeconfig, Some(&address)).await?;
        Ok(Self {
            address,
            path,
            client,
            controllers: None,
        })
    }

    /// Ready is also that the controllers made the default ServiceAccount.
    pub(super) async fn and_controllers(self, kubeconfig: &Path) -> Result<Self> {
        Ok(Self {
            controllers: Some(client(kubeconfig, None).await?),
            ..self
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) async fn until_ready(&self, process: &mut Process) -> Result<()> {
        let began = Instant::now();
        loop {
            let outcome = tokio::time::timeout(ONE_PROBE, self.once()).await;
            let complaint = match outcome {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => format!("{error:#}"),
                Err(_) => format!("no answer within {ONE_PROBE:?}"),
            };
            if let Some(status) = process.ended()? {
                bail!("it ended ({status}); the end of its log:\n{}", process.last_words());
            }
            if began.elapsed() > LIMIT {
                bail!(
                    "not ready after {LIMIT:?} ({complaint}); the end of its log:\n{}",
                    process.last_words()
                );
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    async fn once(&self) -> Result<()> {
        let request = http::Request::get(self.path).body(Vec::new())?;
        self.client
            .request_text(request)
            .await
            .with_context(|| format!("GET {}{}", self.address, self.path))?;
        match &self.controllers {
            Some(client) => controller_manager::has_begun(client).await,
            None => Ok(()),
        }
    }
}

/// A client that signs in with a kubeconfig and asks `address` instead of the server named there.
///
/// Without the client's own retries: whoever polls wants every answer, and whoever injects faults wants to see them.
pub(super) async fn client(kubeconfig: &Path, address: Option<&str>) -> Result<Client> {
    let file = Kubeconfig::read_from(kubeconfig).with_context(|| format!("read {}", kubeconfig.display()))?;
    let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())
        .await
        .with_context(|| format!("use {}", kubeconfig.display()))?;
    config.default_retry = false;
    if let Some(address) = address {
        config.cluster_url = address.parse().context("the address of a component")?;
    }
    Client::try_from(config).context("make a client")
}
