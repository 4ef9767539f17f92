//! JSON for programs, written while it is judged. `earlier.rs` reads it back.
//!
//! A scan of many files has many more passes than failures, and who reads a report wants the failures: what passes and what does not apply is named once an
//! object, by control, and only `--all` writes it out like the rest.

mod result;

use std::io::Write;

use ironside_engine::controls::{CONTROLS, Component, Control, Verdict};
use ironside_engine::evaluate::{Counts, Evaluation, Finding, Score, Share, Tally};
use ironside_engine::model::ObjectRef;
use serde::{Serialize, Serializer};

use crate::cli::case::{Case, Judged, JudgedObject, count};
use crate::cli::manifest::{Problem, Source};
use crate::cli::parallel::in_order;
use result::{ReportObject, ReportSource, Results};

/// Version of the JSON form. It changes when a field changes its meaning or goes away; further fields may come at any time. Since v2 `results` has what passes
/// and what does not apply only with `--all`, and `objects` always says which controls do.
pub(super) const JSON_VERSION: &str = "ironside.dev/v2";

/// The version before, which is still read.
pub(super) const JSON_VERSION_BEFORE: &str = "ironside.dev/v1";

/// The kind of the JSON form.
pub(super) const SCAN_RESULT: &str = "ScanResult";

/// Objects that are turned into text in one go.
const TOGETHER: usize = 512;

/// Writes what was judged.
pub(super) fn write(judged: &Judged, everything: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut results = Results::new(judged.stdin.as_deref());
    let mut report = Report::begin(out)?;
    for judged in &judged.evaluations {
        let part = part(std::slice::from_ref(judged), everything, &mut results)?;
        report.add(part)?;
    }
    let about = About {
        problems: &judged.problems,
        skipped: judged.skipped,
        not_objects: judged.asides.strangers.len(),
        in_baseline: judged.known,
        score: Some(&judged.score),
    };
    report
        .end(&judged.evaluations, |(source, it)| (source, &it.target), &about)
        .map(drop)
}

/// Judges, and writes what comes of it at once: no more of it is held than is under way. Returns how much there is of each result.
pub(super) fn judge(case: &Case, everything: bool, out: &mut dyn Write) -> anyhow::Result<Counts> {
    let mut report = Report::begin(out)?;
    let mut written = Ok(());
    case.each(
        || Results::new(case.stdin.as_deref()),
        |results, judged| part(&judged, everything, results),
        |part| {
            if written.is_ok() {
                written = part.and_then(|part| report.add(part));
            }
        },
    );
    written?;
    let about = About {
        problems: &case.problems,
        skipped: case.skipped,
        not_objects: case.asides.strangers.len(),
        in_baseline: 0,
        score: None,
    };
    report.end(&case.targets, |(source, target)| (source, target), &about)
}

/// Some objects of a report.
struct Part {
    /// Their results, each with a comma before it.
    results: Vec<u8>,
    tally: Tally,
    /// Of each object, what passes and what does not apply.
    quiet: Vec<[Controls; 2]>,
}

fn part(judged: &[JudgedObject], everything: bool, results: &mut Results<'_>) -> anyhow::Result<Part> {
    let mut part = Part {
        results: Vec::new(),
        tally: Tally::new(),
        quiet: Vec::with_capacity(judged.len()),
    };
    for (source, evaluation) in judged {
        count(&mut part.tally, evaluation);
        part.quiet
            .push([Verdict::Pass, Verdict::NotApplicable].map(|verdict| Controls::with(verdict, evaluation)));
        let is_shown = |finding: &&Finding| everything || matches!(finding.verdict, Verdict::Fail | Verdict::Unknown);
        let shown = evaluation.findings.iter().filter(is_shown);
        results.write(source, evaluation, shown, &mut part.results)?;
    }
    Ok(part)
}

/// Some of the controls, by their place in the list of all.
#[derive(Clone, Copy, Debug, Default)]
struct Controls(u128);

const _: () = assert!(CONTROLS.len() < 128, "a bit for each control");

impl Controls {
    fn with(verdict: Verdict, evaluation: &Evaluation) -> Self {
        let findings = evaluation.findings.iter().filter(|finding| finding.verdict == verdict);
        let place = |finding: &Finding| {
            CONTROLS
                .binary_search_by_key(&finding.control.id, |control| control.id)
                .ok()
        };
        Self(findings.filter_map(place).fold(0, |all, place| all | 1 << place))
    }

    fn ids(self) -> impl Iterator<Item = &'static str> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            // The lowest bit, which goes then; beyond the last control where none is left.
            let control = CONTROLS.get(left.trailing_zeros() as usize)?;
            left &= left - 1;
            Some(control.id.as_str())
        })
    }
}

/// As a list of ids.
impl Serialize for Controls {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.ids())
    }
}

/// A report that is being written.
struct Report<'a> {
    out: &'a mut dyn Write,
    is_first: bool,
    tally: Tally,
    quiet: Vec<[Controls; 2]>,
}

/// What stands at the end of a report.
struct About<'a> {
    problems: &'a [Problem],
    skipped: usize,
    not_objects: usize,
    in_baseline: usize,
    /// Where it is not that of what was written.
    score: Option<&'a Score>,
}

