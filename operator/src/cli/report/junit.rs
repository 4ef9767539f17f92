//! JUnit XML: a suite for each object, a case for each control that applies to it.

use std::io::Write;

use ironside_engine::controls::Verdict;
use ironside_engine::evaluate::Finding;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::sentence;
use crate::cli::case::Judged;

pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut report = Report::new("ironside");
    for (source, evaluation) in &judged.evaluations {
        let mut suite = TestSuite::new(evaluation.target.to_string());
        suite.add_property(("source", source.to_string().as_str()));
        let applicable = |finding: &&Finding| finding.verdict != Verdict::NotApplicable;
        suite.add_test_cases(evaluation.findings.iter().filter(applicable).map(|finding| {
            let control = finding.control;
            let mut case = TestCase::new(format!("{} {}", control.id, control.title), status(finding));
            case.set_classname(evaluation.target.to_string());
            case
        }));
        report.add_test_suite(suite);
    }
    if !judged.problems.is_empty() {
        let mut suite = TestSuite::new("reading the manifests");
        suite.add_test_cases(judged.problems.iter().map(|problem| {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message(problem.message.as_str());
            TestCase::new(problem.at.as_str(), status)
        }));
        report.add_test_suite(suite);
    }
    report.serialize(&mut *out)?;
    Ok(())
}

fn status(finding: &Finding) -> TestCaseStatus {
    if let Some(exception) = &finding.excepted {
        let mut status = TestCaseStatus::skipped();
        status.set_message(format!("accepted by {exception}"));
        return status;
    }
    match finding.verdict {
        Verdict::Pass | Verdict::NotApplicable => TestCaseStatus::success(),
        Verdict::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let sentences: Vec<String> = finding.evidence.iter().map(sentence).collect();
            status.set_type(finding.control.severity.as_str());
            status.set_message(finding.control.title);
            status.set_description(sentences.join("\n"));
            status
        }
        Verdict::Unknown => {
            let mut status = TestCaseStatus::skipped();
            let reasons: Vec<&str> = finding.gaps.iter().map(|gap| gap.message.as_str()).collect();
            status.set_message(format!("unknown: {}", reasons.join("; ")));
            status
        }
    }
}
