//! SARIF 2.1.0 for code scanning.
//!
//! Source: OASIS SARIF 2.1.0; GitHub documentation, SARIF support for code scanning (`security-severity`, `partialFingerprints`).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

use ironside_engine::controls::{Control, ControlId, Severity};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Wrong, failures, uri};
use crate::cli::case::Judged;

pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let failures = failures(judged);
    let failed: BTreeMap<ControlId, &Control> = failures
        .iter()
        .map(|wrong| (wrong.finding.control.id, wrong.finding.control))
        .collect();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let results: Vec<Value> = failures
        .iter()
        .map(|wrong| {
            let identity = wrong.identity();
            let times = seen.entry(identity.clone()).or_default();
            *times += 1;
            result(wrong, &format!("{identity}{}", " again".repeat(*times - 1)))
        })
        .collect();
    let notifications: Vec<Value> = judged
        .problems
        .iter()
        .map(|problem| json!({"level": "error", "message": {"text": problem.to_string()}}))
        .collect();
    let log = json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "ironside",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": failed.values().map(|control| rule(control)).collect::<Vec<_>>(),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": judged.problems.is_empty(), "toolExecutionNotifications": notifications}],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    writeln!(out)?;
    Ok(())
}

fn rule(control: &Control) -> Value {
    let docs = &control.docs;
    let help = [
        ("Why", docs.why),
        ("Reads", docs.reads),
        ("Allowed", docs.allowed),
        ("Repair", docs.repair),
        ("What the repair can break", docs.breaks),
    ];
    let markdown: Vec<String> = help
        .iter()
        .map(|(title, text)| format!("**{title}.** {text}"))
        .collect();
    let plain: Vec<String> = help.iter().map(|(title, text)| format!("{title}: {text}")).collect();
    let threats = control.threats.iter().map(|threat| threat.as_str());
    let tags: Vec<&str> = ["security", "kubernetes"].into_iter().chain(threats).collect();
    json!({
        "id": control.id.as_str(),
        "name": control.id.as_str(),
        "shortDescription": {"text": control.title},
        "fullDescription": {"text": docs.why},
        "help": {"text": plain.join("\n"), "markdown": markdown.join("\n\n")},
        "defaultConfiguration": {"level": level(control.severity)},
        "properties": {"security-severity": security_severity(control.severity), "tags": tags, "precision": "high"},
    })
}

fn result(wrong: &Wrong<'_>, identity: &str) -> Value {
    let mut region = json!({"startLine": wrong.line().max(1)});
    if let Some(position) = wrong.position {
        region["startColumn"] = json!(position.column);
    }
    json!({
        "ruleId": wrong.finding.control.id.as_str(),
        "level": level(wrong.finding.control.severity),
        "message": {"text": format!("{}: {}", wrong.target, wrong.message())},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": uri(&wrong.source.file)}, "region": region},
            "logicalLocations": [{"fullyQualifiedName": wrong.target.to_string(), "kind": "resource"}],
        }],
        "partialFingerprints": {"ironside/v1": fingerprint(identity)},
    })
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// In the bands that code scanning shows: above 9.0 critical, 7.0 to 8.9 high, 4.0 to 6.9 medium, below low.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
    }
}

fn fingerprint(identity: &str) -> String {
    let digest = Sha256::digest(identity.as_bytes());
    digest.iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
