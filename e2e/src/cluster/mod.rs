//! The cluster that a test works with: one shared by all tests of a process, one of its own, or an existing one.
//!
//! `IRONSIDE_E2E_KUBECONFIG` names an existing cluster, and nothing else ever does: neither `KUBECONFIG` nor a file in
//! the home folder is looked at, so a test run cannot reach a cluster by accident.

mod link;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DeleteParams, ObjectMeta, PostParams};
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use kube::{Api, Client};
use tokio::sync::{OnceCell, Semaphore, SemaphorePermit};

pub use crate::controlplane::{Audit, Component, Description, Options};

use self::link::Link;
use crate::audit::AuditLog;
use crate::binaries::Binaries;
use crate::controlplane::supervisor::Command;
use crate::controlplane::{self, kwok};
use crate::kubectl::Kubectl;
use crate::node::ironside::Overlay;
use crate::node::{self, Daemon, Place};
use crate::progress::say;
use crate::{install, pki};

/// Names an existing cluster to test against.
pub const EXISTING: &str = "IRONSIDE_E2E_KUBECONFIG";

static SHARED: OnceCell<Cluster> = OnceCell::const_new();
static WITH_NODE: OnceCell<Cluster> = OnceCell::const_new();

/// A control plane takes half a gigabyte and, while it starts, a core: beside the shared one there are two more at most. With one, tests that need their own
/// keep threads waiting, for they stand together in the order in which tests run.
static DEDICATED: Semaphore = Semaphore::const_new(2);

/// A cluster to test against.
pub struct Cluster {
    kubeconfig: PathBuf,
    supervised: Option<Supervised>,
    installed: OnceCell<()>,
    _turn: Option<SemaphorePermit<'static>>,
}

/// What only a control plane of our own has.
struct Supervised {
    description: Description,
    link: Link,
    /// Whether a component was ever hurt: then its neighbours' complaints are expected.
    hurt: AtomicBool,
}

