//! A control plane of real processes: etcd, kube-apiserver, kube-controller-manager, kube-scheduler, kwok.
//!
//! Owns flags, start order, readiness, stop order and process-level faults. It lives in the supervisor (`supervisor`),
//! so that nothing survives a killed test; tests talk to it through `crate::cluster`.

mod apiserver;
mod controller_manager;
mod etcd;
pub mod kwok;
mod layout;
mod options;
pub mod ports;
pub(crate) mod process;
mod ready;
mod scheduler;
pub mod supervisor;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use kube::Client;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

pub use self::options::{Audit, EMULATED_VERSION, Options};

use self::layout::Layout;
use self::process::Process;
use self::ready::Probe;
use crate::binaries::Binaries;
use crate::node::{self, Daemon, Fleet, Place};
use crate::nodes;

/// How long a component may take to end by itself. The API server would wait 60 s for every open watch.
const GRACE: Duration = Duration::from_millis(1500);
/// How often a component is started anew when another process took its port first.
const BIND_TRIES: usize = 5;

/// A process of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Component {
    /// etcd.
    Etcd,
    /// kube-apiserver.
    ApiServer,
    /// kube-controller-manager.
    ControllerManager,
    /// kube-scheduler.
    Scheduler,
    /// kwok.
    Kwok,
}

impl std::fmt::Display for Component {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(match self {
            Self::Etcd => "etcd",
            Self::ApiServer => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
        })
    }
}

/// What somebody outside needs to know of a running control plane.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Folder of keys, logs and data.
    pub folder: PathBuf,
    /// Kubeconfig of the administrator.
    pub kubeconfig: PathBuf,
    /// Address of the API server.
    pub server: String,
    /// The CA's certificate.
    pub authority: PathBuf,
    /// Folder of one log per component and of the audit log.
    pub logs: PathBuf,
    /// Audit log, one JSON object a line.
    pub audit_log: PathBuf,
    /// Address of each component.
    pub addresses: BTreeMap<Component, String>,
    /// Process id of each component at the start.
    pub processes: BTreeMap<Component, u32>,
    /// The real nodes, as they were at the start.
    pub nodes: Vec<node::Description>,
    /// How long the start took, in seconds, keys included.
    pub seconds: f64,
}

/// A running control plane. Dropping it kills every process.
pub struct ControlPlane {
    nodes: Fleet,
    layout: Layout,
    servers: BTreeMap<Component, Server>,
    kubeconfig: PathBuf,
    seconds: f64,
}

/// One component with its address.
struct Server {
    process: Process,
    address: String,
    probe: Probe,
}

impl ControlPlane {
    /// Starts everything and returns when workloads would run.
    ///
    /// # Errors
    /// A component ends or does not become ready; the error quotes the end of its log.
    pub async fn start(binaries: Binaries, options: Options) -> Result<Self> {
        let began = Instant::now();
        let layout = Layout::create(binaries, options)?;
        let launched = Self::launch(layout).await?;
        Ok(Self {
            seconds: began.elapsed().as_secs_f64(),
            ..launched
        })
    }

    async fn launch(layout: Layout) -> Result<Self> {
        let mut servers = BTreeMap::new();
        let etcd = launch_etcd(&layout).await?;
        let apiserver = launch_apiserver(&layout, &etcd.address).await?;
        let kubeconfig = layout.pki.kubeconfig("admin", &apiserver.address)?;
        let mut real = Fleet::default();
        if layout.options.workloads {
            let server = apiserver.address.clone();
            let client = ready::client(&kubeconfig, None).await?;
            kwok::write_stages(&layout)?;
            let tainted = layout.options.real_nodes > 0;
            let ((), controller_manager, scheduler, kwok, nodes) = futures::try_join!(
                nodes::create(&client, layout.options.nodes, layout.options.pods_per_node, tainted),
                launch_secure(&layout, Component::ControllerManager, &server),
                launch_secure(&layout, Component::Scheduler, &server),
                launch_secure(&layout, Component::Kwok, &server),
                // Boxed: only few clusters have some, and their future is large.
                Box::pin(launch_nodes(&layout, &server, &kubeconfig, &client)),
            )?;
            real = nodes;
            nodes::all_ready(&client, layout.options.nodes).await?;
            servers.insert(Component::ControllerManager, controller_manager);
            servers.insert(Component::Scheduler, scheduler);
            servers.insert(Component::Kwok, kwok);
        }
        servers.insert(Component::Etcd, etcd);
        servers.insert(Component::ApiServer, apiserver);
        Ok(Self {
            nodes: real,
            layout,
            servers,
            kubeconfig,
            seconds: 0.0,
        })
    }

