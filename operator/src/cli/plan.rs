//! `ironside plan`: what the operator would do to the cluster now, computed here by the same engine from the same objects.

use std::io::Write;

use clap::Args;
use ironside_engine::controls::Risk;
use ironside_engine::plan::{Change, Disposition, Plan, ignore_snippet};
use serde_json::{Value, json};

use super::judge::Scanned;
use super::networks::{self, Network};
use super::report::dotted;
use super::style::Style;
use super::{ClusterArgs, Format, Outcome, kubeconfig, listing};

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// All namespaces.
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// One line a workload, without the single changes.
    #[arg(long)]
    brief: bool,
    /// Output format.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl PlanArgs {
    pub(super) async fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        let connection = kubeconfig::connect(&self.cluster).await?;
        let namespace = (!self.all_namespaces).then_some(connection.namespace.as_str());
        let mut scanned = Scanned::default();
        listing::read_policies(&connection.client, &mut scanned).await;
        listing::read(&connection.client, namespace, &mut scanned).await;
        let trouble = scanned.tell_problems(err)?;
        if !scanned.has_policies() {
            writeln!(
                err,
                "ironside: no policy in the cluster, so nothing is planned; `ironside scan --cluster` judges without one"
            )?;
        }
        let now = jiff::Timestamp::now();
        let mut plans = scanned.plan(now);
        let networks = networks(&connection.client, namespace, &mut scanned, now, err).await?;
        plans.sort_by(|a, b| (rank(a), &a.target).cmp(&(rank(b), &b.target)));
        match self.output {
            Format::Table => write_table(&plans, &networks, namespace, self.brief, Style::of_stdout(), out)?,
            Format::Json => {
                let networks = networks.iter().map(Network::as_json);
                let plans: Vec<Value> = plans.iter().map(as_json).chain(networks).collect();
                let document = json!({"apiVersion": "ironside.dev/v1", "kind": "PlanList", "items": plans});
                serde_json::to_writer_pretty(&mut *out, &document)?;
                writeln!(out)?;
            }
        }
        Ok(match (trouble, plans.is_empty() && networks.is_empty()) {
            (true, _) => Outcome::Trouble,
            (false, true) => Outcome::Clean,
            (false, false) => Outcome::Findings,
        })
    }
}

/// Plans of networks. Who may talk to a namespace is said in others as well: where one asks for isolation, all are read.
async fn networks(
    client: &kube::Client,
    namespace: Option<&str>,
    scanned: &mut Scanned,
    now: jiff::Timestamp,
    err: &mut dyn Write,
) -> anyhow::Result<Vec<Network>> {
    let records = networks::records(client, namespace).await;
    let here = scanned.networks(namespace, &records, now);
    if namespace.is_none() || here.is_empty() {
        return Ok(here);
    }
    let mut all = Scanned::default();
    listing::read_policies(client, &mut all).await;
    listing::read(client, None, &mut all).await;
    if !all.problems.is_empty() {
        writeln!(
            err,
            "ironside: other namespaces cannot be read: who reaches this one from there is not known here, and `kubectl get hrem` has the plan"
        )?;
        return Ok(here);
    }
    Ok(all.networks(namespace, &records, now))
}

/// What a person can decide on first, what only tells last.
const fn rank(plan: &Plan) -> u8 {
    match plan.disposition {
        Disposition::Ready => 0,
        Disposition::Held(_) => 1,
        Disposition::NotRepairable(_) => 2,
    }
}

fn write_table(
    plans: &[Plan],
    networks: &[Network],
    namespace: Option<&str>,
    brief: bool,
    style: Style,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    if plans.is_empty() && networks.is_empty() {
        return writeln!(
            out,
            "Nothing to repair{}.",
            namespace.map_or_else(String::new, |n| format!(" in namespace {n}"))
        );
    }
    let width = plans
        .iter()
        .map(|plan| plan.target.to_string().len())
        .max()
        .unwrap_or(0);
    for plan in plans {
        if brief {
            write_line(plan, width, style, out)?;
        } else {
            write_plan(plan, style, out)?;
            writeln!(out)?;
        }
    }
    for network in networks {
        network.write(brief, style, out)?;
    }
    let held = networks.iter().filter(|network| network.is_held()).count();
    let count = |wanted: u8| plans.iter().filter(|plan| rank(plan) == wanted).count();
    writeln!(
        out,
        "{} can be repaired, {} held, {} not repairable by Ironside",
        count(0) + networks.len() - held,
        count(1) + held,
        count(2)
    )
}