impl Cluster {
    /// The cluster that all tests of this process share; the first caller starts it. It ends with the process.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn shared() -> Result<&'static Self> {
        SHARED
            .get_or_try_init(async || match std::env::var_os(EXISTING) {
                Some(path) if !path.is_empty() => Self::existing(Path::new(&path)).await,
                _ => Self::start(Options::default(), None).await,
            })
            .await
    }

    /// The cluster with a real node that all tests of this process share; the first caller starts it.
    ///
    /// # Errors
    /// It cannot be started. Ask [`crate::node::obstacle::obstacle`] first whether it can be at all.
    pub async fn with_node() -> Result<&'static Self> {
        WITH_NODE
            .get_or_try_init(async || Self::start(Options::with_nodes(1), None).await)
            .await
    }

    /// A cluster of one's own, for tests that hurt it or need special options. Two at a time: it waits for its turn.
    ///
    /// # Errors
    /// It cannot be started, or the tests run against an existing cluster.
    pub async fn dedicated(options: Options) -> Result<Self> {
        if std::env::var_os(EXISTING).is_some_and(|path| !path.is_empty()) {
            bail!("a control plane of its own is not available on an existing cluster ({EXISTING} is set)");
        }
        let turn = DEDICATED.acquire().await.context("wait for a turn")?;
        Self::start(options, Some(turn)).await
    }

    async fn start(options: Options, turn: Option<SemaphorePermit<'static>>) -> Result<Self> {
        // Built here and not in the supervisor, so that the progress is shown by the process that a person looks at.
        tokio::task::spawn_blocking(Binaries::obtain).await??;
        let (link, description) = Link::start(options).await?;
        say(&format!(
            "control plane ready in {:.1} s: {} (logs in {})",
            description.seconds,
            description.server,
            description.logs.display()
        ));
        for node in &description.nodes {
            let steps = node
                .steps
                .iter()
                .map(|(name, seconds)| format!("{name} {seconds:.1} s"));
            say(&format!("{}: {}", node.place, steps.collect::<Vec<_>>().join(", ")));
        }
        let kubeconfig = description.kubeconfig.clone();
        let supervised = Supervised {
            description,
            link,
            hurt: AtomicBool::new(false),
        };
        Ok(Self {
            kubeconfig,
            supervised: Some(supervised),
            installed: OnceCell::new(),
            _turn: turn,
        })
    }

    async fn existing(kubeconfig: &Path) -> Result<Self> {
        let cluster = Self {
            kubeconfig: kubeconfig.to_owned(),
            supervised: None,
            installed: OnceCell::new(),
            _turn: None,
        };
        let version = cluster.client().await?.apiserver_version().await;
        let version = version.with_context(|| format!("reach the cluster of {EXISTING}"))?;
        say(&format!(
            "testing against the existing cluster of {} ({})",
            kubeconfig.display(),
            version.git_version
        ));
        Ok(cluster)
    }

    /// A new client with an administrator's rights. Clients belong to the runtime that made them, and every test has a
    /// runtime of its own: make one per test.
    ///
    /// # Errors
    /// The kubeconfig cannot be used.
    pub async fn client(&self) -> Result<Client> {
        controlplane::client(&self.kubeconfig).await
    }

    /// The administrator's kubeconfig.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's address and the CA that vouches for it, as PEM.
    ///
    /// # Errors
    /// The kubeconfig names none.
    pub async fn server(&self) -> Result<(String, String)> {
        let file = Kubeconfig::read_from(&self.kubeconfig).context("read the kubeconfig")?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        let mut authority = String::new();
        for der in config.root_cert.context("the kubeconfig names no CA")? {
            authority.push_str(&pki::pem("CERTIFICATE", &der)?);
        }
        Ok((
            config.cluster_url.to_string().trim_end_matches('/').to_owned(),
            authority,
        ))
    }

    /// Installs Ironside's custom resources, roles and admission policies; the first caller does it, all others wait.
    ///
    /// # Errors
    /// The API server refuses something.
    pub async fn install(&self) -> Result<()> {
        self.installed
            .get_or_try_init(async || install::apply(self).await)
            .await
            .copied()
    }

    /// Installs Ironside as a user does, with the operator as pods on the real node, and waits until they are ready. It
    /// looks after the whole cluster; the first caller does it, all others wait.
    ///
    /// # Errors
    /// There is no real node, or something is refused.
    pub async fn install_as_pods(&self, overlay: Overlay) -> Result<()> {
        self.installed
            .get_or_try_init(async || node::ironside::install(self, overlay).await)
            .await
            .copied()
    }

    /// kubectl with an administrator's rights.
    ///
    /// # Errors
    /// There is none: not built, or not on PATH in the case of an existing cluster.
    pub fn kubectl(&self) -> Result<Kubectl> {
        Kubectl::of(&self.kubeconfig, self.supervised.is_some())
    }

    /// What is known of a control plane of our own: addresses, logs, process ids at the start.
    ///
    /// # Errors
    /// This is an existing cluster.
    pub fn description(&self) -> Result<&Description> {
        Ok(&self.supervised()?.description)
    }

    /// The API server's audit log.
    ///
    /// # Errors
    /// This is an existing cluster.
    pub fn audit(&self) -> Result<AuditLog> {
        Ok(AuditLog::at(self.supervised()?.description.audit_log.clone()))
    }

    /// Creates a namespace with a name that nothing else has, and returns the name.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn namespace(&self, client: &Client, prefix: &str) -> Result<String> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let generate_name = Some(format!("{prefix}-"));
        let namespace = Namespace {
            metadata: ObjectMeta {
                generate_name,
                ..Default::default()
            },
            ..Default::default()
        };
        let created = namespaces.create(&PostParams::default(), &namespace).await;
        let created = created.with_context(|| format!("create a namespace {prefix}-..."))?;
        created.metadata.name.context("a created namespace has a name")
    }

    /// Deletes a namespace without waiting for what is in it.
    ///
    /// # Errors
    /// The API server refuses it.
    pub async fn drop_namespace(&self, client: &Client, name: &str) -> Result<()> {
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let deleted = namespaces.delete(name, &DeleteParams::background()).await;
        deleted.map(drop).with_context(|| format!("delete namespace {name}"))
    }

    /// Kills a component (-9) and returns when it is gone.
    ///
    /// # Errors
    /// Not available on an existing cluster.
    pub async fn kill(&self, component: Component) -> Result<()> {
        self.hurt(Command::Kill(component)).await
    }

    /// Stops a component in its tracks (SIGSTOP): its connections stay open and nothing answers.
    ///
    /// # Errors
    /// Not available on an existing cluster.
    pub async fn suspend(&self, component: Component) -> Result<()> {
        self.hurt(Command::Suspend(component)).await
    }

    /// Lets a stopped component go on.
    ///
    /// # Errors
    /// Not available on an existing cluster.
    pub async fn resume(&self, component: Component) -> Result<()> {
        self.hurt(Command::Resume(component)).await
    }

    /// Starts a component again on its old port and data (killing it first if it runs) and returns when it is ready.
    ///
    /// # Errors
    /// Not available on an existing cluster.
    pub async fn restart(&self, component: Component) -> Result<()> {
        self.hurt(Command::Restart(component)).await
    }

    /// As [`Self::restart`], with these further flags after the usual ones (a later flag wins) from then on.
    ///
    /// # Errors
    /// Not available on an existing cluster; or it does not start with them.
    pub async fn restart_with(&self, component: Component, flags: &[&str]) -> Result<()> {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.hurt(Command::RestartWith(component, flags)).await
    }

    /// The first real node.
    ///
    /// # Errors
    /// There is none.
    pub fn node(&self) -> Result<&node::Description> {
        self.description()?
            .nodes
            .first()
            .context("this cluster has no real node")
    }

    /// Kills a program of a real node (-9) and returns when it is gone.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn kill_daemon(&self, place: Place, daemon: Daemon) -> Result<()> {
        self.hurt(Command::KillDaemon(place, daemon)).await
    }

    /// Starts a program of a real node again.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn restart_daemon(&self, place: Place, daemon: Daemon) -> Result<()> {
        self.hurt(Command::RestartDaemon(place, daemon)).await
    }

    /// Ends a real node with everything on it, as if its machine were gone: the second one, over which no other is reached.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn lose_node(&self, place: Place) -> Result<()> {
        self.hurt(Command::LoseNode(place)).await
    }

    /// Takes the cluster down and waits until it is gone. Dropping it does the same without waiting.
    ///
    /// # Errors
    /// A process cannot be ended.
    pub async fn stop(self) -> Result<()> {
        match self.supervised {
            Some(supervised) => supervised.link.command(Command::Stop).await,
            None => Ok(()),
        }
    }

    /// Lines of kwok's log which say that the simulated nodes are broken; none are expected as long as no component was
    /// hurt.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn simulation_errors(&self) -> Result<Vec<String>> {
        let Some(supervised) = &self.supervised else {
            return Ok(Vec::new());
        };
        let simulated = supervised.description.addresses.contains_key(&Component::Kwok);
        if !simulated || supervised.hurt.load(Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        kwok::errors_in(&supervised.description.logs.join(format!("{}.log", Component::Kwok)))
    }

    async fn hurt(&self, command: Command) -> Result<()> {
        let supervised = self.supervised()?;
        supervised.hurt.store(true, Ordering::Relaxed);
        let what = format!("{command:?}");
        supervised.link.command(command).await.context(what)
    }

    fn supervised(&self) -> Result<&Supervised> {
        self.supervised.as_ref().context("not available on an existing cluster")
    }
}
