//! Tests of the generated definitions, offline. One binary, so that it links once.

#![allow(clippy::unwrap_used)]

mod rules;
mod schema;
mod types;
mod yaml;

use std::collections::BTreeMap;

use serde_json::Value;

/// The schema of each kind, as installed.
fn schemas() -> BTreeMap<String, Value> {
    ironside_crds::definitions()
        .into_iter()
        .map(|definition| {
            let schema = definition.spec.versions[0]
                .schema
                .as_ref()
                .unwrap()
                .open_api_v3_schema
                .as_ref()
                .unwrap();
            (definition.spec.names.kind, serde_json::to_value(schema).unwrap())
        })
        .collect()
}

/// Calls `visit` with every schema under `schema`, itself included, and its path.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Value)) {
    visit(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, visit);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], visit);
    }
    if schema["additionalProperties"].is_object() {
        walk(&format!("{path}{{}}"), &schema["additionalProperties"], visit);
    }
}
