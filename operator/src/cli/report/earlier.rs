//! A scan read back from its JSON form, and the baseline that hides what it has.

use std::collections::HashSet;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;

use super::identity::{Field, Known, identity};
use super::json::{JSON_VERSION, JSON_VERSION_BEFORE, SCAN_RESULT, of};
use crate::cli::case::Judged;

/// Of the JSON form, what a later scan is compared with.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Scan {
    #[serde(default)]
    pub(in crate::cli) summary: ScanSummary,
    pub(in crate::cli) results: Vec<ScanResult>,
    #[serde(default)]
    objects: Vec<QuietObject>,
    #[serde(default)]
    pub(in crate::cli) problems: Vec<ScanProblem>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cli) struct ScanSummary {
    pub(in crate::cli) score_percent: Option<u32>,
    pub(in crate::cli) coverage_percent: Option<u32>,
}

/// What of an object passes and what does not apply.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct QuietObject {
    object: ScanObject,
    #[serde(default)]
    source: ScanSource,
    passed: Vec<String>,
    not_applicable: Vec<String>,
}

/// One control on one object.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ScanResult {
    pub(in crate::cli) control: String,
    #[serde(default)]
    pub(in crate::cli) title: String,
    #[serde(default)]
    pub(in crate::cli) severity: String,
    pub(in crate::cli) result: String,
    pub(in crate::cli) object: ScanObject,
    #[serde(default)]
    pub(in crate::cli) source: ScanSource,
    pub(in crate::cli) excepted: Option<String>,
    #[serde(default)]
    pub(in crate::cli) evidence: Vec<ScanEvidence>,
    #[serde(default)]
    pub(in crate::cli) gaps: Vec<ScanGap>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::cli) struct ScanObject {
    #[serde(default)]
    pub(in crate::cli) namespace: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) kind: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(in crate::cli) struct ScanSource {
    pub(in crate::cli) file: String,
    pub(in crate::cli) line: usize,
}

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ScanEvidence {
    pub(in crate::cli) pointer: String,
    pub(in crate::cli) container: Option<String>,
    #[serde(default)]
    pub(in crate::cli) observed: Value,
    #[serde(default)]
    pub(in crate::cli) expected: String,
    pub(in crate::cli) line: Option<usize>,
}

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ScanGap {
    pub(in crate::cli) reason: String,
    pub(in crate::cli) message: String,
}

#[derive(Debug, Deserialize)]
pub(in crate::cli) struct ScanProblem {
    pub(in crate::cli) at: String,
    pub(in crate::cli) message: String,
}

/// What a text is, before the rest of it is believed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: String,
    #[serde(default)]
    kind: String,
}

impl Scan {
    /// Whether a text claims to be the JSON form of a scan; a manifest does not.
    pub(in crate::cli) fn is_claimed_by(text: &[u8]) -> bool {
        text.trim_ascii_start().starts_with(b"{")
            && serde_json::from_slice::<Head>(text).is_ok_and(|head| head.kind == SCAN_RESULT)
    }

    /// Reads what `ironside scan -o json` wrote.
    pub(in crate::cli) fn parse(text: &[u8], named: &str) -> anyhow::Result<Self> {
        let head: Head = serde_json::from_slice(text)
            .with_context(|| format!("{named} is not what `ironside scan -o json` writes"))?;
        anyhow::ensure!(
            head.kind == SCAN_RESULT,
            "{named} holds a {}, not a {SCAN_RESULT}: write it with `ironside scan -o json`",
            head.kind
        );
        anyhow::ensure!(
            [JSON_VERSION, JSON_VERSION_BEFORE].contains(&&*head.api_version),
            "{named} has apiVersion {:?}, and this version of ironside reads {JSON_VERSION}: scan again, or compare with the version that wrote it",
            head.api_version
        );
        let mut scan: Self = serde_json::from_slice(text)
            .with_context(|| format!("{named} is not what `ironside scan -o json` writes"))?;
        scan.write_out();
        Ok(scan)
    }

    /// What passes and what does not apply becomes a result each, unless it is one.
    fn write_out(&mut self) {
        let said: HashSet<(String, ScanObject)> = self
            .results
            .iter()
            .filter(|result| ["Pass", "NotApplicable"].contains(&&*result.result))
            .map(|result| (result.control.clone(), result.object.clone()))
            .collect();
        for quiet in std::mem::take(&mut self.objects) {
            let verdicts = [("Pass", quiet.passed), ("NotApplicable", quiet.not_applicable)];
            for (result, controls) in verdicts {
                let news = controls
                    .into_iter()
                    .filter(|control| !said.contains(&(control.clone(), quiet.object.clone())));
                self.results.extend(news.map(|control| ScanResult {
                    control,
                    title: String::new(),
                    severity: String::new(),
                    result: result.to_owned(),
                    object: quiet.object.clone(),
                    source: quiet.source.clone(),
                    excepted: None,
                    evidence: Vec::new(),
                    gaps: Vec::new(),
                }));
            }
        }
    }

    /// The JSON form of a scan, read back: what is compared is what is written.
    pub(in crate::cli) fn of(judged: &Judged) -> anyhow::Result<Self> {
        let mut text = Vec::new();
        super::json::write(judged, true, &mut text)?;
        Self::parse(&text, "this scan")
    }
}

impl ScanResult {
    /// Whether the object fails the control and no exception accepts it.
    pub(in crate::cli) fn is_failure(&self) -> bool {
        self.result == "Fail" && self.excepted.is_none()
    }

    /// What tells the failure of a field, or as a whole, from others.
    pub(in crate::cli) fn identity(&self, evidence: Option<&ScanEvidence>) -> String {
        let ScanObject { kind, namespace, name } = &self.object;
        identity(
            &self.control,
            (kind, namespace, name),
            evidence.map(ScanEvidence::field),
        )
    }
}

impl ScanEvidence {
    pub(super) fn field(&self) -> Field<'_> {
        Field {
            container: self.container.as_deref(),
            pointer: &self.pointer,
            observed: &self.observed,
        }
    }
}

/// What an earlier scan found, to show only what is new.
#[derive(Debug, Default)]
pub(in crate::cli) struct Baseline(Known);

impl Baseline {
    /// Reads what `ironside scan -o json` wrote. What an exception accepted then is not known: without the exception it is news.
    pub(in crate::cli) fn read(file: &Path) -> anyhow::Result<Self> {
        let named = format!("--baseline {}", file.display());
        let text = std::fs::read(file).with_context(|| named.clone())?;
        let earlier = Scan::parse(&text, &named)?;
        let mut known = Known::default();
        for result in earlier.results.iter().filter(|result| result.is_failure()) {
            if result.evidence.is_empty() {
                known.add(result.identity(None));
            }
            for evidence in &result.evidence {
                known.add(result.identity(Some(evidence)));
            }
        }
        Ok(Self(known))
    }

    /// Takes out what is known.
    pub(in crate::cli) fn take_from(mut self, judged: &mut Judged) {
        for (_, evaluation) in &mut judged.evaluations {
            let target = evaluation.target.clone();
            evaluation.findings.retain_mut(|finding| {
                if !finding.is_failure() {
                    return true;
                }
                let control = finding.control.id.as_str();
                if finding.evidence.is_empty() {
                    let known = self.0.take(&identity(control, of(&target), None));
                    judged.known += usize::from(known);
                    return !known;
                }
                finding.evidence.retain(|evidence| {
                    let field = Field::of(evidence);
                    !self.0.take(&identity(control, of(&target), Some(field)))
                });
                judged.known += usize::from(finding.evidence.is_empty());
                !finding.evidence.is_empty()
            });
        }
    }
}
