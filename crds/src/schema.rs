//! What the generated schemas are cleaned of, so that the API server stores what people wrote.

use schemars::Schema;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

/// Fields of a spec whose default is part of the schema. They decide what a policy or exception means as a whole, so they show in
/// `kubectl get -o yaml` and stay with the object. All other defaults are filled in when an object is read: an API server that wrote them into
/// nested objects and list items would make GitOps tools see drift.
const SCHEMA_DEFAULTS: [&str; 4] = ["profile", "mode", "suspend", "effect"];

/// Cleans the schema of a spec.
pub(crate) fn spec(schema: &mut Schema) {
    let defaults = SCHEMA_DEFAULTS.map(|field| property(schema, field).and_then(|property| property.remove("default")));
    status(schema);
    for (field, default) in SCHEMA_DEFAULTS.into_iter().zip(defaults) {
        if let (Some(property), Some(default)) = (property(schema, field), default) {
            property.insert("default".to_owned(), default);
        }
    }
}

/// The schema of a field.
fn property<'a>(schema: &'a mut Schema, field: &str) -> Option<&'a mut Map<String, Value>> {
    schema.get_mut("properties")?.get_mut(field)?.as_object_mut()
}

/// Cleans the schema of a status: descriptions without line breaks, no `null` beside a value (absent is enough), no default, no number format that Kubernetes does not know and would
/// warn about.
pub(crate) fn status(schema: &mut Schema) {
    Plain.transform(schema);
}

struct Plain;

impl Transform for Plain {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        object.remove("default");
        if object
            .get("format")
            .and_then(Value::as_str)
            .is_some_and(|format| format.starts_with("uint"))
        {
            object.remove("format");
        }
        if let Some(Value::String(description)) = object.get_mut("description") {
            *description = unwrapped(description);
        }
        drop_null_type(object);
        unwrap_optional(object);
    }
}

/// A doc comment's text without the line breaks of the source; blank lines still end a paragraph.
fn unwrapped(text: &str) -> String {
    text.split("\n\n")
        .map(|paragraph| paragraph.replace('\n', " "))
        .collect::<Vec<_>>()
        .join("\n\n")
}

/// `type: [string, "null"]` becomes `type: string`.
fn drop_null_type(object: &mut Map<String, Value>) {
    let Some(Value::Array(types)) = object.get_mut("type") else {
        return;
    };
    types.retain(|kind| kind != "null");
    if let [only] = types.as_slice() {
        let only = only.clone();
        object.insert("type".to_owned(), only);
    }
}

/// `anyOf: [T, null]` becomes `T`, under the field's own description.
fn unwrap_optional(object: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get("anyOf") else {
        return;
    };
    let [Value::Object(inner), Value::Object(null)] = variants.as_slice() else {
        return;
    };
    if null.get("type") != Some(&Value::from("null")) {
        return;
    }
    let inner = inner.clone();
    object.remove("anyOf");
    for (key, value) in inner {
        object.entry(key).or_insert(value);
    }
}
