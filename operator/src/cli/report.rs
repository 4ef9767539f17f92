//! How a scan is written: a table for people, JSON for programs.

use std::collections::BTreeMap;
use std::io::Write;

use ironside_engine::controls::{Evidence, Severity, Verdict};
use ironside_engine::evaluate::{Evaluation, Finding};
use serde::Serialize;
use serde_json::Value;

use super::judge::Judged;
use super::manifest::Source;
use super::style::Style;

/// Version of the JSON form. It changes when a field changes its meaning or goes away; further fields may come at any time.
const JSON_VERSION: &str = "ironside.dev/v1";

/// Writes the table. With `everything` also what passes and what does not apply.
pub(super) fn write_table(judged: &Judged, everything: bool, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    for (source, evaluation) in &judged.evaluations {
        let shown: Vec<&Finding> = evaluation
            .findings
            .iter()
            .filter(|f| everything || is_shown(f))
            .collect();
        if shown.is_empty() && evaluation.gaps.is_empty() {
            continue;
        }
        writeln!(
            out,
            "{}  {}",
            style.bold(&evaluation.target.to_string()),
            style.faint(&source.to_string())
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
            write_finding(finding, style, out)?;
        }
        writeln!(out)?;
    }
    write_summary(judged, style, out)
}

fn is_shown(finding: &Finding) -> bool {
    matches!(finding.verdict, Verdict::Fail | Verdict::Unknown)
}

fn write_finding(finding: &Finding, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
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
        writeln!(out, "        {}", sentence(evidence))?;
    }
    Ok(())
}

/// `web: securityContext.privileged is true, expected false (set by kubectl)`.
pub(super) fn sentence(evidence: &Evidence) -> String {
    let field = dotted(&evidence.pointer);
    let field = match (&evidence.container, field.find("securityContext")) {
        (Some(container), Some(at)) => format!("{container}: {}", &field[at..]),
        (Some(container), None) => format!("{container}: {field}"),
        (None, _) => field,
    };
    let observed = evidence
        .observed
        .as_ref()
        .map_or_else(|| "absent".to_owned(), Value::to_string);
    let owner = evidence
        .owner
        .as_ref()
        .map_or_else(String::new, |owner| format!(" (set by {})", owner.manager));
    format!("{field} is {observed}, expected {}{owner}", evidence.expected)
}

/// A JSON pointer as people write paths; keys that hold a slash get it back.
pub(super) fn dotted(pointer: &str) -> String {
    pointer
        .trim_start_matches('/')
        .replace('/', ".")
        .replace("~1", "/")
        .replace("~0", "~")
}

fn write_summary(judged: &Judged, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let mut failed: BTreeMap<Severity, usize> = BTreeMap::new();
    for (_, finding) in judged.findings().filter(|(_, finding)| finding.is_failure()) {
        *failed.entry(finding.control.severity).or_default() += 1;
    }
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
    if judged.skipped > 0 {
        writeln!(out, "{} objects of other kinds were not looked at", judged.skipped)?;
    }
    Ok(())
}

/// Writes the JSON form, everything included.
pub(super) fn write_json(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let report = Report {
        api_version: JSON_VERSION,
        kind: "ScanResult",
        summary: Summary {
            objects: judged.evaluations.len(),
            passed: judged.count(Verdict::Pass),
            failed: judged.count(Verdict::Fail),
            unknown: judged.count(Verdict::Unknown),
            not_applicable: judged.count(Verdict::NotApplicable),
            excepted: judged
                .findings()
                .filter(|(_, finding)| finding.excepted.is_some())
                .count(),
            skipped: judged.skipped,
        },
        results: judged
            .evaluations
            .iter()
            .flat_map(|(source, evaluation)| results(source, evaluation))
            .collect(),
        problems: judged
            .problems
            .iter()
            .map(|p| ReportProblem {
                at: &p.at,
                message: &p.message,
            })
            .collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)?;
    Ok(())
}

fn results<'a>(source: &'a Source, evaluation: &'a Evaluation) -> impl Iterator<Item = ReportResult<'a>> {
    evaluation.findings.iter().map(move |finding| ReportResult {
        control: finding.control.id.as_str(),
        title: finding.control.title,
        severity: finding.control.severity.as_str(),
        component: finding.control.component.as_str(),
        result: match finding.verdict {
            Verdict::Pass => "Pass",
            Verdict::Fail => "Fail",
            Verdict::NotApplicable => "NotApplicable",
            Verdict::Unknown => "Unknown",
        },
        object: ReportObject {
            api_version: evaluation.target.kind.api_version(),
            kind: evaluation.target.kind.name(),
            namespace: &evaluation.target.namespace,
            name: &evaluation.target.name,
        },
        source: ReportSource {
            file: &source.file,
            line: source.line,
        },
        excepted: finding.excepted.as_deref(),
        evidence: finding.evidence.iter().map(ReportEvidence::of).collect(),
        gaps: finding
            .gaps
            .iter()
            .map(|gap| ReportGap {
                reason: gap.reason,
                message: &gap.message,
            })
            .collect(),
        reason: finding.not_applicable.as_deref(),
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report<'a> {
    api_version: &'static str,
    kind: &'static str,
    summary: Summary,
    results: Vec<ReportResult<'a>>,
    problems: Vec<ReportProblem<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    objects: usize,
    passed: usize,
    failed: usize,
    unknown: usize,
    not_applicable: usize,
    excepted: usize,
    skipped: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportResult<'a> {
    control: &'static str,
    title: &'static str,
    severity: &'static str,
    component: &'static str,
    result: &'static str,
    object: ReportObject<'a>,
    source: ReportSource<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excepted: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<ReportEvidence<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<ReportGap<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportObject<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct ReportSource<'a> {
    file: &'a str,
    line: usize,
}

#[derive(Serialize)]
struct ReportEvidence<'a> {
    pointer: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    observed: Option<&'a Value>,
    expected: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    manager: Option<&'a str>,
}

impl<'a> ReportEvidence<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        Self {
            pointer: &evidence.pointer,
            container: evidence.container.as_deref(),
            observed: evidence.observed.as_ref(),
            expected: &evidence.expected,
            manager: evidence.owner.as_ref().map(|owner| owner.manager.as_str()),
        }
    }
}

#[derive(Serialize)]
struct ReportGap<'a> {
    reason: &'static str,
    message: &'a str,
}

#[derive(Serialize)]
struct ReportProblem<'a> {
    at: &'a str,
    message: &'a str,
}
