//! The difference for programs, versioned with the JSON form of a scan.

use std::io::Write;

use serde::Serialize;
use serde_json::Value;

use super::Side;
use super::compare::{Change, Item, Other, RestsOn};

pub(super) fn write(before: &Side, after: &Side, changes: &[Change<'_>], out: &mut dyn Write) -> anyhow::Result<()> {
    let sum = |count: fn(&Change<'_>) -> usize| changes.iter().map(count).sum::<usize>();
    let diff = Diff {
        api_version: "ironside.dev/v1",
        kind: "ScanDiff",
        before: DiffSide::of(before),
        after: DiffSide::of(after),
        summary: Counts {
            new: sum(|change| change.new.len()),
            gone: sum(|change| change.gone.len()),
            stayed: sum(|change| change.stayed),
        },
        objects: changes.iter().map(DiffObject::of).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &diff)?;
    writeln!(out)?;
    Ok(())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Diff<'a> {
    api_version: &'static str,
    kind: &'static str,
    before: DiffSide<'a>,
    after: DiffSide<'a>,
    summary: Counts,
    objects: Vec<DiffObject<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DiffSide<'a> {
    name: &'a str,
    score_percent: Option<u32>,
    coverage_percent: Option<u32>,
    /// What could not be read: without it the comparison is not whole.
    problems: usize,
}

#[derive(Serialize)]
struct Counts {
    new: usize,
    gone: usize,
    stayed: usize,
}

#[derive(Serialize)]
struct DiffObject<'a> {
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
    new: Vec<DiffItem<'a>>,
    gone: Vec<DiffItem<'a>>,
    stayed: usize,
}

#[derive(Serialize)]
struct DiffItem<'a> {
    control: &'a str,
    title: &'a str,
    severity: &'a str,
    result: &'a str,
    /// What the other side says about this control on this object.
    other: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    file: &'a str,
    line: usize,
}

impl<'a> DiffSide<'a> {
    fn of(side: &'a Side) -> Self {
        Self {
            name: &side.name,
            score_percent: side.scan.summary.score_percent,
            coverage_percent: side.scan.summary.coverage_percent,
            problems: side.scan.problems.len(),
        }
    }
}

impl<'a> DiffObject<'a> {
    fn of(change: &Change<'a>) -> Self {
        let items =
            |items: &[(Item<'a>, Other)]| items.iter().map(|(item, other)| DiffItem::of(*item, *other)).collect();
        Self {
            kind: &change.object.kind,
            namespace: &change.object.namespace,
            name: &change.object.name,
            new: items(&change.new),
            gone: items(&change.gone),
            stayed: change.stayed,
        }
    }
}

impl<'a> DiffItem<'a> {
    fn of(Item { result, rests_on }: Item<'a>, other: Other) -> Self {
        let (field, gap) = match rests_on {
            RestsOn::Field(evidence) => (Some(evidence), None),
            RestsOn::Gap(gap) => (None, Some(gap)),
            RestsOn::Object => (None, None),
        };
        Self {
            control: &result.control,
            title: &result.title,
            severity: &result.severity,
            result: &result.result,
            other: other.as_str(),
            container: field.and_then(|field| field.container.as_deref()),
            pointer: field.map(|field| field.pointer.as_str()),
            observed: field.map(|field| &field.observed),
            expected: field.map(|field| field.expected.as_str()),
            reason: gap.map(|gap| gap.reason.as_str()),
            message: gap.map(|gap| gap.message.as_str()),
            file: &result.source.file,
            line: field.and_then(|field| field.line).unwrap_or(result.source.line),
        }
    }
}
