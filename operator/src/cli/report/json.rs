//! JSON for programs. `earlier.rs` reads it back.

use std::collections::BTreeSet;
use std::io::Write;

use ironside_engine::controls::{CONTROLS, Evidence, Responsibility, Verdict};
use ironside_engine::evaluate::Evaluation;
use ironside_engine::model::ObjectRef;
use serde::Serialize;
use serde_json::Value;

use crate::cli::judge::Judged;
use crate::cli::locate::Locator;
use crate::cli::manifest::Source;
use crate::yaml::Position;

/// Version of the JSON form. It changes when a field changes its meaning or goes away; further fields may come at any time.
pub(in crate::cli) const JSON_VERSION: &str = "ironside.dev/v1";

/// The kind of the JSON form.
pub(super) const SCAN_RESULT: &str = "ScanResult";

/// Writes the JSON form, everything included.
pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut locator = Locator::new(judged.stdin.as_deref());
    let mut results = Vec::new();
    for (source, evaluation) in &judged.evaluations {
        results.extend(results_of(source, evaluation, &mut locator));
    }
    let report = Report {
        api_version: JSON_VERSION,
        kind: SCAN_RESULT,
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
            in_baseline: judged.known,
            score_percent: judged.score.score_percent,
            coverage_percent: judged.score.coverage_percent,
        },
        controls: controls(judged),
        results,
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

fn results_of<'a>(
    source: &'a Source,
    evaluation: &'a Evaluation,
    locator: &mut Locator<'_>,
) -> impl Iterator<Item = ReportResult<'a>> {
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
        threats: finding.control.threats.iter().map(|threat| threat.as_str()).collect(),
        excepted: finding.excepted.as_deref(),
        evidence: finding
            .evidence
            .iter()
            .map(|evidence| ReportEvidence::of(evidence, locator.position(source, &evidence.pointer)))
            .collect(),
        gaps: finding
            .gaps
            .iter()
            .map(|gap| ReportGap {
                reason: gap.reason,
                message: &gap.message,
                responsibility: match gap.responsibility {
                    Responsibility::SelfManaged => "Self",
                    Responsibility::Provider => "Provider",
                },
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
    controls: Vec<ReportControl>,
    results: Vec<ReportResult<'a>>,
    problems: Vec<ReportProblem<'a>>,
}

/// What a reader wants to know of a control, once for all its results.
#[derive(Serialize)]
struct ReportControl {
    id: &'static str,
    title: &'static str,
    why: &'static str,
    repair: &'static str,
    frameworks: Vec<ReportFramework>,
}

#[derive(Serialize)]
struct ReportFramework {
    name: &'static str,
    ids: &'static [&'static str],
}

fn controls(judged: &Judged) -> Vec<ReportControl> {
    let judged: BTreeSet<&str> = judged
        .findings()
        .map(|(_, finding)| finding.control.id.as_str())
        .collect();
    let controls = CONTROLS.iter().filter(|control| judged.contains(control.id.as_str()));
    controls
        .map(|control| ReportControl {
            id: control.id.as_str(),
            title: control.title,
            why: control.docs.why,
            repair: control.docs.repair,
            frameworks: control
                .frameworks
                .iter()
                .map(|mapping| ReportFramework {
                    name: mapping.framework.as_str(),
                    ids: mapping.ids,
                })
                .collect(),
        })
        .collect()
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
    /// Failures that are not among the results because the baseline has them.
    in_baseline: usize,
    score_percent: Option<u32>,
    coverage_percent: Option<u32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportResult<'a> {
    control: &'static str,
    title: &'static str,
    severity: &'static str,
    component: &'static str,
    threats: Vec<&'static str>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
}

impl<'a> ReportEvidence<'a> {
    fn of(evidence: &'a Evidence, position: Option<Position>) -> Self {
        Self {
            pointer: &evidence.pointer,
            container: evidence.container.as_deref(),
            observed: evidence.observed.as_ref(),
            expected: &evidence.expected,
            manager: evidence.owner.as_ref().map(|owner| owner.manager.as_str()),
            time: evidence
                .owner
                .as_ref()
                .and_then(|owner| owner.time)
                .map(|time| time.to_string()),
            line: position.map(|position| position.line),
            column: position.map(|position| position.column),
        }
    }
}

#[derive(Serialize)]
struct ReportGap<'a> {
    reason: &'static str,
    message: &'a str,
    responsibility: &'static str,
}

#[derive(Serialize)]
struct ReportProblem<'a> {
    at: &'a str,
    message: &'a str,
}

/// Kind, namespace and name.
pub(super) fn of(target: &ObjectRef) -> (&str, &str, &str) {
    (target.kind.name(), &target.namespace, &target.name)
}
