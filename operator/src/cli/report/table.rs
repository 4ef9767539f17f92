//! The table for people: by workload, what fails and where.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::Write;

use ironside_engine::controls::{Severity, Verdict};
use ironside_engine::evaluate::{Evaluation, Finding};
use ironside_engine::model::Kind;

use super::sentence;
use crate::cli::case::Judged;
use crate::cli::locate::Locator;
use crate::cli::manifest::Source;
use crate::cli::style::Style;

/// Writes the table. With `everything` also what passes and what does not apply.
pub(super) fn write(judged: &Judged, everything: bool, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let mut locator = Locator::new(judged.stdin.as_deref());
    for (source, evaluation) in &judged.evaluations {
        let mut shown: Vec<&Finding> = evaluation
            .findings
            .iter()
            .filter(|f| everything || is_shown(f))
            .collect();
        // What matters most first.
        shown.sort_by_key(|finding| Reverse((finding.verdict, finding.control.severity)));
        if shown.is_empty() && evaluation.gaps.is_empty() {
            continue;
        }
        writeln!(
            out,
            "{}  {}",
            style.bold(&evaluation.target.to_string()),
            style.faint(&match evaluation.target.kind {
                Kind::CustomResource =>
                    format!("{source}  a kind that is not known: its pod template was found by its shape"),
                _ => source.to_string(),
            })
        )?;
        for gap in &evaluation.gaps {
            writeln!(
                out,
                "  {}  {}: {}",
                style.verdict(Verdict::Unknown),
                gap.reason,
                gap.message
            )?;
        }
        for finding in shown {
            write_finding(finding, source, &mut locator, style, out)?;
        }
        writeln!(out)?;
    }
    write_summary(judged, style, out)
}

fn is_shown(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Fail | Verdict::Unknown)
}

fn write_finding(
    finding: &Finding,
    source: &Source,
    locator: &mut Locator<'_>,
    style: Style,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let control = finding.control;
    let verdict = match &finding.excepted {
        Some(_) => style.faint("excepted"),
        None => style.verdict(finding.verdict),
    };
    writeln!(
        out,
        "  {verdict}  {} {}  {}",
        style.severity(control.severity),
        control.id,
        control.title
    )?;
    if let Some(exception) = &finding.excepted {
        writeln!(out, "        accepted by {exception}")?;
    }
    for gap in &finding.gaps {
        writeln!(out, "        {}: {}", gap.reason, gap.message)?;
    }
    for evidence in &finding.evidence {
        let position = locator.position(source, &evidence.pointer);
        let at = position.map_or_else(String::new, |at| style.faint(&format!("  :{}:{}", at.line, at.column)));
        writeln!(out, "        {}{at}", sentence(evidence))?;
    }
    Ok(())
}

fn write_summary(judged: &Judged, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let mut failed: BTreeMap<Severity, usize> = BTreeMap::new();
    for (_, finding) in judged.findings().filter(|(_, finding)| finding.is_failure()) {
        *failed.entry(finding.control.severity).or_default() += 1;
    }
    write_components(judged, style, out)?;
    let by_severity: Vec<String> = failed
        .iter()
        .rev()
        .map(|(severity, count)| format!("{count} {}", severity.as_str().to_lowercase()))
        .collect();
    let total: usize = failed.values().sum();
    let failures = if total == 0 {
        "nothing failed".to_owned()
    } else {
        format!("{total} failed ({})", by_severity.join(", "))
    };
    writeln!(
        out,
        "{}: {failures}, {} passed, {} unknown, {} excepted",
        style.bold(&format!("{} objects judged", judged.evaluations.len())),
        judged.count(Verdict::Pass),
        judged.count(Verdict::Unknown),
        judged
            .findings()
            .filter(|(_, finding)| finding.excepted.is_some())
            .count(),
    )?;
    let score = &judged.score;
    if let (Some(percent), Some(coverage)) = (score.score_percent, score.coverage_percent) {
        writeln!(out, "Score {percent} %, coverage {coverage} %")?;
    }
    if judged.known > 0 {
        writeln!(out, "{} failures stand in the baseline and are not shown", judged.known)?;
    }
    if judged.skipped > 0 {
        writeln!(out, "{} objects of other kinds were not looked at", judged.skipped)?;
    }
    write_next(judged, style, out)
}

/// The components of the cluster, if one was scanned: each is a row, also where nothing of it can be seen.
fn write_components(judged: &Judged, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let is_cluster = |(_, evaluation): &(Source, Evaluation)| evaluation.target.kind == Kind::Component;
    if !judged.evaluations.iter().any(is_cluster) {
        return Ok(());
    }
    let columns = ["score", "coverage", "passed", "failed", "unknown"];
    let header = columns.map(|name| format!("{name:>9}")).concat();
    writeln!(out, "{}", style.bold(&format!("{:<26}{header}", "Components")))?;
    for (component, share) in &judged.score.components {
        let Some(target) = component.target() else { continue };
        let percent = |share: Option<u32>| share.map_or_else(|| "-".to_owned(), |share| format!("{share} %"));
        let provider = if share.provider { "  (the provider's)" } else { "" };
        writeln!(
            out,
            "{:<26}{:>9}{:>9}{:>9}{:>9}{:>9}{provider}",
            &*target.name,
            percent(share.score_percent()),
            percent(share.coverage_percent()),
            share.passed,
            share.failed,
            share.unknown
        )?;
    }
    writeln!(out)
}

/// What somebody can do who never read the documentation.
fn write_next(judged: &Judged, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let failures = || judged.findings().filter(|(_, finding)| finding.is_failure());
    let Some((_, worst)) =
        failures().max_by_key(|(_, finding)| (finding.control.severity, Reverse(finding.control.id)))
    else {
        return Ok(());
    };
    let explain = format!("ironside explain {}", worst.control.id);
    writeln!(out, "Why it matters and what to do: {}", style.bold(&explain))?;
    let repairable = failures().filter(|(source, finding)| !source.is_cluster() && finding.control.repair.is_some());
    match repairable.count() {
        0 => Ok(()),
        count => writeln!(
            out,
            "Up to {count} of these can be repaired in the files: {} with the same paths shows a diff first",
            style.bold("ironside fix")
        ),
    }
}
