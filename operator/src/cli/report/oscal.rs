//! OSCAL assessment results: what auditors and their tools read.
//!
//! Source: NIST OSCAL, assessment-results model, version 1.2.1. The model knows satisfied and not-satisfied only: what could not be looked at is an observation
//! without a finding, because either would be a claim.

use std::collections::BTreeMap;
use std::io::Write;

use ironside_engine::controls::{Control, ControlId, Verdict};
use ironside_engine::evaluate::Finding;
use ironside_engine::model::ObjectRef;
use serde_json::{Value, json};

use super::json::of;
use super::{sentence, uri, uuid};
use crate::cli::case::Judged;
use crate::cli::locate::Locator;
use crate::cli::manifest::Source;

const VERSION: &str = "1.2.1";

/// Namespace of the properties that are Ironside's own, and of its identifiers: the same content has the same identifier in every scan.
const NAMESPACE: &str = "https://ironside.dev/ns/oscal";

/// What was seen of one control.
struct Seen<'a> {
    control: &'static Control,
    /// Identifiers of what was observed, by verdict.
    failed: Vec<String>,
    accepted: Vec<String>,
    unknown: Vec<String>,
    passed: Vec<&'a ObjectRef>,
}

pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let at = judged.at.to_string();
    let (seen, mut observations) = see(judged, &at);
    let (mut findings, mut risks) = (Vec::new(), Vec::new());
    for of_control in seen.values() {
        let passing = passing(of_control, &at);
        findings.extend(finding(of_control, passing.as_ref()));
        risks.extend(risk(of_control));
        observations.extend(passing);
    }
    observations.extend(judged.problems.iter().map(|problem| {
        let text = problem.to_string();
        json!({
            "uuid": id("problem", &[&text]),
            "title": "Not read",
            "description": markup(&text),
            "props": [prop("verdict", "Unknown")],
            "methods": ["TEST"],
            "collected": at,
        })
    }));
    let plan = id("plan", &[]);
    let content = serde_json::to_string(&[&observations, &findings, &risks])?.replace(&at, "");
    let mut result = json!({
        "uuid": id("result", &[&content]),
        "title": "ironside scan",
        "description": format!("{} objects judged.", judged.evaluations.len()),
        "start": at,
        "end": at,
        "local-definitions": { "assessment-assets": assets() },
        "reviewed-controls": { "control-selections": [reviewed(&seen)] },
    });
    let objects = judged.evaluations.iter();
    let objects: Vec<Value> = objects
        .map(|(source, evaluation)| inventory_item(source, &evaluation.target))
        .collect();
    if !objects.is_empty() {
        result["local-definitions"]["inventory-items"] = objects.into();
    }
    let percents = [
        ("score-percent", judged.score.score_percent),
        ("coverage-percent", judged.score.coverage_percent),
    ];
    let percents = percents.iter();
    let props = percents.filter_map(|(name, percent)| Some(prop(name, &(*percent)?.to_string())));
    for (field, list) in [
        ("props", props.collect()),
        ("observations", observations),
        ("risks", risks),
        ("findings", findings),
    ] {
        // Lists must not be empty in this model.
        if !list.is_empty() {
            result[field] = list.into();
        }
    }
    if !judged.problems.is_empty() {
        result["remarks"] = "Not everything could be read: what is satisfied is so in what was read.".into();
    }
    let document = json!({ "assessment-results": {
        "uuid": id("document", &[&content]),
        "metadata": {
            "title": "Results of ironside scan",
            "last-modified": at,
            "version": at,
            "oscal-version": VERSION,
            "props": [prop("tool-version", env!("CARGO_PKG_VERSION"))],
        },
        "import-ap": { "href": format!("#{plan}"), "remarks": "There is no written assessment plan." },
        "results": [result],
        "back-matter": { "resources": [{
            "uuid": plan,
            "title": "What was asked for",
            "description": "The policies that the scan was given, or a profile of Ironside. `ironside controls` lists the controls, `ironside explain` says what each checks.",
        }]},
    }});
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)?;
    Ok(())
}

