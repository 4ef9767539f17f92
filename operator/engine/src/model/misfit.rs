//! Where an object does not fit what it is read as, looked for only once it does not: decoding that notes where it is would be slower for all that fit.

use std::cell::Cell;

use serde_json::Value;

/// Largest product of the size of an object, in values, and of the number of times that it is read.
const MOST_WORK: usize = 2_000_000;

/// Levels of the deepest field that anybody has, and some more.
const DEEPEST: usize = 40;

/// What is wrong with an object, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// JSON pointer of the field; of a parent, or empty, where it cannot be told.
    pub pointer: String,
    /// What is wrong with it, as a sentence's part: `spec.containers is a map, expected a list`.
    pub said: String,
}

impl Misfit {
    /// Finds the field of an object that `complaint` is about. `read` is how the object is read: what it complains about, if it does.
    pub fn of(mut object: Value, complaint: &str, read: impl Fn(&Value) -> Option<String>) -> Self {
        let mut pointer = String::new();
        let left = Cell::new(MOST_WORK / size(&object).max(1));
        // What is complained about, if anything is; `None` once it was asked often enough.
        let read = |object: &Value| {
            left.set(left.get().checked_sub(1)?);
            Some(read(object))
        };
        let mut complaint = complaint.to_owned();
        loop {
            let is_of_types = complaint.starts_with("invalid ");
            if is_of_types && is_for_a_map(&mut object, &pointer, &read).unwrap_or(false) {
                "invalid type: sequence, expected a map".clone_into(&mut complaint);
                break;
            }
            let is_it = |object: &Value| Some(read(object)?.is_some_and(|said| said == complaint));
            let Some(key) = first_bad(&mut object, &pointer, &is_it) else {
                break;
            };
            pointer.push('/');
            pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            if pointer.matches('/').count() > DEEPEST {
                // It is about the depth, then, and not about a field.
                pointer.clear();
                break;
            }
        }
        let field = pointer.trim_start_matches('/').replace('/', ".");
        let field = field.replace("~1", "/").replace("~0", "~");
        Self {
            said: said(&field, &complaint),
            pointer,
        }
    }
}

/// Whether a list stands at `pointer` where a map would do. serde takes a list for a map, as its values in order, and complains of one of them.
fn is_for_a_map(object: &mut Value, pointer: &str, read: &impl Fn(&Value) -> Option<Option<String>>) -> Option<bool> {
    // One container may stand where a list of them does.
    let place = object
        .pointer_mut(pointer)
        .filter(|_| !pointer.ends_with("ontainers"))?;
    if !place.is_array() {
        return None;
    }
    let list = std::mem::replace(place, Value::Object(serde_json::Map::new()));
    let said = read(object);
    *object.pointer_mut(pointer)? = list;
    Some(!said?.is_some_and(|said| said.starts_with("invalid type: map")))
}

/// The key, or index, of the first part of what stands at `pointer` without which the complaint would be another one, or none.
fn first_bad(object: &mut Value, pointer: &str, is_it: &impl Fn(&Value) -> Option<bool>) -> Option<String> {
    let parts: Vec<(String, Value)> = match object.pointer(pointer)? {
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, item)| (index.to_string(), item.clone()))
            .collect(),
        _ => return None,
    };
    let mut with = |number: usize| {
        let some = parts.iter().take(number).cloned();
        let place = object.pointer_mut(pointer)?;
        *place = match place {
            Value::Object(_) => Value::Object(some.collect()),
            _ => Value::Array(some.map(|(_, item)| item).collect()),
        };
        is_it(object)
    };
    // The fewest from the front that are complained about: the last of them is it.
    let (mut fine, mut bad) = (0, parts.len());
    if with(fine)? || !with(bad)? {
        with(parts.len());
        return None;
    }
    while bad - fine > 1 {
        let middle = usize::midpoint(fine, bad);
        if with(middle)? {
            bad = middle;
        } else {
            fine = middle;
        }
    }
    with(bad)?
        .then(|| parts.into_iter().nth(fine).map(|(key, _)| key))
        .flatten()
}

