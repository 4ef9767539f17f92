//! The difference for people: by workload, what came and what went.

use std::io::Write;

use super::Side;
use super::compare::{Change, Item, Other, RestsOn};
use crate::cli::report::sentence_of;
use crate::cli::style::Style;

pub(super) fn write(
    before: &Side,
    after: &Side,
    changes: &[Change<'_>],
    style: Style,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    for change in changes.iter().filter(|change| !change.is_none()) {
        let object = change.object;
        let place = match object.namespace.as_str() {
            "" => object.name.clone(),
            namespace => format!("{namespace}/{}", object.name),
        };
        writeln!(
            out,
            "{}  {} new, {} gone, {} stayed",
            style.bold(&format!("{} {place}", object.kind)),
            change.new.len(),
            change.gone.len(),
            change.stayed
        )?;
        for (item, other) in &change.new {
            write_item('+', item, was(*other), style, out)?;
        }
        for (item, other) in &change.gone {
            write_item('-', item, is(*other), style, out)?;
        }
        writeln!(out)?;
    }
    let sum = |count: fn(&Change<'_>) -> usize| changes.iter().map(count).sum::<usize>();
    let counts = format!(
        "{} new, {} gone, {} stayed",
        sum(|change| change.new.len()),
        sum(|change| change.gone.len()),
        sum(|change| change.stayed)
    );
    writeln!(out, "{}: {} -> {}", style.bold(&counts), before.name, after.name)?;
    let percent = |value: Option<u32>| value.map_or_else(|| "none".to_owned(), |value| format!("{value} %"));
    writeln!(
        out,
        "Score {} -> {}, coverage {} -> {}",
        percent(before.scan.summary.score_percent),
        percent(after.scan.summary.score_percent),
        percent(before.scan.summary.coverage_percent),
        percent(after.scan.summary.coverage_percent)
    )
}

fn write_item(sign: char, item: &Item<'_>, why: &str, style: Style, out: &mut dyn Write) -> std::io::Result<()> {
    let result = item.result;
    let verdict = match result.result.as_str() {
        "Fail" => "FAIL",
        _ => "unknown",
    };
    let marked = format!("{sign} {verdict}");
    let marked = match sign {
        '+' => style.removed(&marked), // red: it got worse
        _ => style.added(&marked),
    };
    let (severity, control, title) = (&result.severity, &result.control, &result.title);
    writeln!(
        out,
        "  {marked}  {severity:<8} {control}  {title}  {}",
        style.faint(&format!("({why})"))
    )?;
    match item.rests_on {
        RestsOn::Field(evidence) => {
            let at = match (result.source.line, evidence.line) {
                (0, _) => String::new(), // an object of a cluster stands on no line
                (line, at) => format!("  {}:{}", result.source.file, at.unwrap_or(line)),
            };
            writeln!(out, "        {}{}", sentence_of(evidence), style.faint(&at))
        }
        RestsOn::Gap(gap) => writeln!(out, "        {}: {}", gap.reason, gap.message),
        RestsOn::Object => Ok(()),
    }
}

const fn was(other: Other) -> &'static str {
    match other {
        Other::NoObject => "the object is new",
        Other::NotAsked => "was not asked for",
        Other::Pass => "passed",
        Other::Fail => "other fields failed",
        Other::Excepted => "was accepted by an exception",
        Other::NotApplicable => "did not apply",
        Other::Unknown => "was unknown",
    }
}

const fn is(other: Other) -> &'static str {
    match other {
        Other::NoObject => "the object is gone",
        Other::NotAsked => "no longer asked for",
        Other::Pass => "passes",
        Other::Fail => "other fields fail",
        Other::Excepted => "accepted by an exception",
        Other::NotApplicable => "no longer applies",
        Other::Unknown => "cannot be seen any more",
    }
}
