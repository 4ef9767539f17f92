//! `ironside scan`: the verdicts on files, folders, standard input or a cluster.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::case::Judged;
use super::manifest::Input;
use super::profile::JudgeArgs;
use super::report::{self, Baseline, Form};
use super::{ClusterArgs, Outcome, kubeconfig, listing};
use crate::components::Asker;

/// Bytes of a report that are written in one go.
const OUTPUT: usize = 64 * 1024;

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
    /// Also show what passes and what does not apply (table and JSON).
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
            // The components are no namespace's.
            if self.target.namespace.is_none() {
                let asker = Asker::new(connection.client, &connection.config);
                scanned.observe(asker.ask().await);
            }
        } else {
            let inputs = Input::below(&self.paths, &mut std::io::stdin().lock());
            if inputs.is_empty() {
                bail!("no .yaml, .yml or .json file in {}", shown(&self.paths));
            }
            scanned.add_files(&inputs);
        }
        let case = scanned.case(self.judge.profile(), jiff::Timestamp::now());
        case.tell_problems(err)?;
        // A line at a time would be a call of the system each.
        let mut out = BufWriter::with_capacity(OUTPUT, out);
        let outcome = match baseline {
            None if self.output == Form::Json => {
                let counts = report::judge_to_json(&case, self.all, &mut out)?;
                outcome(!case.problems.is_empty(), counts.failed > 0)
            }
            baseline => {
                let mut judged = case.judge();
                if let Some(baseline) = baseline {
                    baseline.take_from(&mut judged);
                }
                report::write(&judged, self.output, self.all, &mut out)?;
                outcome(!judged.problems.is_empty(), has_failures(&judged))
            }
        };
        out.flush()?;
        Ok(outcome)
    }
}

fn outcome(has_problems: bool, has_failures: bool) -> Outcome {
    match (has_problems, has_failures) {
        (true, _) => Outcome::Trouble,
        (false, true) => Outcome::Findings,
        (false, false) => Outcome::Clean,
    }
}

fn has_failures(judged: &Judged) -> bool {
    judged.findings().any(|(_, finding)| finding.is_failure())
}

fn shown(paths: &[PathBuf]) -> String {
    paths
        .iter()
        .map(|path| path.display().to_string())
        .collect::<Vec<_>>()
        .join(", ")
}
