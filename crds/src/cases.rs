//! For each validation of the schemas: an object that violates it, the message a user then reads, and an object that satisfies it.
//!
//! Data only, behind feature `cases`: the tests of this crate evaluate the CEL rules offline, the end-to-end tests put the same objects to a real
//! API server. A test fails when a rule of the generated schemas has no case here.

// Tables are long.
#![allow(clippy::too_many_lines)]

mod exception;
mod policy;
mod remediation;

use serde_json::{Map, Value, json};

use crate::API_VERSION;

/// A validation, broken and kept.
#[derive(Clone, Debug)]
pub struct Case {
    /// What the user did wrong.
    pub name: &'static str,
    /// What is checked, and where it can be.
    pub check: Check,
    /// The stored object that `bad` and `good` update. `None`: they are created.
    pub old: Option<Value>,
    /// An object that must be refused.
    pub bad: Value,
    /// An object that must be accepted; as near to `bad` as can be.
    pub good: Value,
    /// A part of the message with which `bad` is refused.
    pub message: &'static str,
}

/// What a case checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// A CEL rule: also evaluated offline.
    Rule,
    /// An enum, pattern, bound or list key: checked by the API server only.
    Schema,
}

/// All cases.
pub fn cases() -> Vec<Case> {
    [policy::cases(), remediation::cases(), exception::cases()].concat()
}

/// A case about an object that is created: the kind's smallest valid object with `bad` or `good` merged into its spec.
fn case(
    check: Check,
    kind: &'static str,
    name: &'static str,
    bad: &Value,
    good: &Value,
    message: &'static str,
) -> Case {
    Case {
        name,
        check,
        old: None,
        bad: object(kind, bad),
        good: object(kind, good),
        message,
    }
}

/// The kind's smallest valid object, with `changes` merged into its spec. A null in `changes` removes a field.
fn object(kind: &str, changes: &Value) -> Value {
    let mut spec = match kind {
        "HardeningPolicy" | "ClusterHardeningPolicy" => json!({}),
        "HardeningRemediation" => {
            json!({"target": {"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"}})
        }
        "HardeningException" => json!({
            "controls": ["POD-012"],
            "targets": [{"kind": "Deployment", "name": "web"}],
            "reason": "writes to /data until 2.0",
            "expiresAt": "2027-01-31T00:00:00Z",
        }),
        _ => json!({
            "controls": ["POD-012"],
            "namespaces": ["shop"],
            "reason": "writes to /data until 2.0",
        }),
    };
    merge(&mut spec, changes);
    json!({"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": "case"}, "spec": spec})
}

/// JSON Merge Patch (RFC 7396).
fn merge(target: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else {
        *target = changes.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, change) in changes {
        if change.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.as_str()).or_insert(Value::Null), change);
        }
    }
}
