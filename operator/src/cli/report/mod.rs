//! How a scan is written: a table for people, JSON and the formats of other programs.
//!
//! Every form shows the same findings; none decides anything.

mod earlier;
mod github;
mod html;
mod identity;
mod json;
mod junit;
mod open_reports;
mod oscal;
mod sarif;
mod table;
mod uuid;

use std::fmt::Write as _;
use std::io::Write;

use clap::ValueEnum;
use ironside_engine::controls::Evidence;
use ironside_engine::evaluate::{Counts, Finding};
use ironside_engine::model::ObjectRef;
use serde_json::Value;

use super::case::{Case, Judged};
use super::locate::Locator;
use super::manifest::Source;
use super::style::Style;
use crate::yaml::Position;

pub(super) use earlier::{Baseline, Scan, ScanEvidence, ScanGap, ScanObject, ScanResult};
pub(super) use identity::Known;

use identity::{Field, identity, within_container};

/// The forms that a scan can be written in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// For people.
    #[default]
    Table,
    /// For programs, versioned.
    Json,
    /// Static Analysis Results Interchange Format 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for the test view of a CI system.
    Junit,
    /// Annotations of GitHub Actions: each failure at its line of a pull request.
    Github,
    /// One page that needs no network, with filters.
    Html,
    /// NIST OSCAL assessment results 1.2, for audits.
    Oscal,
    /// Reports of OpenReports, as the operator writes them: a list for `kubectl apply`.
    #[value(name = "openreports")]
    OpenReports,
}

/// Judges, and writes JSON while it does.
pub(super) fn judge_to_json(case: &Case, everything: bool, out: &mut dyn Write) -> anyhow::Result<Counts> {
    json::judge(case, everything, out)
}

/// Writes a scan. `everything` adds to table and JSON what passes and what does not apply.
pub(super) fn write(judged: &Judged, form: Form, everything: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    match form {
        Form::Table => Ok(table::write(judged, everything, Style::of_stdout(), out)?),
        Form::Json => json::write(judged, everything, out),
        Form::Sarif => sarif::write(judged, out),
        Form::Junit => junit::write(judged, out),
        Form::Github => Ok(github::write(judged, out)?),
        Form::Html => html::write(judged, out),
        Form::Oscal => oscal::write(judged, out),
        Form::OpenReports => open_reports::write(judged, out),
    }
}

/// One thing that is wrong: a finding, and one of the fields that it rests on.
struct Wrong<'a> {
    target: &'a ObjectRef,
    source: &'a Source,
    finding: &'a Finding,
    /// `None` where a control fails for something that is no field of the object.
    evidence: Option<&'a Evidence>,
    /// `None` for objects of a cluster.
    position: Option<Position>,
}

impl Wrong<'_> {
    /// What is wrong, in a sentence.
    fn message(&self) -> String {
        self.evidence
            .map_or_else(|| self.finding.control.title.to_owned(), sentence)
    }

    /// The line to show it at.
    fn line(&self) -> usize {
        self.position.map_or(self.source.line, |position| position.line)
    }

    /// What stays the same when lines move.
    fn identity(&self) -> String {
        identity(
            self.finding.control.id.as_str(),
            json::of(self.target),
            self.evidence.map(Field::of),
        )
    }
}

/// Everything that fails and is not accepted, field by field, in the order of the files.
fn failures(judged: &Judged) -> Vec<Wrong<'_>> {
    let mut locator = Locator::new(judged.stdin.as_deref());
    let mut failures = Vec::new();
    for (source, evaluation) in &judged.evaluations {
        for finding in evaluation.findings.iter().filter(|finding| finding.is_failure()) {
            let mut fields: Vec<Option<&Evidence>> = finding.evidence.iter().map(Some).collect();
            if fields.is_empty() {
                fields.push(None);
            }
            failures.extend(fields.into_iter().map(|evidence| Wrong {
                target: &evaluation.target,
                source,
                finding,
                evidence,
                position: locator.position(source, evidence.map_or("", |evidence| &evidence.pointer)),
            }));
        }
    }
    failures
}

/// `web: securityContext.privileged is true, expected false (set by kubectl)`.
pub(super) fn sentence(evidence: &Evidence) -> String {
    let owner = evidence
        .owner
        .as_ref()
        .map_or_else(String::new, |owner| format!(" (set by {})", owner.manager));
    format!("{}{owner}", departure(Field::of(evidence), &evidence.expected))
}

/// The same of a scan that was read back.
pub(super) fn sentence_of(evidence: &ScanEvidence) -> String {
    departure(evidence.field(), &evidence.expected)
}

/// `web: securityContext.privileged is true, expected false`.
fn departure(field: Field<'_>, expected: &str) -> String {
    let Field {
        container,
        pointer,
        observed,
    } = field;
    let path = match container {
        Some(container) => format!("{container}: {}", dotted(within_container(pointer))),
        None => dotted(pointer),
    };
    let observed = match observed {
        Value::Null => "absent".to_owned(),
        observed => observed.to_string(),
    };
    format!("{path} is {observed}, expected {expected}")
}

/// A JSON pointer as people write paths; keys that hold a slash get it back.
pub(super) fn dotted(pointer: &str) -> String {
    pointer
        .trim_start_matches('/')
        .replace('/', ".")
        .replace("~1", "/")
        .replace("~0", "~")
}

/// A path as a URI reference (RFC 3986): relative paths stay relative to where the scan was started.
fn uri(path: &str) -> String {
    let path = path.trim_start_matches("./");
    let mut uri = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}"); // into memory
        }
    }
    uri
}