impl<'a> Report<'a> {
    fn begin(out: &'a mut dyn Write) -> anyhow::Result<Self> {
        write!(
            out,
            "{{\"apiVersion\":\"{JSON_VERSION}\",\"kind\":\"{SCAN_RESULT}\",\"results\":["
        )?;
        Ok(Self {
            out,
            is_first: true,
            tally: Tally::new(),
            quiet: Vec::new(),
        })
    }

    fn add(&mut self, part: Part) -> anyhow::Result<()> {
        let results = match part.results.strip_prefix(b",") {
            Some(results) if self.is_first => results,
            _ => &part.results,
        };
        self.is_first &= part.results.is_empty();
        self.out.write_all(results)?;
        for (control, line) in part.tally {
            self.tally.entry(control).or_default().add(line);
        }
        self.quiet.extend(part.quiet);
        Ok(())
    }

    fn end<O: Sync>(
        self,
        objects: &[O],
        named: impl Fn(&O) -> (&Source, &ObjectRef) + Sync,
        about: &About<'_>,
    ) -> anyhow::Result<Counts> {
        let Self { out, tally, quiet, .. } = self;
        write!(out, "\n],\n\"objects\":[")?;
        let all: Vec<(&O, &[Controls; 2])> = objects.iter().zip(&quiet).collect();
        let some: Vec<&[(&O, &[Controls; 2])]> = all.chunks(TOGETHER).collect();
        let lines = |(): &mut (), some: &&[(&O, &[Controls; 2])]| {
            let mut lines = Vec::new();
            for (object, [passed, not_applicable]) in *some {
                let (source, target) = named(object);
                let object = QuietObject {
                    object: ReportObject::of(target),
                    source: ReportSource::of(source),
                    passed: *passed,
                    not_applicable: *not_applicable,
                };
                lines.extend_from_slice(b",\n");
                serde_json::to_writer(&mut lines, &object)?;
            }
            anyhow::Ok(lines)
        };
        let mut first = 1; // there is no comma before the first
        let mut written = Ok(());
        in_order(
            &some,
            || (),
            lines,
            |lines| {
                if written.is_ok() {
                    written = lines.and_then(|lines| Ok(out.write_all(&lines[std::mem::take(&mut first)..])?));
                }
            },
        );
        written?;
        write!(out, "\n],\n\"controls\":[")?;
        let judged = CONTROLS.iter().filter(|control| tally.contains_key(&control.id));
        for (place, control) in judged.enumerate() {
            out.write_all(if place == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut *out, &ReportControl::of(control))?;
        }
        let own = Score::of(&tally);
        let counts = own.findings;
        let score = about.score.unwrap_or(&own);
        let summary = Summary {
            objects: quiet.len(),
            passed: counts.passed,
            failed: counts.failed,
            unknown: counts.unknown,
            not_applicable: counts.not_applicable,
            excepted: counts.excepted,
            skipped: about.skipped,
            not_objects: about.not_objects,
            in_baseline: about.in_baseline,
            score_percent: score.score_percent,
            coverage_percent: score.coverage_percent,
        };
        write!(out, "\n],\n\"summary\":")?;
        serde_json::to_writer(&mut *out, &summary)?;
        let components = score.components.iter().map(ReportComponent::of);
        write!(out, ",\n\"components\":")?;
        serde_json::to_writer(&mut *out, &components.collect::<Vec<_>>())?;
        let problems = about
            .problems
            .iter()
            .map(|Problem { at, message }| ReportProblem { at, message });
        write!(out, ",\n\"problems\":")?;
        serde_json::to_writer(&mut *out, &problems.collect::<Vec<_>>())?;
        writeln!(out, "}}")?;
        Ok(counts)
    }
}

/// What of an object is as it should be, or is not asked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct QuietObject<'a> {
    object: ReportObject<'a>,
    source: ReportSource<'a>,
    passed: Controls,
    not_applicable: Controls,
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

impl ReportControl {
    fn of(control: &'static Control) -> Self {
        Self {
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
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    objects: usize,
    passed: u32,
    failed: u32,
    unknown: u32,
    not_applicable: u32,
    excepted: u32,
    skipped: usize,
    /// Documents in folders that are no objects of Kubernetes and do not say that they are.
    not_objects: usize,
    /// Failures that are not among the results because the baseline has them.
    in_baseline: usize,
    score_percent: Option<u32>,
    coverage_percent: Option<u32>,
}

/// How a component of the cluster stands, in controls; always all of them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportComponent {
    name: &'static str,
    passed: u32,
    failed: u32,
    unknown: u32,
    responsibility: &'static str,
    score_percent: Option<u32>,
    coverage_percent: Option<u32>,
}

impl ReportComponent {
    fn of((component, share): &(Component, Share)) -> Self {
        Self {
            name: component.as_str(),
            passed: share.passed,
            failed: share.failed,
            unknown: share.unknown,
            responsibility: if share.provider { "Provider" } else { "Self" },
            score_percent: share.score_percent(),
            coverage_percent: share.coverage_percent(),
        }
    }
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