/// `restarts 3 pods (RollingUpdate)`.
fn restarts(plan: &Plan) -> String {
    match (plan.restart.strategy, plan.restart.pods) {
        ("None", _) => "restarts nothing".to_owned(),
        (strategy, 1) => format!("restarts 1 pod ({strategy})"),
        (strategy, pods) => format!("restarts {pods} pods ({strategy})"),
    }
}

fn write_line(plan: &Plan, width: usize, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let controls: Vec<&str> = plan.controls.iter().map(|id| id.as_str()).collect();
    let target = style.bold(&format!("{:<width$}", plan.target.to_string()));
    let controls = controls.join(",");
    match &plan.disposition {
        Disposition::Ready => {
            let risk = style.risk(plan.risk);
            writeln!(
                out,
                "{target}  risk {risk}, {}, plan {}: {controls}",
                restarts(plan),
                plan.hash.short()
            )
        }
        Disposition::Held(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            writeln!(out, "{target}  held: {}", reasons.join("; "))
        }
        Disposition::NotRepairable(reason) => writeln!(out, "{target}  not repairable: {reason}"),
    }
}

fn write_plan(plan: &Plan, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let controls: Vec<&str> = plan.controls.iter().map(|id| id.as_str()).collect();
    let title = style.bold(&plan.target.to_string());
    match &plan.disposition {
        Disposition::Ready => {
            let restart = restarts(plan);
            writeln!(
                out,
                "{title}  risk {}, {restart}, plan {}",
                style.risk(plan.risk),
                plan.hash.short()
            )?;
            for change in &plan.changes {
                writeln!(out, "  {}", sentence(change))?;
            }
            for reason in plan.risk_reasons.iter().chain(&plan.irreversible) {
                writeln!(out, "  {} {reason}", style.faint("risk:"))?;
            }
        }
        Disposition::Held(reasons) => {
            writeln!(out, "{title}  held ({})", controls.join(", "))?;
            for reason in reasons {
                writeln!(out, "  {}: {reason}", reason.reason())?;
            }
            if let Some(snippet) = ignore_snippet(plan) {
                writeln!(out, "  {}", style.faint("to allow the change there:"))?;
                for line in snippet.lines() {
                    writeln!(out, "    {line}")?;
                }
            }
        }
        Disposition::NotRepairable(reason) => {
            writeln!(out, "{title}  not repairable ({}): {reason}", controls.join(", "))?;
        }
    }
    for (control, reason) in &plan.left_out {
        writeln!(out, "  {} {control}: {reason}", style.faint("left out:"))?;
    }
    Ok(())
}

fn sentence(change: &Change) -> String {
    let controls: Vec<&str> = change.controls.iter().map(|id| id.as_str()).collect();
    let from = change
        .from
        .as_ref()
        .map_or_else(|| "absent".to_owned(), Value::to_string);
    let field = dotted(&change.pointer);
    let field = match (&change.container, field.split_once(".securityContext.")) {
        (Some(container), Some((_, leaf))) => format!("{container}: securityContext.{leaf}"),
        _ => field,
    };
    format!("{}  {field}: {from} -> {}", controls.join(","), change.to)
}

fn as_json(plan: &Plan) -> Value {
    let risk = match plan.risk {
        Risk::Low => "Low",
        Risk::Medium => "Medium",
        Risk::High => "High",
    };
    let held: Vec<Value> = match &plan.disposition {
        Disposition::Held(reasons) => reasons
            .iter()
            .map(|held| json!({"reason": held.reason(), "message": held.to_string()}))
            .collect(),
        _ => Vec::new(),
    };
    json!({
        "target": {
            "apiVersion": plan.target.kind.api_version(), "kind": plan.target.kind.name(),
            "namespace": &*plan.target.namespace, "name": &*plan.target.name,
        },
        "disposition": match &plan.disposition {
            Disposition::Ready => "Ready",
            Disposition::Held(_) => "Held",
            Disposition::NotRepairable(_) => "NotRepairable",
        },
        "hash": plan.hash.to_string(),
        "controls": plan.controls.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        "risk": risk,
        "riskReasons": &plan.risk_reasons,
        "restart": {"strategy": plan.restart.strategy, "pods": plan.restart.pods},
        "changes": plan.changes.iter().map(|change| json!({
            "path": change.pointer, "from": change.from, "to": change.to, "container": change.container,
            "controls": change.controls.iter().map(|id| id.as_str()).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "held": held,
        "notRepairable": match &plan.disposition { Disposition::NotRepairable(reason) => Some(reason), _ => None },
        "patch": &plan.patch,
    })
}
