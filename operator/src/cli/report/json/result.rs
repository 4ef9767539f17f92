//! One control on one object, as it stands in the JSON form.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use ironside_engine::controls::{ControlId, Evidence, Verdict};
use ironside_engine::evaluate::{Evaluation, Finding};
use ironside_engine::model::ObjectRef;
use serde::Serialize;
use serde_json::Value;

use crate::cli::locate::Locator;
use crate::cli::manifest::Source;
use crate::yaml::Position;

/// Writes results. A result says a lot that others say too, of its control and of its object: that is turned into text once.
#[derive(Debug)]
pub(super) struct Results<'a> {
    locator: Locator<'a>,
    /// The fields of [`OfControl`], by control and verdict.
    of_controls: BTreeMap<(ControlId, Verdict), Vec<u8>>,
}

impl<'a> Results<'a> {
    /// Standard input has to be given, it cannot be read twice.
    pub(super) fn new(stdin: Option<&'a str>) -> Self {
        Self {
            locator: Locator::new(stdin),
            of_controls: BTreeMap::new(),
        }
    }

    /// Writes some findings of an object, each with a comma and a line break before it.
    pub(super) fn write<'b>(
        &mut self,
        source: &Source,
        evaluation: &Evaluation,
        findings: impl Iterator<Item = &'b Finding>,
        out: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        let mut of_object = Vec::new();
        for finding in findings {
            if of_object.is_empty() {
                of_object = fields(&OfObject::of(source, evaluation))?;
            }
            let of_control = match self.of_controls.entry((finding.control.id, finding.verdict)) {
                Entry::Occupied(written) => written.into_mut(),
                Entry::Vacant(place) => place.insert(fields(&OfControl::of(finding))?),
            };
            out.extend_from_slice(b",\n{");
            out.extend_from_slice(of_control);
            out.push(b',');
            out.extend_from_slice(&of_object);
            let begin = out.len();
            serde_json::to_writer(&mut *out, &Own::of(source, finding, &mut self.locator))?;
            // Its fields follow the others, if it has any.
            if out[begin..] == *b"{}" {
                out.truncate(begin);
                out.push(b'}');
            } else {
                out[begin] = b',';
            }
        }
        Ok(())
    }
}

/// The fields of an object as JSON, without the braces around them.
fn fields(object: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(object)?;
    text.pop();
    text.remove(0);
    Ok(text)
}

/// What all results of a control with the same verdict say.
#[derive(Serialize)]
struct OfControl {
    control: &'static str,
    title: &'static str,
    severity: &'static str,
    component: &'static str,
    threats: Vec<&'static str>,
    result: &'static str,
}

impl OfControl {
    fn of(finding: &Finding) -> Self {
        Self {
            control: finding.control.id.as_str(),
            title: finding.control.title,
            severity: finding.control.severity.as_str(),
            component: finding.control.component.as_str(),
            threats: finding.control.threats.iter().map(|threat| threat.as_str()).collect(),
            result: match finding.verdict {
                Verdict::Pass => "Pass",
                Verdict::Fail => "Fail",
                Verdict::NotApplicable => "NotApplicable",
                Verdict::Unknown => "Unknown",
            },
        }
    }
}

/// What all results of an object say.
#[derive(Serialize)]
struct OfObject<'a> {
    object: ReportObject<'a>,
    source: ReportSource<'a>,
}

impl<'a> OfObject<'a> {
    fn of(source: &'a Source, evaluation: &'a Evaluation) -> Self {
        Self {
            object: ReportObject::of(&evaluation.target),
            source: ReportSource::of(source),
        }
    }
}

/// What a result says for itself.
#[derive(Serialize)]
struct Own<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    excepted: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    evidence: Vec<ReportEvidence<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<ReportGap<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

impl<'a> Own<'a> {
    fn of(source: &Source, finding: &'a Finding, locator: &mut Locator<'_>) -> Self {
        Self {
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
                    responsibility: gap.responsibility.as_str(),
                })
                .collect(),
            reason: finding.not_applicable.as_deref(),
        }
    }
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
