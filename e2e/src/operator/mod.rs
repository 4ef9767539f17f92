//! `ironside-operator` as a process of one test: its own namespace, token, port and log, and every way to end it.

mod metrics;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use http::Request;
use kube::Client;
use kube::config::Config;
use nix::sys::signal::Signal;

pub use self::metrics::Metrics;

use crate::audit::Entry;
use crate::binaries::workspace_program;
use crate::controlplane::ports;
use crate::install::{self, Credential};
use crate::proxy::Proxy;
use crate::scenario::Scenario;
use crate::tether::{Exit, Tethered};
use crate::wait;

/// The operator's one account: the admission fences know it by name.
const ACCOUNT: (&str, &str) = (install::SYSTEM_NAMESPACE, install::SERVICE_ACCOUNT);
/// A graceful end finishes the request in flight and releases the lease; that takes well under a second.
const GRACE: Duration = Duration::from_secs(30);
/// How often another port is tried when somebody else took ours first.
const BIND_TRIES: usize = 5;

/// How to start an operator.
pub struct Start<'a> {
    scenario: &'a Scenario<'a>,
    proxy: Option<&'a Proxy>,
    namespaces: Option<Vec<String>>,
    identity: String,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

impl<'a> Start<'a> {
    /// An operator that watches the test's namespace alone, straight at the API server.
    pub fn new(scenario: &'a Scenario<'a>) -> Self {
        Self {
            scenario,
            proxy: None,
            namespaces: Some(vec![scenario.namespace.clone()]),
            identity: format!("operator-{}", scenario.next_number()),
            flags: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Lets it reach the API server through a proxy.
    #[must_use]
    pub fn via(mut self, proxy: &'a Proxy) -> Self {
        self.proxy = Some(proxy);
        self
    }

    /// Lets it watch these namespaces.
    #[must_use]
    pub fn watch<N: Into<String>>(mut self, namespaces: impl IntoIterator<Item = N>) -> Self {
        self.namespaces = Some(namespaces.into_iter().map(Into::into).collect());
        self
    }

    /// Lets it watch the whole cluster, which on a shared one is everybody else's too.
    #[must_use]
    pub fn watch_everything(mut self) -> Self {
        self.namespaces = None;
        self
    }

    /// One more flag, such as `--log-format=text`.
    #[must_use]
    pub fn flag(mut self, flag: &str) -> Self {
        self.flags.push(flag.to_owned());
        self
    }

    /// A lease of three seconds: when this operator dies, the next one leads soon.
    #[must_use]
    pub fn short_lease(self) -> Self {
        self.flag("--lease-duration=3s").flag("--lease-renew=2s")
    }

    /// One more environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts the process and returns when it says that it is ready.
    ///
    /// # Errors
    /// It ends, or does not become ready.
    pub async fn ready(self) -> Result<Operator> {
        let operator = self.start().await?;
        operator.until_ready().await?;
        Ok(operator)
    }

    /// Starts the process and returns at once.
    ///
    /// # Errors
    /// The program is not built, or the cluster refuses it a namespace or a token.
    pub async fn start(self) -> Result<Operator> {
        let Self {
            scenario,
            proxy,
            namespaces,
            identity,
            mut flags,
            mut environment,
        } = self;
        let namespace = scenario.operator_namespace().await?;
        let kubeconfig = scenario.folder().join(format!("{identity}.kubeconfig"));
        let server = proxy.map(Proxy::address);
        let credential = install::credential(scenario.cluster, &scenario.client, ACCOUNT, server, &kubeconfig).await?;
        let log = scenario.folder().join(format!("{identity}.log"));
        scenario.keep_on_failure(log.clone());

        flags.push(format!("--namespace={namespace}"));
        flags.push(format!("--identity={identity}"));
        flags.push("--log-format=json".to_owned());
        flags.extend(namespaces.map(|namespaces| format!("--watch-namespaces={}", namespaces.join(","))));
        environment.push(("KUBECONFIG".to_owned(), credential.kubeconfig.display().to_string()));
        let launch = Launch {
            program: workspace_program("ironside-operator")?,
            flags,
            environment,
            log,
        };
        let (process, port) = launch.run().await?;
        Ok(Operator {
            launch,
            process,
            port,
            credential,
            identity,
        })
    }
}

/// All that is needed to start the process again.
struct Launch {
    program: PathBuf,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
    log: PathBuf,
}

impl Launch {
    /// Starts it on a free port; on another one if that was taken meanwhile.
    async fn run(&self) -> Result<(Tethered, u16)> {
        for _ in 0..BIND_TRIES {
            let port = ports::free()?;
            let before = std::fs::metadata(&self.log).map_or(0, |log| log.len());
            let mut flags = self.flags.clone();
            flags.push(format!("--listen=127.0.0.1:{port}"));
            let process = Tethered::start(&self.program, &flags, &self.environment, &self.log)?;
            // Listening is the first thing it does: somebody answers, or it has ended.
            let listening = wait::until("the operator listens", async || {
                let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
                Ok(match (connected, process.exit()) {
                    (_, Some(exit)) => Some(exit),
                    (Ok(_), None) => None,
                    (Err(error), None) => bail!("{error}"),
                })
            });
            match listening.await? {
                None => return Ok((process, port)),
                Some(exit) => {
                    let log = std::fs::read(&self.log).unwrap_or_default();
                    let log =
                        String::from_utf8_lossy(log.get(usize::try_from(before)?..).unwrap_or_default()).into_owned();
                    ensure!(log.contains("in use"), "the operator ended ({exit:?}); its log:\n{log}");
                }
            }
        }
        bail!("no port was free for the operator in {BIND_TRIES} tries")
    }
}

/// An operator that was started. Dropping it kills it.
pub struct Operator {
    launch: Launch,
    process: Tethered,
    port: u16,
    credential: Credential,
    identity: String,
}

impl Operator {
    /// Its name in the lease.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Its process.
    pub fn process(&self) -> &Tethered {
        &self.process
    }

    /// Where it serves `/healthz`, `/readyz` and `/metrics`.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Waits until `/readyz` says so.
    ///
    /// # Errors
    /// It ends or is not ready in time.
    pub async fn until_ready(&self) -> Result<()> {
        let ready = wait::until("the operator is ready", async || match self.process.exit() {
            Some(exit) => Ok(Err(anyhow::anyhow!("the operator ended: {exit:?}"))),
            None => self.get("/readyz").await.map(|_| Ok(())),
        });
        ready.await?
    }

    /// Whether it serves as leader is its own business; this asks one of its paths and returns the body.
    ///
    /// # Errors
    /// No answer, or one that is no success.
    pub async fn get(&self, path: &str) -> Result<String> {
        let mut config = Config::new(self.address().parse()?);
        config.default_retry = false;
        let client = Client::try_from(config)?;
        client
            .request_text(Request::get(path).body(Vec::new())?)
            .await
            .with_context(|| format!("GET {path}"))
    }

    /// Its metrics now.
    ///
    /// # Errors
    /// They cannot be had or read.
    pub async fn metrics(&self) -> Result<Metrics> {
        Metrics::parse(&self.get("/metrics").await?)
    }

    /// Kills it (-9) and returns when it is gone.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// The same as an action for [`Proxy::strike`].
    pub fn killer(&self) -> impl FnOnce() + Send + 'static {
        self.process.killer()
    }

    /// Asks it to end (SIGTERM) and returns how it did.
    ///
    /// # Errors
    /// It still runs after half a minute.
    pub async fn terminate(&self) -> Result<Exit> {
        self.process.signal(Signal::SIGTERM)?;
        self.process.wait(GRACE).await
    }

    /// Stops it in its tracks (SIGSTOP): a long pause, as under a debugger or on a starved node.
    ///
    /// # Errors
    /// It has ended.
    pub fn suspend(&self) -> Result<()> {
        self.process.signal(Signal::SIGSTOP)
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// It has ended.
    pub fn resume(&self) -> Result<()> {
        self.process.signal(Signal::SIGCONT)
    }

    /// Starts it again as it was: same identity, namespace, token, log. A running one is killed first.
    ///
    /// # Errors
    /// It ends or is not ready in time.
    pub async fn restart(&mut self) -> Result<()> {
        self.kill();
        (self.process, self.port) = self.launch.run().await?;
        self.until_ready().await
    }

    /// What it logged so far, one JSON object a line; lines that are none (a panic's message) are strings.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log(&self) -> Result<Vec<serde_json::Value>> {
        let text = std::fs::read(&self.launch.log).context("read the operator's log")?;
        let line =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|_| serde_json::Value::String(line.to_owned()));
        Ok(String::from_utf8_lossy(&text).lines().map(line).collect())
    }

    /// Everything that this operator asked of the API server, from the audit log, told from all others by its token.
    /// Without the harness's own question whose token that is.
    ///
    /// # Errors
    /// Not available on an existing cluster.
    pub fn requests(&self, scenario: &Scenario<'_>) -> Result<Vec<Entry>> {
        let entries = scenario.cluster.audit()?.entries()?;
        let own = |entry: &Entry| entry.user.has_credential(&self.credential.id);
        let ours = |entry: &Entry| entry.resource() == "selfsubjectreviews";
        Ok(entries.into_iter().filter(|entry| own(entry) && !ours(entry)).collect())
    }
}