    /// Where everything is.
    pub fn describe(&self) -> Description {
        Description {
            folder: self.layout.folder.clone(),
            kubeconfig: self.kubeconfig.clone(),
            server: self
                .servers
                .get(&Component::ApiServer)
                .map(|server| server.address.clone())
                .unwrap_or_default(),
            authority: self.layout.pki.authority(),
            logs: self.layout.logs(),
            audit_log: self.layout.audit_log(),
            addresses: self
                .servers
                .iter()
                .map(|(component, server)| (*component, server.address.clone()))
                .collect(),
            processes: self
                .servers
                .iter()
                .filter_map(|(component, server)| Some((*component, server.process.id()?)))
                .collect(),
            nodes: self.nodes.describe(),
            seconds: self.seconds,
        }
    }

    /// Kills a program of a real node (-9) and waits until it is gone.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn kill_daemon(&mut self, place: Place, daemon: Daemon) -> Result<()> {
        self.nodes.daemon(place, daemon)?.kill().await
    }

    /// Starts a program of a real node again, killing it first if it runs. It is on its own from then on.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn restart_daemon(&mut self, place: Place, daemon: Daemon) -> Result<()> {
        let process = self.nodes.daemon(place, daemon)?;
        process.kill().await?;
        process.start()
    }

    /// Ends a real node with everything on it, as if its machine were gone.
    ///
    /// # Errors
    /// There is no such node, or the others need it.
    pub async fn lose_node(&mut self, place: Place) -> Result<()> {
        self.nodes.lose(place).await
    }

    /// Kills a component (-9) and waits until it is gone.
    ///
    /// # Errors
    /// This control plane has no such component.
    pub async fn kill(&mut self, component: Component) -> Result<()> {
        self.server(component)?.process.kill().await
    }

    /// Stops a component in its tracks (SIGSTOP): connections stay open and nothing answers.
    ///
    /// # Errors
    /// It is not running.
    pub fn suspend(&mut self, component: Component) -> Result<()> {
        self.server(component)?.process.signal(Signal::SIGSTOP)
    }

    /// Lets a stopped component go on.
    ///
    /// # Errors
    /// It is not running.
    pub fn resume(&mut self, component: Component) -> Result<()> {
        self.server(component)?.process.signal(Signal::SIGCONT)
    }

    /// Starts a component again, on its old port and data, and waits until it is ready. A running one is killed first.
    ///
    /// # Errors
    /// It ends or does not become ready.
    pub async fn restart(&mut self, component: Component) -> Result<()> {
        let kubeconfig = self.kubeconfig.clone();
        let server = self.server(component)?;
        server.process.kill().await?;
        if component == Component::Kwok {
            kwok::drop_leases(&ready::client(&kubeconfig, None).await?).await?;
        }
        server.process.start()?;
        server
            .probe
            .until_ready(&mut server.process)
            .await
            .with_context(|| format!("restart {component}"))
    }

    /// As [`Self::restart`], with these further flags after the usual ones (a later flag wins), from then on.
    ///
    /// # Errors
    /// It ends or does not become ready.
    pub async fn restart_with(&mut self, component: Component, flags: Vec<String>) -> Result<()> {
        self.server(component)?.process.add_flags(flags);
        self.restart(component).await
    }

    /// Ends every process, those that use others first, and removes the folder.
    ///
    /// # Errors
    /// A process cannot be ended, or the folder not removed.
    pub async fn stop(mut self, keep_folder: bool) -> Result<()> {
        std::mem::take(&mut self.nodes)
            .stop()
            .await
            .context("stop the real nodes")?;
        for (component, server) in self.servers.iter_mut().rev() {
            server
                .process
                .end(GRACE)
                .await
                .with_context(|| format!("stop {component}"))?;
        }
        if !keep_folder {
            std::fs::remove_dir_all(&self.layout.folder)
                .with_context(|| format!("remove {}", self.layout.folder.display()))?;
        }
        Ok(())
    }

    fn server(&mut self, component: Component) -> Result<&mut Server> {
        self.servers
            .get_mut(&component)
            .with_context(|| format!("this control plane has no {component}"))
    }
}

