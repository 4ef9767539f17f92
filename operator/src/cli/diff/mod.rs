//! `ironside diff`: what is wrong in one scan and not in the other.

mod compare;
mod json;
mod table;

use std::collections::BTreeSet;
use std::io::{Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;

use super::asides::Asides;
use super::judge::Scanned;
use super::manifest::Manifests;
use super::profile::JudgeArgs;
use super::report::Scan;
use super::style::Style;
use super::{ClusterArgs, Format, Outcome, kubeconfig, listing};
use compare::compare;

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 no difference, 1 differences, 2 something could not be read or compared.")]
pub(super) struct DiffArgs {
    /// The earlier side: what `ironside scan -o json` wrote, or a file or folder of manifests; `-` reads standard input.
    earlier: PathBuf,
    /// The later side, given in the same ways.
    #[arg(required_unless_present = "cluster")]
    later: Option<PathBuf>,
    /// Compare with the cluster. Manifests: what applying them would bring in and what it would mend. An earlier scan: what changed in the cluster since.
    #[arg(long, conflicts_with = "later")]
    cluster: bool,
    #[command(flatten)]
    target: ClusterArgs,
    #[command(flatten)]
    judge: JudgeArgs,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One of the two that are compared.
struct Side {
    /// What it is, for people.
    name: String,
    scan: Scan,
    /// Definitions in it that a later one of the same object replaced.
    asides: Asides,
}

impl Side {
    fn of_scan(name: String, scan: Scan) -> Self {
        let asides = Asides::default();
        Self { name, scan, asides }
    }
}

/// What stands at a path.
enum Given {
    Scan(Scan),
    Manifests(Manifests),
}

impl DiffArgs {
    pub(super) async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        let (before, after) = match &self.later {
            Some(later) => self.of_two(later)?,
            None => self.with_cluster().await?,
        };
        let problems: BTreeSet<String> = [&before, &after]
            .into_iter()
            .flat_map(|side| side.scan.problems.iter())
            .map(|problem| format!("{}: {}", problem.at, problem.message))
            .collect();
        for problem in &problems {
            writeln!(err, "ironside: {problem}")?;
        }
        for side in [&before, &after] {
            side.asides.tell(err)?;
        }
        let changes = compare(&before.scan, &after.scan);
        match self.output {
            Format::Table => table::write(&before, &after, &changes, Style::of_stdout(), out)?,
            Format::Json => json::write(&before, &after, &changes, out)?,
        }
        Ok(if !problems.is_empty() {
            Outcome::Trouble
        } else if changes.iter().all(compare::Change::is_none) {
            Outcome::Clean
        } else {
            Outcome::Findings
        })
    }

    fn of_two(&self, later: &Path) -> anyhow::Result<(Side, Side)> {
        if self.earlier == Path::new("-") && later == Path::new("-") {
            bail!("standard input can be one side only: give a file or folder for the other");
        }
        Ok((self.side(&self.earlier)?, self.side(later)?))
    }

    fn side(&self, path: &Path) -> anyhow::Result<Side> {
        let name = path.display().to_string();
        match given(path)? {
            Given::Scan(scan) => Ok(Side::of_scan(name, scan)),
            Given::Manifests(manifests) => {
                let mut scanned = self.judge.policies();
                scanned.add(manifests);
                self.judge(name, scanned)
            }
        }
    }

    async fn with_cluster(&self) -> anyhow::Result<(Side, Side)> {
        let given = given(&self.earlier)?;
        let connection = kubeconfig::connect(&self.target).await?;
        let mut live = self.judge.policies();
        listing::read(&connection.client, self.target.namespace.as_deref(), &mut live).await;
        let name = self.earlier.display().to_string();
        let cluster = "cluster".to_owned();
        Ok(match given {
            Given::Scan(scan) => (Side::of_scan(name, scan), self.judge(cluster, live)?),
            // The whole cluster with the files in place: a NetworkPolicy that is there already counts for a workload that is not there yet.
            Given::Manifests(manifests) => {
                let mut applied = live.clone();
                applied.live_in(&connection.namespace);
                applied.add(manifests);
                let after = format!("cluster with {name} applied");
                (self.judge(cluster, live)?, self.judge(after, applied)?)
            }
        })
    }

    fn judge(&self, name: String, scanned: Scanned) -> anyhow::Result<Side> {
        let judged = scanned.judge(self.judge.profile(), jiff::Timestamp::now());
        Ok(Side {
            name,
            scan: Scan::of(&judged)?,
            asides: judged.asides,
        })
    }
}

/// A scan if it is one by its own words, else manifests.
fn given(path: &Path) -> anyhow::Result<Given> {
    let name = path.display().to_string();
    if path == Path::new("-") {
        let mut text = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut text)
            .context("read standard input")?;
        if Scan::is_claimed_by(&text) {
            return Scan::parse(&text, "standard input").map(Given::Scan);
        }
        return Ok(Given::Manifests(Manifests::read(&[path.to_owned()], &mut &*text)));
    }
    if path.is_file() {
        let text = std::fs::read(path).with_context(|| name.clone())?;
        if Scan::is_claimed_by(&text) {
            return Scan::parse(&text, &name).map(Given::Scan);
        }
    }
    let manifests = Manifests::read(&[path.to_owned()], &mut std::io::empty());
    if manifests.files == 0 {
        match manifests.problems.first() {
            Some(problem) => bail!("{problem}"),
            None => bail!("no .yaml, .yml or .json file in {name}"),
        }
    }
    Ok(Given::Manifests(manifests))
}