/// What was seen of each control, and an observation of each object that fails it or could not be judged.
fn see<'a>(judged: &'a Judged, at: &str) -> (BTreeMap<ControlId, Seen<'a>>, Vec<Value>) {
    let mut locator = Locator::new(judged.stdin.as_deref());
    let mut seen: BTreeMap<ControlId, Seen<'_>> = BTreeMap::new();
    let mut observations: Vec<Value> = Vec::new();
    for (source, finding) in judged.findings() {
        let of_control = seen.entry(finding.control.id).or_insert_with(|| Seen {
            control: finding.control,
            failed: Vec::new(),
            accepted: Vec::new(),
            unknown: Vec::new(),
            passed: Vec::new(),
        });
        let observed = match finding.verdict {
            Verdict::NotApplicable => continue,
            Verdict::Pass => {
                of_control.passed.push(&finding.target);
                continue;
            }
            Verdict::Unknown => &mut of_control.unknown,
            Verdict::Fail if finding.excepted.is_some() => &mut of_control.accepted,
            Verdict::Fail => &mut of_control.failed,
        };
        let observation = observation(source, finding, &mut locator, at);
        observed.extend(observation["uuid"].as_str().map(str::to_owned));
        observations.push(observation);
    }
    (seen, observations)
}

fn reviewed(seen: &BTreeMap<ControlId, Seen<'_>>) -> Value {
    let reviewed: Vec<Value> = seen.keys().map(|id| json!({ "control-id": id.as_str() })).collect();
    if reviewed.is_empty() {
        json!({ "description": "No object was judged." })
    } else {
        json!({ "include-controls": reviewed })
    }
}

/// One control that fails on one object, or could not be judged there.
fn observation(source: &Source, finding: &Finding, locator: &mut Locator<'_>, at: &str) -> Value {
    let control = finding.control;
    let mut evidence: Vec<Value> = Vec::new();
    for one in &finding.evidence {
        let mut shown = json!({ "description": markup(&sentence(one)) });
        if let Some(position) = locator.position(source, &one.pointer)
            && *source.file != *"-"
        {
            shown["href"] = format!("{}#L{}", uri(&source.file), position.line).into();
        }
        evidence.push(shown);
    }
    let reasons = finding
        .gaps
        .iter()
        .map(|gap| format!("{}: {}", gap.reason, gap.message));
    evidence.extend(reasons.map(|reason| json!({ "description": markup(&reason) })));
    let target = finding.target.to_string();
    let (verdict, word, kind) = match finding.verdict {
        Verdict::Fail => ("Fail", "fails on", "finding"),
        _ => ("Unknown", "could not be judged on", "control-objective"),
    };
    let mut props = vec![
        prop("verdict", verdict),
        prop("severity", control.severity.as_str()),
        prop("component", control.component.as_str()),
    ];
    props.extend(finding.excepted.as_ref().map(|by| prop("accepted-by", by)));
    let content = serde_json::to_string(&(&props, &evidence)).unwrap_or_default();
    let mut observation = json!({
        "uuid": id("observation", &[control.id.as_str(), &target, &content]),
        "title": format!("{} {word} {target}", control.id),
        "description": markup(control.title),
        "props": props,
        "methods": ["TEST"],
        "types": [kind],
        "origins": [origin()],
        "subjects": [subject(&finding.target)],
        "collected": at,
    });
    if !evidence.is_empty() {
        observation["relevant-evidence"] = evidence.into();
    }
    observation
}

/// Every object that passes a control, as one observation.
fn passing(seen: &Seen<'_>, at: &str) -> Option<Value> {
    let subjects: Vec<Value> = seen.passed.iter().map(|target| subject(target)).collect();
    (!subjects.is_empty()).then(|| {
        let content = serde_json::to_string(&subjects).unwrap_or_default();
        json!({
            "uuid": id("passing", &[seen.control.id.as_str(), &content]),
            "title": format!("{} passes on {} objects", seen.control.id, subjects.len()),
            "description": markup(seen.control.docs.allowed),
            "props": [prop("verdict", "Pass")],
            "methods": ["TEST"],
            "types": ["control-objective"],
            "origins": [origin()],
            "subjects": subjects,
            "collected": at,
        })
    })
}

