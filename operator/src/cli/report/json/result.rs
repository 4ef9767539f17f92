//! One control on one object, as it stands in the JSON form.

use ironside_engine::controls::{Evidence, Responsibility, Verdict};
use ironside_engine::evaluate::{Evaluation, Finding};
use ironside_engine::model::ObjectRef;
use serde::Serialize;
use serde_json::Value;

use crate::cli::locate::Locator;
use crate::cli::manifest::Source;
use crate::yaml::Position;

/// A finding as a result.
pub(super) fn result_of<'a>(
    source: &'a Source,
    evaluation: &'a Evaluation,
    finding: &'a Finding,
    locator: &mut Locator<'_>,
) -> ReportResult<'a> {
    ReportResult {
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
        object: ReportObject::of(&evaluation.target),
        source: ReportSource::of(source),
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
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReportResult<'a> {
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
pub(super) struct ReportObject<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
pub(super) struct ReportSource<'a> {
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

impl<'a> ReportObject<'a> {
    pub(super) fn of(target: &'a ObjectRef) -> Self {
        Self {
            api_version: target.kind.api_version(),
            kind: target.kind.name(),
            namespace: &target.namespace,
            name: &target.name,
        }
    }
}

impl<'a> ReportSource<'a> {
    pub(super) fn of(source: &'a Source) -> Self {
        Self {
            file: &source.file,
            line: source.line,
        }
    }
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
