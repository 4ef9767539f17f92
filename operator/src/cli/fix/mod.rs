//! `ironside fix`: the operator's own repairs, done to the manifests in Git instead of the cluster.
//!
//! Without `--write` nothing is touched: the change is shown as a diff. A document whose edit cannot be proven equal to the repair is left alone, with the reason.

mod fixer;
mod kustomize;
mod sheet;

use std::collections::BTreeMap;
use std::io::{BufRead as _, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use ironside_engine::controls::{Control, ControlId, Risk, find};
use ironside_engine::plan::Plan;

use super::Outcome;
use super::manifest::{Manifests, Source};
use super::profile::JudgeArgs;
use super::style::Style;
pub(super) use fixer::Fixer;
use fixer::Repairable;
use sheet::Sheet;

#[cfg(test)]
mod tests;

#[derive(Debug, Args)]
pub(super) struct FixArgs {
    /// Files and folders of manifests; `-` reads standard input.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Write the files. With standard input, write the result to standard output.
    #[arg(long)]
    write: bool,
    /// Ask for each repair.
    #[arg(long)]
    pick: bool,
    /// Write JSON patches and a kustomization.yaml into this folder, and leave the manifests alone.
    #[arg(long, value_name = "DIR", conflicts_with = "write")]
    kustomize: Option<PathBuf>,
    /// Only these controls.
    #[arg(long, value_name = "ID", value_delimiter = ',')]
    control: Vec<String>,
    /// Only repairs of this risk or less.
    #[arg(long, value_enum, default_value_t)]
    max_risk: MaxRisk,
    #[command(flatten)]
    judge: JudgeArgs,
}

/// The highest risk of a repair that is taken.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum MaxRisk {
    /// What nearly no workload notices.
    Low,
    /// What breaks workloads that need the right that is taken away.
    #[default]
    Medium,
    /// Everything that can be repaired.
    High,
}

impl MaxRisk {
    fn takes(self, risk: Risk) -> bool {
        risk <= match self {
            Self::Low => Risk::Low,
            Self::Medium => Risk::Medium,
            Self::High => Risk::High,
        }
    }
}

impl FixArgs {
    pub(super) fn run(self, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<Outcome> {
        let only = self.controls()?;
        if self.pick && (self.paths.iter().any(|path| path == Path::new("-")) || !std::io::stdin().is_terminal()) {
            bail!("--pick asks on the terminal: give files, and run it in one");
        }
        let mut scanned = self.judge.policies();
        let manifests = Manifests::read(&self.paths, &mut std::io::stdin().lock());
        let stdin = manifests.stdin.clone();
        scanned.add(manifests);
        let mut trouble = scanned.tell_problems(err)?;
        let fixer = scanned.fixer(self.judge.profile(), jiff::Timestamp::now());
        // The result itself goes to standard output where a pipe reads it.
        let piped = self.write && stdin.is_some();
        let style = Style::of_stdout();
        let mut sheets: BTreeMap<String, Sheet> = BTreeMap::new();
        let mut plans: Vec<(Source, Plan)> = Vec::new();
        for (source, target) in fixer.targets() {
            let mut repairable = fixer.repairable(target);
            repairable.retain(|it| {
                self.max_risk.takes(it.risk) && only.as_ref().is_none_or(|only| only.contains(&it.control.id))
            });
            if self.pick {
                repairable = pick(source, repairable, out)?;
            }
            let wanted: Vec<ControlId> = repairable.iter().map(|it| it.control.id).collect();
            let Some(plan) = (!wanted.is_empty()).then(|| fixer.plan(target, &wanted)).flatten() else {
                continue;
            };
            let sheet = match sheets.entry(source.file.to_string()) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(Sheet::open(&source.file, stdin.as_deref())?)
                }
            };
            let refused = sheet.apply(source, &plan.patch).err();
            trouble |= refused.is_some();
            let said: &mut dyn Write = if piped { &mut *err } else { &mut *out };
            tell(source, &plan, &repairable, refused.as_ref(), style, said)?;
            if refused.is_none() && !plan.changes.is_empty() {
                plans.push((source.clone(), plan));
            }
        }
        let outcome = |fixes_left: bool| match (trouble, fixes_left) {
            (true, _) => Outcome::Trouble,
            (false, true) => Outcome::Findings,
            (false, false) => Outcome::Clean,
        };
        if let Some(folder) = &self.kustomize {
            kustomize::write(folder, &plans)?;
            writeln!(out, "{} patches in {}", plans.len(), folder.display())?;
            return Ok(outcome(false));
        }
        for sheet in sheets.values().filter(|sheet| sheet.changed()) {
            if !self.write {
                sheet.show(style, out)?;
            } else if piped {
                out.write_all(sheet.text().as_bytes())?;
            } else {
                sheet.save()?;
                writeln!(out, "wrote {}", sheet.file())?;
            }
        }
        if piped && !sheets.values().any(Sheet::changed) {
            out.write_all(stdin.unwrap_or_default().as_bytes())?;
        }
        if plans.is_empty() && !piped {
            writeln!(out, "nothing to fix")?;
        } else if !self.write {
            writeln!(
                out,
                "{} objects can be fixed: --write does it, --pick asks for each repair",
                plans.len()
            )?;
        }
        Ok(outcome(!self.write && !plans.is_empty()))
    }

    /// The controls that were named, checked.
    fn controls(&self) -> anyhow::Result<Option<Vec<ControlId>>> {
        if self.control.is_empty() {
            return Ok(None);
        }
        let found = self.control.iter().map(|id| {
            let control = find(&id.to_ascii_uppercase())
                .with_context(|| format!("--control {id}: there is no such control; `ironside controls` lists them"))?;
            if control.repair.is_none() {
                bail!("--control {id}: {}", control.docs.repair);
            }
            Ok(control.id)
        });
        found.collect::<anyhow::Result<_>>().map(Some)
    }
}

/// Asks for each repair of one object.
fn pick(source: &Source, repairable: Vec<Repairable>, out: &mut dyn Write) -> anyhow::Result<Vec<Repairable>> {
    let mut picked = Vec::new();
    for one in repairable {
        let Control { id, title, docs, .. } = one.control;
        write!(
            out,
            "{source}: {id} {title}, risk {}\n  {} It can break: {}\n  repair it? [y/N] ",
            one.risk.as_str(),
            docs.repair,
            docs.breaks
        )?;
        out.flush()?;
        let mut answer = String::new();
        std::io::stdin()
            .lock()
            .read_line(&mut answer)
            .context("read the answer")?;
        if matches!(answer.trim(), "y" | "Y" | "yes") {
            picked.push(one);
        }
    }
    Ok(picked)
}

/// What is done to one object, what it risks, and what is left.
fn tell(
    source: &Source,
    plan: &Plan,
    repairable: &[Repairable],
    refused: Option<&crate::yaml::Refusal>,
    style: Style,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    writeln!(
        out,
        "{}  {}",
        style.bold(&plan.target.to_string()),
        style.faint(&source.to_string())
    )?;
    if let Some(refused) = refused {
        return writeln!(out, "  not fixed: {refused}\n");
    }
    for one in repairable.iter().filter(|one| plan.controls.contains(&one.control.id)) {
        let Control { id, title, docs, .. } = one.control;
        writeln!(out, "  fix  {id}  {title}, risk {}", style.risk(one.risk))?;
        for reason in &one.reasons {
            writeln!(out, "       {reason}")?;
        }
        writeln!(out, "       can break: {}", docs.breaks)?;
    }
    for (control, held) in &plan.left_out {
        writeln!(out, "  not  {control}  {held}")?;
    }
    writeln!(out)
}
