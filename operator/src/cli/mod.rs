//! The command line `ironside`, also reachable as `kubectl ironside`: the engine of the operator on files or a cluster, and a person's decisions.
//!
//! Exit codes: 0 nothing found, 1 findings, 2 something could not be read or done.

mod asides;
mod can;
mod case;
mod decide;
mod diff;
mod document;
mod explain;
mod fix;
mod given;
mod input;
mod intake;
mod judge;
mod kubeconfig;
mod listing;
mod locate;
mod manifest;
mod networks;
mod parallel;
mod pause;
mod plan;
mod profile;
mod reach;
mod report;
mod scan;
mod shape;
mod sources;
mod style;
mod threats;

use std::io::Write;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub use case::Judged;
pub use judge::Scanned;

/// Keeps Kubernetes workloads hardened after the NSA/CISA Kubernetes Hardening Guide.
#[derive(Debug, Parser)]
#[command(name = "ironside", version, propagate_version = true, max_term_width = 120)]
#[command(after_help = "Exit codes: 0 nothing found, 1 findings, 2 something could not be read or done.")]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Judge manifests or a cluster.
    Scan(scan::ScanArgs),
    /// Compare two scans, manifests, or manifests with the cluster: what is newly wrong, what no longer is.
    Diff(diff::DiffArgs),
    /// Repair manifests: the operator's own repairs, done to the source. Shows a diff; --write does it.
    Fix(fix::FixArgs),
    /// Show what would be changed in the cluster, at which risk, and what is held and why.
    Plan(plan::PlanArgs),
    /// Say who reaches whom on which ports, as the NetworkPolicies of files or a cluster have it.
    Reach(reach::ReachArgs),
    /// Approve the repair of a workload.
    Approve(decide::ApproveArgs),
    /// Keep the repair of a workload from happening.
    Hold(decide::DecideArgs),
    /// Try a held or quarantined repair again; of several suspects a part, to find the one that breaks the workload.
    Retry(decide::DecideArgs),
    /// Take a repair back: every field that it wrote gets its former value.
    Revert(decide::DecideArgs),
    /// Stop new repairs for a while. Verification and rollback of what is under way still finish.
    Pause(pause::PauseArgs),
    /// Say who may do what, by which binding and rule, and whether that leads to cluster-admin.
    Can(can::CanArgs),
    /// Say how well each threat of the guide is countered, what is open, and the shortest ways to cluster-admin or to a node.
    Threats(threats::ThreatsArgs),
    /// Say what a control checks, why, and what its repair does.
    Explain(explain::ExplainArgs),
    /// List the controls.
    Controls(explain::ControlsArgs),
    /// Write completions for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write manual pages into a folder.
    #[command(hide = true)]
    Man {
        /// The folder.
        folder: std::path::PathBuf,
    },
}

/// Which cluster, and where in it.
#[derive(Debug, Clone, Default, Args)]
pub struct ClusterArgs {
    /// Kubeconfig file [default: $KUBECONFIG, else ~/.kube/config].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<std::path::PathBuf>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace [default: the context's].
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// How results are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs, versioned.
    Json,
}

/// How a verb ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was found, or what was asked for is done.
    Clean,
    /// There are findings.
    Findings,
    /// Something could not be read or done; it was said on standard error.
    Trouble,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
            Outcome::Trouble => 2,
        })
    }
}

/// Runs the command line of this process.
pub async fn main() -> ExitCode {
    let mut cli = Cli::parse();
    if let Verb::Scan(args) = &mut cli.verb {
        args.is_last = true;
    }
    let mut out = std::io::stdout().lock();
    let mut err = std::io::stderr();
    match cli.run(&mut out, &mut err).await {
        Ok(outcome) => outcome.into(),
        // A reader that has seen enough (`| head`) is no error of ours.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(err, "ironside: {error:#}");
            Outcome::Trouble.into()
        }
    }
}

impl Cli {
    /// Runs one verb. Results go to `out`, complaints to `err`.
    ///
    /// # Errors
    /// The verb could not do its work at all.
    pub async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        match self.verb {
            Verb::Scan(args) => args.run(out, err).await,
            Verb::Diff(args) => args.run(out, err).await,
            Verb::Fix(args) => args.run(out, err),
            Verb::Plan(args) => args.run(out, err).await,
            Verb::Reach(args) => args.run(out, err).await,
            Verb::Approve(args) => args.run(out).await,
            Verb::Hold(args) => args.run(decide::Action::Hold, out).await,
            Verb::Retry(args) => args.run(decide::Action::Retry, out).await,
            Verb::Revert(args) => args.run(decide::Action::Revert, out).await,
            Verb::Pause(args) => args.run(out).await,
            Verb::Can(args) => args.run(out, err).await,
            Verb::Threats(args) => args.run(out, err).await,
            Verb::Explain(args) => args.run(out),
            Verb::Controls(args) => args.run(out),
            Verb::Completions { shell } => {
                clap_complete::generate(shell, &mut Self::command(), "ironside", out);
                Ok(Outcome::Clean)
            }
            Verb::Man { folder } => {
                std::fs::create_dir_all(&folder)?;
                clap_mangen::generate_to(Self::command(), &folder)?;
                Ok(Outcome::Clean)
            }
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}