fn size(object: &Value) -> usize {
    1 + match object {
        Value::Object(fields) => fields.values().map(size).sum(),
        Value::Array(items) => items.iter().map(size).sum(),
        _ => 0,
    }
}

/// serde's words in those of a manifest.
fn said(field: &str, complaint: &str) -> String {
    let types = ["invalid type: ", "invalid value: "];
    let rest = types.iter().find_map(|prefix| complaint.strip_prefix(prefix));
    let parts = rest.and_then(|rest| rest.rsplit_once(", expected "));
    match parts {
        Some((is, expected)) if !field.is_empty() => format!("{field} is {}, expected {}", word(is), word(expected)),
        Some((is, expected)) => format!("{}, expected {}", word(is), word(expected)),
        None if !field.is_empty() => format!("{field}: {complaint}"),
        None => complaint.to_owned(),
    }
}

fn word(word: &str) -> String {
    let plain = match word {
        "sequence" | "a sequence" => "a list",
        "map" => "a map",
        "unit value" => "null",
        "i32" | "i64" | "u16" | "u32" | "u64" | "usize" | "u8" => "a whole number",
        "f64" => "a number",
        "a boolean" => "true or false",
        other => {
            let kinds = ["string ", "integer ", "boolean ", "floating point "];
            return match kinds.iter().find_map(|kind| other.strip_prefix(kind)) {
                Some(value) => value.trim_matches('`').to_owned(),
                None => other.to_owned(),
            };
        }
    };
    plain.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{Kind, Workload};

    fn misfit(object: Value) -> Misfit {
        let read = |object: &Value| Workload::parts(Kind::Pod, object).err().map(|it| it.to_string());
        let complaint = read(&object).unwrap();
        Misfit::of(object, &complaint, read)
    }

    fn pod(spec: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec})
    }

    #[test]
    fn the_field_is_named_with_what_it_is_and_what_it_should_be() {
        let found = misfit(pod(&json!({"containers": [{"name": "a"}, {"name": "b", "image": []}]})));
        assert_eq!(found.pointer, "/spec/containers/1/image");
        assert_eq!(found.said, "spec.containers.1.image is a list, expected a string");
        let found = misfit(pod(
            &json!({"containers": [{"name": "a", "securityContext": {"runAsUser": "me"}}]}),
        ));
        assert_eq!(
            found.said,
            r#"spec.containers.0.securityContext.runAsUser is "me", expected a whole number"#
        );
        let mut labelled = pod(&json!({}));
        labelled["metadata"]["labels"] = json!({"a~/b": {}});
        assert_eq!(misfit(labelled).pointer, "/metadata/labels/a~0~1b");
    }

    #[test]
    fn a_list_where_a_map_belongs_is_what_is_named() {
        let object = json!({"metadata": {"name": "x"}, "spec": {"template": {"spec": ["x"]}}});
        let read = |object: &Value| Workload::parts(Kind::Deployment, object).err().map(|it| it.to_string());
        let complaint = read(&object).unwrap();
        let found = Misfit::of(object, &complaint, read);
        assert_eq!(found.said, "spec.template.spec is a list, expected a map");
    }

    #[test]
    fn of_two_that_are_alike_the_first_is_named() {
        let found = misfit(pod(
            &json!({"containers": [{"name": "a", "image": []}, {"name": "b", "image": []}]}),
        ));
        assert_eq!(found.pointer, "/spec/containers/0/image");
    }

    #[test]
    fn a_large_object_is_not_read_for_ever() {
        let mut large = pod(&json!({"containers": []}));
        large["metadata"]["annotations"] = (0..500_000).map(|it| (it.to_string(), json!(""))).collect();
        large["spec"]["containers"] = json!([{"name": "a", "image": {}}]);
        let found = misfit(large);
        assert!("/spec/containers/0/image".starts_with(&found.pointer), "{found:?}");
    }
}
