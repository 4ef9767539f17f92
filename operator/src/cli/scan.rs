//! `ironside scan`: the verdicts on files, folders, standard input or a cluster.

use std::io::Write;
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::judge::Judged;
use super::manifest::Manifests;
use super::profile::JudgeArgs;
use super::report::{self, Baseline, Form};
use super::{ClusterArgs, Outcome, kubeconfig, listing};

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    /// Files and folders of manifests; `-` reads standard input.
    paths: Vec<PathBuf>,
    /// Judge what runs in the cluster instead of files.
    #[arg(long, conflicts_with = "paths")]
    cluster: bool,
    #[command(flatten)]
    target: ClusterArgs,
    #[command(flatten)]
    judge: JudgeArgs,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    /// Show only failures that this earlier scan (written with `-o json`) does not have.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Also show what passes and what does not apply.
    #[arg(long)]
    all: bool,
}

impl ScanArgs {
    pub(super) async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        if self.paths.is_empty() && !self.cluster {
            bail!("nothing to scan: give files or folders, `-` for standard input, or --cluster");
        }
        let baseline = self.baseline.as_deref().map(Baseline::read).transpose()?;
        let mut scanned = self.judge.policies();
        if self.cluster {
            let connection = kubeconfig::connect(&self.target).await?;
            listing::read(&connection.client, self.target.namespace.as_deref(), &mut scanned).await;
        } else {
            let manifests = Manifests::read(&self.paths, &mut std::io::stdin().lock());
            if manifests.files == 0 && manifests.problems.is_empty() {
                bail!("no .yaml, .yml or .json file in {}", shown(&self.paths));
            }
            scanned.add(manifests);
        }
        let mut judged = scanned.judge(self.judge.profile(), jiff::Timestamp::now());
        if let Some(baseline) = baseline {
            baseline.take_from(&mut judged);
        }
        judged.tell_problems(err)?;
        report::write(&judged, self.output, self.all, out)?;
        Ok(outcome(&judged))
    }
}

fn outcome(judged: &Judged) -> Outcome {
    if !judged.problems.is_empty() {
        Outcome::Trouble
    } else if judged.findings().any(|(_, finding)| finding.is_failure()) {
        Outcome::Findings
    } else {
        Outcome::Clean
    }
}

fn shown(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
