//! Reports of OpenReports: the operator's own, of files or of a cluster that no operator runs in. What shows reports of policies in a cluster shows these.

use std::collections::BTreeMap;
use std::io::Write;

use ironside_engine::evaluate::{Evaluation, Finding};
use ironside_engine::model::ObjectRef;
use serde_json::{Value, json};

use crate::cli::case::Judged;
use crate::cli::locate::Locator;
use crate::cli::manifest::Source;
use crate::reconcile::results::shard_of;
use crate::report::community::{KINDS, reports};

/// Writes a report for each namespace, and one for what lives in none.
pub(super) fn write(judged: &Judged, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut namespaces: BTreeMap<&str, Vec<&Evaluation>> = BTreeMap::new();
    let mut sources: BTreeMap<&ObjectRef, &Source> = BTreeMap::new();
    for (source, evaluation) in &judged.evaluations {
        let target = &evaluation.target;
        namespaces.entry(shard_of(target)).or_default().push(evaluation);
        sources.insert(target, source);
    }
    let mut locator = Locator::new(judged.stdin.as_deref());
    let mut items: Vec<Value> = Vec::new();
    for (namespace, evaluations) in namespaces {
        let place = |evaluation: &Evaluation, finding: &Finding| {
            let source = sources.get(&evaluation.target).filter(|source| !source.is_cluster())?;
            let pointer = finding.evidence.first().map_or("", |evidence| &evidence.pointer);
            Some(match locator.position(source, pointer) {
                Some(at) => format!("{}:{}:{}", source.file, at.line, at.column),
                None => source.to_string(),
            })
        };
        items.extend(reports(KINDS[0], namespace, evaluations.into_iter(), place));
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": items});
    serde_json::to_writer(&mut *out, &list)?;
    writeln!(out)?;
    Ok(())
}
