//! `ironside-e2e`: a control plane for people (`up`), the build of its programs (`build`), and the processes that the
//! test library starts for itself.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};
use ironside_e2e::bench;
use ironside_e2e::binaries::Binaries;
use ironside_e2e::cluster::{Cluster, Options};
use ironside_e2e::controlplane::supervisor;
use ironside_e2e::demo;
use ironside_e2e::node::obstacle::obstacle;
use ironside_e2e::node::policies;
use ironside_e2e::node::programs::Programs;
use ironside_e2e::node::relay;
use ironside_e2e::tether;
use tokio::io::BufReader;
use tokio::signal::unix::{SignalKind, signal};

/// A real Kubernetes control plane with simulated nodes, from pinned sources, for Ironside's tests and for trying things.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build the programs of the control plane into the cache, if they are not there.
    Build,
    /// Build the programs of the real node into the cache, where this machine can have one.
    BuildNode,
    /// Start a control plane, print its kubeconfig, and keep it until Ctrl-C.
    Up {
        /// How many simulated nodes.
        #[arg(long, default_value_t = Options::default().nodes)]
        nodes: usize,
        /// Show the behaviour of another Kubernetes version: 1.34, 1.35, 1.36.
        #[arg(long)]
        emulated_version: Option<String>,
        /// How many real nodes beside them: 0 to 2.
        #[arg(long, default_value_t = 0)]
        real_nodes: usize,
    },
    /// Show Ironside at work: a control plane, applications, the install, and the story while it happens.
    Demo {
        /// A file or folder of manifests to apply instead of the shop.
        #[arg(long)]
        apps: Option<std::path::PathBuf>,
        /// Leave everything running at the end, until Ctrl-C.
        #[arg(long)]
        keep: bool,
        /// On a real node, with a shop of real containers and a client that never stops asking.
        #[arg(long, conflicts_with = "apps")]
        real_node: bool,
    },
    /// Measure Ironside on a control plane of its own, beside alternatives in the same run, and print the table. For release builds.
    Bench {
        /// A small world and few repetitions: to see that everything can be measured.
        #[arg(long)]
        quick: bool,
        /// A file of rows that another program measured, to be shown in the same table.
        #[arg(long)]
        rows: Option<PathBuf>,
        /// Only one part: scan, start, drift, allows, rollbacks, repairs, large.
        #[arg(long)]
        only: Option<String>,
    },
    /// Let an operator live among random churn, faults and policy edits, and judge at the end whether it did well. For release builds.
    Soak {
        /// How long.
        #[arg(long, default_value_t = 30)]
        minutes: u64,
        /// The seed of an earlier run, to make the same choices again.
        #[arg(long)]
        seed: Option<u64>,
        /// Fifty pods instead of a thousand.
        #[arg(long)]
        quick: bool,
    },
    /// Write the manifests that the bench scans into a new folder.
    #[command(hide = true)]
    Manifests {
        folder: PathBuf,
        #[arg(long, default_value_t = 2_000)]
        files: usize,
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Run a program on so many cores and print what it cost. For the bench.
    #[command(hide = true)]
    RunMeasured {
        cores: usize,
        program: PathBuf,
        #[arg(last = true)]
        arguments: Vec<std::ffi::OsString>,
    },
    /// Hold all Pods in a reflector until standard input ends. For the bench.
    #[command(hide = true)]
    HoldReflector { kubeconfig: PathBuf },
    /// Own a control plane and obey commands on standard input until it ends. For the test library.
    #[command(hide = true)]
    ControlPlane {
        /// The options as JSON.
        #[arg(long)]
        options: String,
    },
    /// Join the network that it runs in with the machine's. For the real node.
    #[command(hide = true)]
    NodeRelay {
        /// Port that leads to the API server.
        #[arg(long)]
        port: u16,
        /// Socket of its outer end.
        #[arg(long)]
        api: PathBuf,
        /// Socket that leads to any address inside.
        #[arg(long)]
        dial: PathBuf,
    },
    /// Enforce NetworkPolicies in the network that it runs in. For the real node.
    #[command(hide = true)]
    NodePolicies {
        /// How the API server is reached.
        #[arg(long)]
        kubeconfig: PathBuf,
        /// A range of addresses of the node's pods.
        #[arg(long)]
        pods: Vec<String>,
        /// The node's own address in it.
        #[arg(long)]
        gateway: Vec<std::net::IpAddr>,
        /// Where to write what is in force.
        #[arg(long)]
        enforced: PathBuf,
    },
    /// Run a program that ends with standard input. For the test library.
    #[command(hide = true)]
    Tether {
        /// Where its output goes.
        #[arg(long)]
        log: PathBuf,
        program: PathBuf,
        #[arg(last = true)]
        arguments: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Without the backtrace: who runs this wants to know what happened in the cluster, not where in our code.
            let _ = writeln!(std::io::stderr(), "ironside-e2e: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    match Arguments::parse().verb {
        Verb::Build => {
            let binaries = tokio::task::spawn_blocking(Binaries::obtain).await??;
            print(&format!("{}", binaries.folder().display()))
        }
        Verb::BuildNode => {
            if let Some(obstacle) = obstacle() {
                return print(&format!("skipped: {obstacle}"));
            }
            tokio::task::spawn_blocking(Programs::obtain).await??;
            print("the programs of the real node are there")
        }
        Verb::NodeRelay { port, api, dial } => relay::inside(port, &api, &dial).await,
        Verb::NodePolicies {
            kubeconfig,
            pods,
            gateway,
            enforced,
        } => {
            let client = ironside_e2e::controlplane::client(&kubeconfig).await?;
            let own: Vec<_> = pods.into_iter().zip(gateway).collect();
            policies::serve(client, &own, &enforced).await
        }
        Verb::Up {
            nodes,
            emulated_version,
            real_nodes,
        } => {
            up(Options {
                nodes,
                emulated_version,
                real_nodes,
                ..Options::default()
            })
            .await
        }
        Verb::Demo { apps, keep, real_node } => demo::run(demo::Choices { apps, keep, real_node }).await,
        Verb::Bench { quick, rows, only } => bench::run(bench::Choices { quick, rows, only }).await,
        Verb::Soak { minutes, seed, quick } => bench::soak::run(bench::soak::Choices { minutes, seed, quick }).await,
        Verb::Manifests { folder, files, seed } => {
            let written = bench::write_manifests(&folder, files, seed)?;
            print(&format!("{} documents, {} bytes", written.documents, written.bytes))
        }
        Verb::RunMeasured {
            cores,
            program,
            arguments,
        } => print(&bench::run_measured(cores, &program, &arguments)?),
        Verb::HoldReflector { kubeconfig } => bench::hold_reflector(&kubeconfig).await,
        Verb::ControlPlane { options } => {
            let options = serde_json::from_str(&options).context("--options")?;
            let keep = std::env::var_os("IRONSIDE_E2E_KEEP").is_some_and(|value| !value.is_empty());
            supervisor::serve(options, keep, BufReader::new(tokio::io::stdin()), tokio::io::stdout()).await
        }
        Verb::Tether {
            log,
            program,
            arguments,
        } => tether::keep(&log, &program, &arguments),
    }
}

async fn up(options: Options) -> Result<()> {
    let cluster = Cluster::dedicated(options).await?;
    print(&format!(
        "\n  export KUBECONFIG={}\n  export PATH={}:$PATH   # kubectl\n\nCtrl-C ends it.",
        cluster.kubeconfig().display(),
        Binaries::obtain()?.folder().display(),
    ))?;
    let mut told = signal(SignalKind::terminate()).context("wait for SIGTERM")?;
    tokio::select! {
        outcome = tokio::signal::ctrl_c() => outcome.context("wait for Ctrl-C")?,
        _ = told.recv() => {}
    }
    cluster.stop().await
}

fn print(text: &str) -> Result<()> {
    writeln!(std::io::stdout(), "{text}").context("write to standard output")
}
