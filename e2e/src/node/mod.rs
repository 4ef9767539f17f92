//! Real nodes beside the simulated ones, one or two: kubelet, kube-proxy, containerd and runc in private namespaces of this machine, with
//! cluster DNS. What pods do on it is decided by a kernel, not by annotations.
//!
//! Owns the node's namespaces, processes, configuration and images. The control plane stays outside; the two ends of a
//! [`relay`] join them, so that nothing of the machine's own network is touched. Nothing outlives the supervisor: with the
//! pipe to the node's first process everything in the namespaces ends, and the cgroup folders are removed after it.

pub mod ask;
mod cgroups;
mod configuration;
mod fleet;
pub mod images;
pub mod ironside;
mod namespaces;
pub mod obstacle;
mod oci;
mod place;
pub mod policies;
pub mod programs;
pub mod registry;
pub mod relay;
pub mod traces;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Node as NodeObject;
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

pub(crate) use self::fleet::Fleet;
pub use self::place::Place;

use self::configuration::Configuration;
use self::fleet::Archive;
use self::namespaces::Namespaces;
use self::policies::Enforced;
use self::programs::Programs;
use crate::binaries::workspace_program;
use crate::controlplane::process::Process;
use crate::pki::Pki;
use crate::wait;

/// Where the API server is found inside.
const API_PORT: u16 = 6443;
/// A busy machine needs several times the usual ten seconds.
const LIMIT: Duration = Duration::from_mins(3);
/// The manifests of cluster DNS and of the enforcer's account.
const MANIFESTS: &str = concat!(include_str!("coredns.yaml"), "---\n", include_str!("policies.yaml"));

/// A program of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Daemon {
    /// What joins the node's network with the API server.
    Relay,
    /// containerd.
    Containerd,
    /// The kubelet.
    Kubelet,
    /// kube-proxy.
    KubeProxy,
    /// What enforces NetworkPolicies.
    Policies,
}

impl Daemon {
    const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Containerd => "containerd",
            Self::Kubelet => "kubelet",
            Self::KubeProxy => "kube-proxy",
            Self::Policies => "policies",
        }
    }
}

/// What somebody outside needs to know of a running node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Description {
    /// Which one.
    pub place: Place,
    /// Socket through which addresses inside are dialed ([`relay::dial`]).
    pub dial: PathBuf,
    /// Name of its folder in every cgroup hierarchy.
    pub cgroup: String,
    /// Socket of the container runtime.
    pub runtime: PathBuf,
    /// By what its namespaces are found.
    pub(crate) namespaces: u32,
    /// Where it stands which policies are in force ([`policies::Enforced`]).
    pub enforced: PathBuf,
    /// What the start consisted of, in seconds.
    pub steps: Vec<(String, f64)>,
}

impl Description {
    /// The file with the settings of a program, which it reads when it is started ([`crate::Cluster::restart_daemon`]); in JSON. `None` of one that has none.
    pub fn settings(&self, daemon: Daemon) -> Option<PathBuf> {
        match daemon {
            Daemon::Kubelet => Some(self.dial.with_file_name("kubelet.yaml")),
            Daemon::KubeProxy => Some(self.dial.with_file_name("kube-proxy.yaml")),
            _ => None,
        }
    }
}

/// Removes what the nodes of a control plane left in the cgroup hierarchies when its supervisor was killed.
pub(crate) fn sweep(control_plane: &str) {
    for place in Place::ALL {
        cgroups::sweep(&place.cgroup(control_plane));
    }
}

/// Where a node finds its surroundings: its control plane.
pub(crate) struct Surroundings<'a> {
    /// Folder in which each node has its own.
    pub(crate) folder: PathBuf,
    /// Folder of logs.
    pub(crate) logs: PathBuf,
    /// Name that no other control plane on this machine has.
    pub(crate) name: String,
    /// The cluster's keys.
    pub(crate) pki: &'a Pki,
    /// Address of the API server on the machine.
    pub(crate) server: String,
    /// kubectl and an administrator's kubeconfig.
    pub(crate) kubectl: (PathBuf, PathBuf),
}

