//! What is sent to the API server, and whether its dry run agrees.

use json_patch::{AddOperation, Patch, PatchOperation};
use serde_json::{Map, Value, json};

use super::applied::{ANNOTATION, annotation};
use super::patch::{add, annotation_path, patched, test};
use super::{Held, Plan};

/// What the API server says, with 422 Invalid and no causes, when a `test` of a JSON Patch fails (seen on 1.37): the object has changed since it was planned, plan
/// anew. A refusal by validation is 422 Invalid too, but names the object and its causes.
pub const TEST_FAILED: &str = "the server rejected our request due to an error in our request";

/// The plan's patch together with its record, for an object as it is now (`live`, as JSON). With the same operations for dry run and for real.
pub fn with_annotation(plan: &Plan, attempt: i64, live: &Value) -> Patch {
    let text = annotation(plan, attempt);
    let mut operations = plan.patch.0.clone();
    if live.pointer("/metadata/annotations").is_some_and(Value::is_object) {
        operations.push(PatchOperation::Add(AddOperation {
            path: annotation_path(),
            value: json!(text),
        }));
    } else {
        // Annotations do not count for `generation`: if somebody adds the first one meanwhile, `add` of the whole map would drop it.
        if let Some(version) = live.pointer("/metadata/resourceVersion") {
            operations.insert(0, test("/metadata/resourceVersion", version.clone()));
        }
        operations.push(add("/metadata/annotations", json!({ ANNOTATION: text })));
    }
    Patch(operations)
}

/// Whether the server's dry run stored what the plan says: `after` equals `before` with the patch applied. Bookkeeping of the server, the status and our own
/// annotation do not count. Anything else means that a webhook or another admission step rewrites our values, and would again each time (story 5).
pub fn dry_run_matches(plan: &Plan, before: &Value, after: &Value) -> Result<(), Held> {
    let expected = patched(before, &plan.patch).map_err(|error| Held::Mutated {
        pointer: error.path.to_string(),
    })?;
    match difference("", &comparable(expected), &comparable(after.clone())) {
        Some(pointer) => Err(Held::Mutated { pointer }),
        None => Ok(()),
    }
}

fn comparable(mut object: Value) -> Value {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for bookkeeping in ["generation", "resourceVersion", "managedFields"] {
            metadata.remove(bookkeeping);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(ANNOTATION);
        }
        if metadata
            .get("annotations")
            .is_some_and(|all| all.is_null() || all.as_object().is_some_and(Map::is_empty))
        {
            metadata.remove("annotations");
        }
    }
    object
}

/// Pointer of the first place where two documents differ.
fn difference(at: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            names.into_iter().find_map(|name| {
                let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
                match (one.get(name), other.get(name)) {
                    (Some(one), Some(other)) => difference(&at, one, other),
                    _ => Some(at),
                }
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            let differs =
                |(index, (one, other)): (usize, (&Value, &Value))| difference(&format!("{at}/{index}"), one, other);
            one.iter()
                .zip(other)
                .enumerate()
                .find_map(differs)
                .or_else(|| (one.len() != other.len()).then(|| format!("{at}/{}", one.len().min(other.len()))))
        }
        _ => (one != other).then(|| at.to_owned()),
    }
}
