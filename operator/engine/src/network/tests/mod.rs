//! Tests of the network module: stories, properties against an evaluator that shares no code with the module, and truth tables of other projects.

mod corpus;
mod naive;
mod plans;
mod properties;
mod shop;
mod stories;
mod worlds;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Memory, NetworkPlan, Settings, Step, plan_namespace};
use crate::model::Kind;
use crate::policy::PolicyId;
use crate::world::{Object, Snapshot};

/// A moment; nothing here depends on which.
fn now() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Settings of a policy that isolates.
pub(crate) fn isolate() -> Settings {
    Settings {
        policies: vec![PolicyId::namespaced("shop", "team")],
        enforce: true,
        ..Settings::default()
    }
}

/// Objects of several YAML documents.
fn objects(yaml: &str) -> Vec<Value> {
    serde_saphyr::from_multiple::<Value>(yaml)
        .unwrap()
        .into_iter()
        .filter(|object| !object.is_null())
        .collect()
}

pub(crate) fn snapshot(objects: &[Value]) -> Snapshot {
    Snapshot::of(objects.iter().map(|object| {
        let text = |field: &str| object[field].as_str().unwrap_or_default().to_owned();
        let kind = Kind::from_manifest(&text("apiVersion"), &text("kind")).expect("a kind that the engine knows");
        Object::decode(kind, object).unwrap()
    }))
}

fn plan(objects: &[Value]) -> NetworkPlan {
    plan_with(objects, &isolate(), &Memory::default())
}

fn plan_with(objects: &[Value], settings: &Settings, memory: &Memory) -> NetworkPlan {
    plan_namespace(&snapshot(objects), "shop", settings, memory, now()).expect("namespace shop")
}

/// What the API server holds after a step: objects of ours get their manager, a UID and the defaults of ports.
pub(crate) fn after(objects: &[Value], step: &Step) -> Vec<Value> {
    let name = step.name();
    let mut left: Vec<Value> = objects
        .iter()
        .filter(|object| object["kind"] != "NetworkPolicy" || object["metadata"]["name"] != name)
        .cloned()
        .collect();
    if let Step::Apply(policy) = step {
        left.push(as_stored(&policy.object));
    }
    left
}

fn as_stored(object: &Value) -> Value {
    let mut stored = object.clone();
    stored["metadata"]["uid"] = json!(format!("uid of {}", object["metadata"]["name"]));
    stored["metadata"]["managedFields"] = json!([
        {"manager": "ironside/owned", "operation": "Apply", "fieldsV1": {"f:spec": {}}},
    ]);
    stored
}

fn after_all(objects: &[Value], steps: &[Step]) -> Vec<Value> {
    steps
        .iter()
        .fold(objects.to_vec(), |objects, step| after(&objects, step))
}