/// A running node. Dropping it ends every process of it, without waiting.
pub(crate) struct Node {
    daemons: BTreeMap<Daemon, Process>,
    namespaces: Namespaces,
    outside: JoinHandle<()>,
    description: Description,
}

/// The socket, on the machine, at which the API server dials into the network of the nodes of a control plane.
pub(crate) fn dial_socket(control_plane: &Path, place: Place) -> PathBuf {
    control_plane.join(place.stem()).join("dial.sock")
}

impl Node {
    /// Starts a node and returns when pods run on it and, on the first one, names resolve.
    pub(crate) async fn start(
        place: Place,
        around: &Surroundings<'_>,
        programs: &Programs,
        archive: Archive,
        client: &Client,
    ) -> Result<Self> {
        let mut clock = Clock::start();
        let configuration = Configuration::write(place, around, programs)?;
        let (stem, cgroup) = (place.stem(), place.cgroup(&around.name));
        let log = |name: &str| around.logs.join(format!("{stem}-{name}.log"));
        let outside = relay::outside(&configuration.api_socket, &around.server)?;
        let namespaces = Namespaces::create(
            configuration.folder(),
            &log("init"),
            programs.packages(),
            &cgroup,
            place.address(),
        )
        .await?;
        clock.step("namespaces");
        let mut node = Self {
            daemons: BTreeMap::new(),
            description: Description {
                place,
                dial: dial_socket(&around.folder, place),
                cgroup,
                runtime: configuration.runtime_socket.clone(),
                namespaces: namespaces.id(),
                enforced: configuration.enforced.clone(),
                steps: Vec::new(),
            },
            namespaces,
            outside,
        };
        let log = |daemon: Daemon| log(daemon.name());

        node.launch(
            Daemon::Relay,
            &workspace_program("ironside-e2e")?,
            configuration.relay(),
            log(Daemon::Relay),
        )?;
        node.launch(
            Daemon::Containerd,
            &programs.runtime("containerd"),
            configuration.containerd(),
            log(Daemon::Containerd),
        )?;
        node.until(Daemon::Containerd, "the container runtime listens", async || {
            tokio::net::UnixStream::connect(&configuration.runtime_socket).await?;
            Ok(())
        })
        .await?;
        clock.step("container runtime");
        let archive = archive
            .await
            .map_err(|error| anyhow!("write the nodes' images: {error:#}"))?;
        node.import(programs, &archive).await?;
        clock.step("images");

        // The shell that hides the machine's sysctls becomes the kubelet.
        node.launch(
            Daemon::Kubelet,
            Path::new("unshare"),
            configuration.kubelet(programs),
            log(Daemon::Kubelet),
        )?;
        node.launch(
            Daemon::KubeProxy,
            &programs.kubernetes("kube-proxy"),
            configuration.kube_proxy(),
            log(Daemon::KubeProxy),
        )?;
        if place == Place::FIRST {
            apply(&around.kubectl, MANIFESTS)
                .await
                .context("apply the nodes' manifests")?;
        }
        node.launch(
            Daemon::Policies,
            &workspace_program("ironside-e2e")?,
            configuration.policies(),
            log(Daemon::Policies),
        )?;
        node.until(Daemon::Kubelet, "the real node is Ready", async || {
            ready(client, place).await
        })
        .await?;
        clock.step("node Ready");
        if place == Place::FIRST {
            node.until(Daemon::Kubelet, "cluster DNS is available", async || {
                dns_available(client).await
            })
            .await?;
            clock.step("cluster DNS");
        }
        node.until(Daemon::Policies, "NetworkPolicies are enforced", async || {
            Enforced::read(&configuration.enforced).map(drop)
        })
        .await?;
        clock.step("NetworkPolicies");
        node.description.steps = clock.steps;
        Ok(node)
    }

    /// What others need to know of it.
    pub(crate) fn describe(&self) -> Description {
        self.description.clone()
    }

    /// One of its processes.
    pub(crate) fn daemon(&mut self, daemon: Daemon) -> Result<&mut Process> {
        self.daemons.get_mut(&daemon).with_context(|| format!("no {daemon:?}"))
    }