async fn launch_etcd(layout: &Layout) -> Result<Server> {
    launch(Component::Etcd, layout, async |port| {
        let arguments = etcd::arguments(layout, port, ports::free()?);
        Ok((
            layout.binaries.etcd(),
            arguments,
            Probe::plain(&etcd::url(port), "/readyz")?,
        ))
    })
    .await
}

async fn launch_apiserver(layout: &Layout, etcd: &str) -> Result<Server> {
    launch(Component::ApiServer, layout, async |port| {
        let arguments = apiserver::arguments(layout, port, etcd);
        let kubeconfig = layout.pki.kubeconfig("admin", &format!("https://127.0.0.1:{port}"))?;
        Ok((
            layout.binaries.apiserver(),
            arguments,
            Probe::secure(&kubeconfig, port, "/readyz").await?,
        ))
    })
    .await
}

async fn launch_nodes(layout: &Layout, server: &str, kubeconfig: &std::path::Path, client: &Client) -> Result<Fleet> {
    let around = node::Surroundings {
        folder: layout.folder.clone(),
        logs: layout.logs(),
        name: layout.name(),
        pki: &layout.pki,
        server: server.to_owned(),
        kubectl: (layout.binaries.kubectl(), kubeconfig.to_owned()),
    };
    Fleet::start(layout.options.real_nodes, &around, client).await
}

/// Starts one of those that are clients of the API server.
async fn launch_secure(layout: &Layout, component: Component, server: &str) -> Result<Server> {
    let client = match component {
        Component::ControllerManager => "controller-manager",
        Component::Scheduler => "scheduler",
        Component::Kwok => "kwok",
        Component::Etcd | Component::ApiServer => bail!("{component} is no client of the API server"),
    };
    let kubeconfig = layout.pki.kubeconfig(client, server)?;
    let admin = layout.pki.kubeconfig("admin", server)?;
    launch(component, layout, async |port| match component {
        Component::ControllerManager => {
            let arguments = controller_manager::arguments(layout, port, &kubeconfig);
            let probe = Probe::secure(&admin, port, "/healthz")
                .await?
                .and_controllers(&admin)
                .await?;
            Ok((layout.binaries.controller_manager(), arguments, probe))
        }
        Component::Scheduler => {
            let arguments = scheduler::arguments(layout, port, &kubeconfig);
            Ok((
                layout.binaries.scheduler(),
                arguments,
                Probe::secure(&admin, port, "/readyz").await?,
            ))
        }
        _ => {
            let arguments = kwok::arguments(layout, port, &kubeconfig);
            Ok((
                layout.binaries.kwok(),
                arguments,
                Probe::secure(&admin, port, "/healthz").await?,
            ))
        }
    })
    .await
}

/// Starts one component on a free port, on another one if somebody else took that port in the meantime.
async fn launch(
    component: Component,
    layout: &Layout,
    on_port: impl AsyncFn(u16) -> Result<(PathBuf, Vec<String>, Probe)>,
) -> Result<Server> {
    let mut tries = 0;
    loop {
        tries += 1;
        let (program, arguments, probe) = on_port(ports::free()?).await?;
        let mut process = Process::new(program, arguments, layout.log(component));
        process.start()?;
        match probe.until_ready(&mut process).await {
            Ok(()) => {
                return Ok(Server {
                    address: probe.address().to_owned(),
                    process,
                    probe,
                });
            }
            Err(_) if tries < BIND_TRIES && process.last_words().contains("address already in use") => {}
            Err(error) => return Err(error.context(format!("start {component}"))),
        }
    }
}

/// A client that signs in as the administrator of a kubeconfig.
///
/// # Errors
/// The file is no kubeconfig.
pub async fn client(kubeconfig: &std::path::Path) -> Result<Client> {
    ready::client(kubeconfig, None).await
}

/// The same administrator as a client of another server than the kubeconfig names, which serves with a certificate of the same CA.
///
/// # Errors
/// The file is no kubeconfig.
pub(crate) async fn client_of(kubeconfig: &std::path::Path, address: &str) -> Result<Client> {
    ready::client(kubeconfig, Some(address)).await
}
