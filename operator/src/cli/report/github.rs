//! Workflow commands of GitHub Actions: a failure becomes an annotation at its line.
//!
//! Source: GitHub documentation, Workflow commands for GitHub Actions.

use std::io::Write;

use ironside_engine::controls::Severity;

use super::failures;
use crate::cli::case::Judged;

pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> std::io::Result<()> {
    for problem in &judged.problems {
        writeln!(
            out,
            "::error title=Ironside could not read it::{}",
            data(&problem.to_string())
        )?;
    }
    for wrong in failures(judged) {
        let control = wrong.finding.control;
        let level = match control.severity {
            Severity::Critical | Severity::High => "error",
            Severity::Medium => "warning",
            Severity::Low => "notice",
        };
        let column = wrong
            .position
            .map_or_else(String::new, |at| format!(",col={}", at.column));
        writeln!(
            out,
            "::{level} file={},line={}{column},title={}::{}",
            property(&wrong.source.file),
            wrong.line(),
            property(&format!("{} {}", control.id, control.title)),
            data(&format!("{}: {}", wrong.target, wrong.message())),
        )?;
    }
    Ok(())
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