    /// Ends everything and removes the cgroup folders.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.outside.abort();
        self.namespaces.end().await?;
        for process in self.daemons.values_mut() {
            process.kill().await?;
        }
        cgroups::remove(&self.description.cgroup).await
    }

    fn launch(&mut self, daemon: Daemon, program: &Path, arguments: Vec<String>, log: PathBuf) -> Result<()> {
        let (nsenter, arguments) = self.namespaces.entering(program, arguments);
        let mut process = Process::new(nsenter, arguments, log).entering();
        process.start()?;
        self.daemons.insert(daemon, process);
        Ok(())
    }

    /// Waits for a condition, and no longer than the process lives that has to bring it about.
    async fn until(&mut self, daemon: Daemon, what: &str, mut probe: impl AsyncFnMut() -> Result<()>) -> Result<()> {
        let process = self.daemon(daemon)?;
        let began = Instant::now();
        loop {
            let complaint = match probe().await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if let Some(status) = process.ended()? {
                bail!(
                    "{daemon:?} ended ({status}); the end of its log:\n{}",
                    process.last_words()
                );
            }
            if began.elapsed() > LIMIT {
                bail!(
                    "waited {LIMIT:?} until {what}: {complaint:#}; the end of its log:\n{}",
                    process.last_words()
                );
            }
            tokio::time::sleep(wait::LONGEST_PAUSE).await;
        }
    }

    async fn import(&self, programs: &Programs, archive: &Path) -> Result<()> {
        let arguments = [
            "--address",
            &text(&self.description.runtime),
            "-n",
            "k8s.io",
            "images",
            "import",
            &text(archive),
        ];
        let arguments = arguments.map(str::to_owned).to_vec();
        let (nsenter, arguments) = self.namespaces.entering(&programs.runtime("ctr"), arguments);
        run(tokio::process::Command::new(nsenter).args(arguments)).await
    }
}

/// Brings an image archive onto a node that is described by `description`, from another process than its supervisor.
///
/// # Errors
/// The runtime refuses it.
pub async fn import(description: &Description, archive: &Path) -> Result<()> {
    ctr(description, &["images", "import", &text(archive)]).await
}

/// Asks a node's container runtime from another process than its supervisor, with `ctr`.
async fn ctr(description: &Description, arguments: &[&str]) -> Result<()> {
    let programs = tokio::task::spawn_blocking(Programs::obtain).await??;
    let runtime = text(&description.runtime);
    let global = ["--address", &runtime, "-n", "k8s.io"];
    run(tokio::process::Command::new(programs.runtime("ctr"))
        .args(global)
        .args(arguments))
    .await
}

async fn ready(client: &Client, place: Place) -> Result<()> {
    let nodes: Api<NodeObject> = Api::all(client.clone());
    let node = nodes.get_status(&place.name()).await?;
    let conditions = node.status.unwrap_or_default().conditions.unwrap_or_default();
    let ready = conditions
        .iter()
        .find(|it| it.type_ == "Ready")
        .context("no condition yet")?;
    ensure!(ready.status == "True", "{}", ready.message.clone().unwrap_or_default());
    Ok(())
}

async fn dns_available(client: &Client) -> Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "kube-system");
    let status = deployments.get("coredns").await?.status.unwrap_or_default();
    ensure!(status.available_replicas == Some(1), "no pod of it is ready");
    Ok(())
}

async fn apply((kubectl, kubeconfig): &(PathBuf, PathBuf), manifest: &str) -> Result<()> {
    let file = kubeconfig.with_extension("manifest.yaml");
    std::fs::write(&file, manifest)?;
    let mut command = tokio::process::Command::new(kubectl);
    command.env("KUBECONFIG", kubeconfig);
    command.env("KUBECACHEDIR", kubeconfig.with_extension("cache"));
    run(command.args(["apply", "--server-side", "-f"]).arg(&file)).await
}

async fn run(command: &mut tokio::process::Command) -> Result<()> {
    let output = command.output().await.with_context(|| format!("run {command:?}"))?;
    ensure!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// How long each step took.
struct Clock {
    last: Instant,
    steps: Vec<(String, f64)>,
}

impl Clock {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            steps: Vec::new(),
        }
    }

    fn step(&mut self, name: &str) {
        self.steps.push((name.to_owned(), self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }
}
