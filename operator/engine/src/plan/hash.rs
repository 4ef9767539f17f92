//! What an approval is for: the content of a plan, in a canonical text.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::place::Place;
use super::{Plan, PlanHash};

/// Hash of target, changes, risk, restart class, and the image digests that evidence rests on.
///
/// Not the whole template and no list index, so an approval survives an image bump and a reordered list; no number of pods, so it survives a scaling. A JSON array of arrays, so
/// no value can pretend to be another one's neighbour. Object keys are sorted (`serde_json::Map` is a tree here).
pub(super) fn of(plan: &Plan) -> PlanHash {
    let changes: Vec<Value> = plan
        .changes
        .iter()
        .map(|change| {
            let place = Place::of(plan.target.kind, &change.pointer)
                .map_or_else(|| change.pointer.clone(), |place| place.catalogue_path());
            let from: Vec<&Value> = change.from.iter().collect();
            json!([place, change.container, from, change.to])
        })
        .collect();
    let mut changes: Vec<String> = changes.iter().map(Value::to_string).collect();
    changes.sort();
    let text = json!([
        "ironside plan 1",
        [
            plan.target.kind.group(),
            plan.target.kind.name(),
            &*plan.target.namespace,
            &*plan.target.name
        ],
        changes,
        plan.risk.as_str(),
        plan.restart.strategy,
        plan.restart.only_in_window.is_some(),
        plan.image_digests,
    ])
    .to_string();
    let digest = Sha256::digest(text.as_bytes());
    PlanHash(digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}
