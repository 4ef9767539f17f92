//! Results in the community's report kinds, which other tools read: what fails in a namespace, and the counts of everything else.
//!
//! Sources: openreports.io/v1alpha1 (OpenReports), wgpolicyk8s.io/v1alpha2 (Kubernetes Policy Working Group). Both have the same fields; only group and kind differ.

use ironside_engine::controls::{Evidence, Severity, Verdict};
use ironside_engine::evaluate::{Evaluation, Finding};
use ironside_engine::model::{Kind, ObjectRef};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Most results in one report; more go into further ones, so that a change never rewrites an object near the limit of the store.
pub const MOST_RESULTS: usize = 1_000;

/// Longest message of a result, in bytes.
const LONGEST_MESSAGE: usize = 300;

/// Annotation that holds a hash of the content: equal means that nothing has to be written.
pub const CONTENT: &str = "hardening.ironside.dev/content";

/// Label and value that our reports carry.
pub const OWNED: (&str, &str) = ("app.kubernetes.io/managed-by", "ironside");

/// A report kind that a cluster may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportKind {
    /// API group.
    pub group: &'static str,
    /// Version.
    pub version: &'static str,
    /// Kind of the namespaced report.
    pub kind: &'static str,
    /// Kind of the report on what lives in no namespace.
    pub cluster_kind: &'static str,
    /// Resource of the namespaced report.
    pub plural: &'static str,
}

/// Best first.
pub const KINDS: [ReportKind; 2] = [
    ReportKind {
        group: "openreports.io",
        version: "v1alpha1",
        kind: "Report",
        cluster_kind: "ClusterReport",
        plural: "reports",
    },
    ReportKind {
        group: "wgpolicyk8s.io",
        version: "v1alpha2",
        kind: "PolicyReport",
        cluster_kind: "ClusterPolicyReport",
        plural: "policyreports",
    },
];

/// The reports of one namespace, as they are applied; without a name, of what lives in none. At least one: zero failures are a result too. `place` says where a
/// failure stands, if it stands in a file.
pub fn reports<'a>(
    kind: ReportKind,
    namespace: &str,
    judged: impl Iterator<Item = &'a Evaluation> + Clone,
    mut place: impl FnMut(&Evaluation, &Finding) -> Option<String>,
) -> Vec<Value> {
    let mut failures = Vec::new();
    for evaluation in judged.clone() {
        for finding in evaluation.findings.iter().filter(|finding| finding.is_failure()) {
            failures.push(result(&evaluation.target, finding, place(evaluation, finding)));
        }
    }
    let counts = summary(judged);
    let shards = failures.chunks(MOST_RESULTS).map(<[Value]>::to_vec);
    let shards: Vec<Vec<Value>> = if failures.is_empty() {
        vec![Vec::new()]
    } else {
        shards.collect()
    };
    let reports = shards.into_iter().enumerate().map(|(index, results)| {
        // The counts are those of the namespace; in further shards they would be counted twice.
        let summary = if index == 0 {
            counts.clone()
        } else {
            json!({"pass": 0, "fail": 0, "warn": 0, "error": 0, "skip": 0})
        };
        let content = json!({"summary": summary, "results": results});
        let mut report = json!({
            "apiVersion": format!("{}/{}", kind.group, kind.version),
            "kind": kind.cluster_kind,
            "metadata": {
                "name": name(index),
                "labels": {OWNED.0: OWNED.1, "app.kubernetes.io/part-of": "ironside"},
                "annotations": {CONTENT: hash(&content)},
            },
            "source": "ironside",
            "summary": summary,
            "results": results,
        });
        if !namespace.is_empty() {
            report["kind"] = json!(kind.kind);
            report["metadata"]["namespace"] = json!(namespace);
            report["scope"] = json!({"apiVersion": "v1", "kind": "Namespace", "name": namespace});
        }
        report
    });
    let source_is_a_field = kind.group == "openreports.io";
    reports
        .map(|mut report| {
            if !source_is_a_field && let Some(fields) = report.as_object_mut() {
                fields.remove("source");
            }
            report
        })
        .collect()
}

/// Name of a namespace's report, or of a further shard of it.
pub fn name(index: usize) -> String {
    match index {
        0 => "ironside".to_owned(),
        more => format!("ironside-{}", more + 1),
    }
}

fn summary<'a>(judged: impl Iterator<Item = &'a Evaluation> + Clone) -> Value {
    let findings = judged.flat_map(|evaluation| &evaluation.findings);
    let count = |wanted: fn(&Finding) -> bool| findings.clone().filter(|finding| wanted(finding)).count();
    json!({
        "pass": count(|finding| finding.verdict == Verdict::Pass),
        "fail": count(Finding::is_failure),
        "warn": 0,
        "error": count(|finding| finding.verdict == Verdict::Unknown),
        "skip": count(|finding| finding.excepted.is_some()),
    })
}

fn result(target: &ObjectRef, finding: &Finding, place: Option<String>) -> Value {
    let policies: Vec<String> = finding.policies.iter().map(ToString::to_string).collect();
    let mut properties = json!({"policies": policies.join(", ")});
    if let Some(place) = place {
        properties["file"] = json!(place);
    }
    let mut resource = json!({
        "apiVersion": target.kind.api_version(),
        "kind": target.kind.name(),
        "name": &*target.name,
    });
    if target.kind != Kind::Namespace && !target.namespace.is_empty() {
        resource["namespace"] = json!(&*target.namespace);
    }
    json!({
        "source": "ironside",
        "policy": finding.control.id.as_str(),
        "category": finding.control.component.as_str(),
        "severity": match finding.control.severity {
            Severity::Critical => "critical",
            Severity::High => "high",
            Severity::Medium => "medium",
            Severity::Low => "low",
        },
        "result": "fail",
        "scored": true,
        "resources": [resource],
        "message": message(finding),
        "properties": properties,
    })
}

/// `Privilege escalation allowed: web, side`.
fn message(finding: &Finding) -> String {
    let containers: Vec<&str> = finding
        .evidence
        .iter()
        .filter_map(|evidence: &Evidence| evidence.container.as_deref())
        .collect();
    let mut message = finding.control.title.to_owned();
    if !containers.is_empty() {
        message.push_str(": ");
        message.push_str(&containers.join(", "));
    }
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE)
            .rev()
            .find(|end| message.is_char_boundary(*end))
            .unwrap_or(0);
        message.truncate(end);
    }
    message
}

fn hash(content: &Value) -> String {
    use std::fmt::Write as _;
    let digest = Sha256::digest(content.to_string().as_bytes());
    digest.iter().take(12).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