/// What follows for the control; nothing where something could not be looked at and nothing fails.
fn finding(seen: &Seen<'_>, passing: Option<&Value>) -> Option<Value> {
    let control = seen.control;
    let status = if !seen.failed.is_empty() {
        json!({ "state": "not-satisfied", "reason": "fail" })
    } else if !seen.accepted.is_empty() {
        json!({ "state": "not-satisfied", "reason": "other", "remarks": "Accepted by exceptions." })
    } else if seen.unknown.is_empty() && passing.is_some() {
        json!({ "state": "satisfied", "reason": "pass" })
    } else {
        return None;
    };
    let passing = passing.and_then(|it| it["uuid"].as_str());
    let observed = [&seen.failed, &seen.accepted, &seen.unknown].into_iter().flatten();
    let observed: Vec<&str> = observed.map(String::as_str).chain(passing).collect();
    let frameworks = control.frameworks.iter().flat_map(|mapping| {
        let name = mapping.framework.as_str();
        mapping
            .ids
            .iter()
            .map(move |id| prop("framework", &format!("{name}: {id}")))
    });
    let props: Vec<Value> = [prop("severity", control.severity.as_str())]
        .into_iter()
        .chain(frameworks)
        .collect();
    let mut finding = json!({
        "uuid": id("finding", &[control.id.as_str(), &observed.join(" ")]),
        "title": format!("{} {}", control.id, control.title),
        "description": markup(control.docs.why),
        "props": props,
        "target": { "type": "objective-id", "target-id": control.id.as_str(), "status": status },
        "related-observations": related(&observed),
    });
    if seen.has_risk() {
        finding["related-risks"] = json!([{ "risk-uuid": seen.risk_id() }]);
    }
    Some(finding)
}

/// What a failing control leaves open, and what would mend it.
fn risk(seen: &Seen<'_>) -> Option<Value> {
    let control = seen.control;
    let observed: Vec<&str> = seen.failed.iter().chain(&seen.accepted).map(String::as_str).collect();
    let status = if seen.failed.is_empty() {
        "deviation-approved"
    } else {
        "open"
    };
    seen.has_risk().then(|| {
        json!({
            "uuid": seen.risk_id(),
            "title": control.title,
            "description": markup(control.docs.why),
            "statement": markup(control.docs.why),
            "props": [prop("severity", control.severity.as_str())],
            "status": status,
            "remediations": [{
                "uuid": id("remediation", &[control.id.as_str()]),
                "lifecycle": "recommendation",
                "title": format!("Repair of {}", control.id),
                "description": markup(control.docs.repair),
            }],
            "related-observations": related(&observed),
        })
    })
}

impl Seen<'_> {
    fn has_risk(&self) -> bool {
        !(self.failed.is_empty() && self.accepted.is_empty())
    }

    fn risk_id(&self) -> String {
        id("risk", &[self.control.id.as_str()])
    }
}

fn related(observations: &[&str]) -> Vec<Value> {
    let related = observations.iter().map(|uuid| json!({ "observation-uuid": uuid }));
    related.collect()
}

fn inventory_item(source: &Source, target: &ObjectRef) -> Value {
    let mut props = vec![
        prop("api-version", target.kind.api_version()),
        prop("kind", target.kind.name()),
        prop("name", &target.name),
        prop("source", &source.to_string()),
    ];
    if !target.namespace.is_empty() {
        props.push(prop("namespace", &target.namespace));
    }
    json!({ "uuid": object_id(target), "description": markup(&target.to_string()), "props": props })
}

fn subject(target: &ObjectRef) -> Value {
    json!({ "subject-uuid": object_id(target), "type": "inventory-item", "title": target.to_string() })
}

fn object_id(target: &ObjectRef) -> String {
    let (kind, namespace, name) = of(target);
    id("object", &[kind, namespace, name])
}

/// The program that looked.
fn assets() -> Value {
    let tool = tool();
    json!({
        "components": [{
            "uuid": tool,
            "type": "software",
            "title": "Ironside",
            "description": "Judges Kubernetes objects after the NSA/CISA Kubernetes Hardening Guide.",
            "props": [{ "name": "version", "value": env!("CARGO_PKG_VERSION") }],
            "status": { "state": "operational" },
        }],
        "assessment-platforms": [{ "uuid": id("platform", &[]), "uses-components": [{ "component-uuid": tool }] }],
    })
}

fn origin() -> Value {
    json!({ "actors": [{ "type": "tool", "actor-uuid": tool() }] })
}

fn tool() -> String {
    id("tool", &[env!("CARGO_PKG_VERSION")])
}

/// A property of Ironside's own. Values have no blanks around them and one line in this model, and are not empty.
fn prop(name: &str, value: &str) -> Value {
    let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
    let value = if value.is_empty() { "-" } else { &value };
    json!({ "name": name, "ns": NAMESPACE, "value": value })
}

/// The identifier of what it stands for.
fn id(what: &str, parts: &[&str]) -> String {
    // A separator that no name holds.
    uuid::of_url(NAMESPACE, &[&[what], parts].concat().join("\n"))
}

/// Text where the model expects Markdown: what was read in a manifest marks nothing up.
fn markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '*' | '`' | '<') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
