//! `ironside scan`: the verdicts on files, folders, standard input or a cluster.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;

use super::Outcome;
use super::case::Judged;
use super::given::GivenArgs;
use super::profile::JudgeArgs;
use super::report::{self, Baseline, Form};

/// Bytes of a report that are written in one go.
const OUTPUT: usize = 64 * 1024;

#[derive(Debug, Args)]
pub(super) struct ScanArgs {
    #[command(flatten)]
    given: GivenArgs,
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
    /// Whether the process ends with the scan, and its memory with it.
    #[arg(skip)]
    pub(super) is_last: bool,
}

impl ScanArgs {
    pub(super) async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        let baseline = self.baseline.as_deref().map(Baseline::read).transpose()?;
        let mut scanned = self.judge.policies();
        self.given.read_into(&mut scanned).await?;
        let case = scanned.case(self.judge.profile(), jiff::Timestamp::now());
        case.tell_problems(err)?;
        // A line at a time would be a call of the system each.
        let mut out = BufWriter::with_capacity(OUTPUT, out);
        let outcome = match baseline {
            None if self.output == Form::Json => {
                let counts = report::judge_to_json(&case, self.all, &mut out)?;
                let outcome = outcome(!case.problems.is_empty(), counts.failed > 0);
                if self.is_last {
                    // To take all that was read apart first would take longer than to write the report's end.
                    std::mem::forget(case);
                }
                outcome
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
