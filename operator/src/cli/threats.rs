//! `ironside threats`: by each threat of the guide, how well it is countered and what is open; and the shortest ways to
//! cluster-admin or to a node, from outside and from workloads that nobody exposes.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write};

use clap::Args;
use ironside_engine::attack::{End, Entry, Way, ways};
use ironside_engine::controls::{Control, ControlId, Threat};
use serde::Serialize;
use serde_json::{Value, json};

use super::case::Judged;
use super::given::GivenArgs;
use super::profile::JudgeArgs;
use super::style::Style;
use super::{Format, Outcome};

/// Controls of a threat that the table names, and ways; JSON has all.
const NAMED: usize = 10;

#[derive(Debug, Args)]
pub(super) struct ThreatsArgs {
    #[command(flatten)]
    given: GivenArgs,
    #[command(flatten)]
    judge: JudgeArgs,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// What is open of a threat.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Open {
    control: &'static str,
    title: &'static str,
    severity: &'static str,
    objects: usize,
}

/// How one threat stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Standing {
    name: &'static str,
    passed: u32,
    failed: u32,
    unknown: u32,
    score_percent: Option<u32>,
    coverage_percent: Option<u32>,
    open: Vec<Open>,
}

impl ThreatsArgs {
    pub(super) async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        let mut scanned = self.judge.policies();
        self.given.read_into(&mut scanned).await?;
        let case = scanned.case(self.judge.profile(), jiff::Timestamp::now());
        let trouble = case.tell_problems(err)?;
        let ways = ways(&case.world);
        let standings = standings(&case.judge());
        let mut out = BufWriter::new(out);
        match self.output {
            Format::Table => write_table(&standings, &ways, Style::of_stdout(), &mut out)?,
            Format::Json => write_json(&standings, &ways, &mut out)?,
        }
        out.flush()?;
        let open = ways.iter().any(|way| way.entry.is_some()) || standings.iter().any(|standing| standing.failed > 0);
        Ok(match (trouble, open) {
            (true, _) => Outcome::Trouble,
            (false, true) => Outcome::Findings,
            (false, false) => Outcome::Clean,
        })
    }
}

fn standings(judged: &Judged) -> Vec<Standing> {
    let mut open: BTreeMap<ControlId, (&'static Control, usize)> = BTreeMap::new();
    for (_, finding) in judged.findings().filter(|(_, finding)| finding.is_failure()) {
        open.entry(finding.control.id).or_insert((finding.control, 0)).1 += 1;
    }
    let mut worst_first: Vec<(&'static Control, usize)> = open.into_values().collect();
    worst_first.sort_by_key(|(control, objects)| std::cmp::Reverse((control.severity, *objects)));
    let of_threat = |threat: Threat| {
        let counters = worst_first
            .iter()
            .filter(|(control, _)| control.threats.contains(&threat));
        let open = counters.map(|(control, objects)| Open {
            control: control.id.as_str(),
            title: control.title,
            severity: control.severity.as_str(),
            objects: *objects,
        });
        open.collect()
    };
    let shares = judged.score.threats.iter();
    shares
        .map(|(threat, share)| Standing {
            name: threat.as_str(),
            passed: share.passed,
            failed: share.failed,
            unknown: share.unknown,
            score_percent: share.score_percent(),
            coverage_percent: share.coverage_percent(),
            open: of_threat(*threat),
        })
        .collect()
}

fn write_table(standings: &[Standing], ways: &[Way], style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let percent = |share: Option<u32>| share.map_or_else(|| "-".to_owned(), |share| format!("{share} %"));
    for standing in standings {
        writeln!(
            out,
            "{}  score {}, coverage {}: {} controls pass, {} fail, {} are unknown",
            style.bold(standing.name),
            percent(standing.score_percent),
            percent(standing.coverage_percent),
            standing.passed,
            standing.failed,
            standing.unknown
        )?;
        for open in standing.open.iter().take(NAMED) {
            writeln!(
                out,
                "  {:<8}  {:<11}  {}  ({})",
                open.severity,
                open.control,
                open.title,
                objects(open.objects)
            )?;
        }
        if let Some(more) = standing.open.len().checked_sub(NAMED).filter(|more| *more > 0) {
            writeln!(out, "  and {more} more: -o json names them")?;
        }
        writeln!(out)?;
    }
    let (outside, inside): (Vec<&Way>, Vec<&Way>) = ways.iter().partition(|way| way.entry.is_some());
    if outside.is_empty() {
        writeln!(
            out,
            "No way from an exposed Service to cluster-admin or to a node is open by what was seen"
        )?;
    } else {
        let title = "From outside to cluster-admin or to a node, the shortest way first";
        write_ways(title, &outside, style, out)?;
    }
    if !inside.is_empty() {
        writeln!(out)?;
        let title = "From a workload that is not exposed, once its program is broken into";
        write_ways(title, &inside, style, out)?;
    }
    Ok(())
}

fn write_ways(title: &str, ways: &[&Way], style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    writeln!(out, "{}", style.bold(title))?;
    for way in ways.iter().take(NAMED) {
        writeln!(out, "  {way}")?;
    }
    if let Some(more) = ways.len().checked_sub(NAMED).filter(|more| *more > 0) {
        writeln!(out, "  and {more} more: -o json names them")?;
    }
    Ok(())
}

fn objects(number: usize) -> String {
    match number {
        1 => "1 object".to_owned(),
        number => format!("{number} objects"),
    }
}

fn write_json(standings: &[Standing], ways: &[Way], out: &mut dyn Write) -> anyhow::Result<()> {
    let ways: Vec<Value> = ways.iter().map(of_way).collect();
    let report = json!({
        "apiVersion": "ironside.dev/v1",
        "kind": "Threats",
        "threats": standings,
        "ways": ways,
    });
    serde_json::to_writer(&mut *out, &report)?;
    writeln!(out)?;
    Ok(())
}

fn of_way(way: &Way) -> Value {
    let mut all = json!({ "workload": way.workload.to_string() });
    if let Some(Entry { service, exposed }) = &way.entry {
        all["service"] = json!(service.to_string());
        all["exposedBy"] = json!(exposed.to_string());
    }
    match &way.end {
        End::ClusterAdmin { account, steps } => {
            let steps = steps
                .iter()
                .map(|step| json!({ "does": step.does, "binding": step.binding }));
            all["to"] = json!("ClusterAdmin");
            all["account"] = json!(account.to_string());
            all["steps"] = steps.collect();
        }
        End::Node { by } => {
            all["to"] = json!("Node");
            all["by"] = json!(by);
        }
    }
    all
}
