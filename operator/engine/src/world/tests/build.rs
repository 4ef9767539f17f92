//! Objects as the API server would send them.

use serde_json::{Value, json};

use crate::model::Kind;
use crate::world::{Delta, Object, World};

/// An object of namespace `shop` (cluster-scoped kinds: none), uid `<kind>-<name>`.
pub(super) fn object(kind: Kind, name: &str, rest: Value) -> Value {
    let mut object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.name(),
        "metadata": {"name": name, "uid": format!("{kind}-{name}")},
    });
    if kind.namespaced() {
        object["metadata"]["namespace"] = "shop".into();
    }
    merge(&mut object, rest);
    object
}

/// The same, with a pod template where the kind has it.
pub(super) fn workload(kind: Kind, name: &str, image: &str) -> Value {
    let template =
        json!({"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "main", "image": image}]}});
    let rest = match kind {
        Kind::Pod => return object(kind, name, template),
        Kind::CronJob => json!({"spec": {"jobTemplate": {"spec": {"template": template}}}}),
        _ => json!({"spec": {"template": template}}),
    };
    object(kind, name, rest)
}

/// The same object, controlled by another.
pub(super) fn owned(mut object: Value, kind: Kind, owner: &str) -> Value {
    object["metadata"]["ownerReferences"] = json!([{
        "apiVersion": kind.api_version(), "kind": kind.name(), "name": owner, "uid": format!("{kind}-{owner}"), "controller": true,
    }]);
    object
}

/// The same object with some fields set otherwise.
pub(super) fn with(mut object: Value, rest: Value) -> Value {
    merge(&mut object, rest);
    object
}

pub(super) fn decode(kind: Kind, value: &Value) -> Object {
    Object::decode(kind, value).unwrap()
}

pub(super) fn apply(world: &mut World, kind: Kind, value: impl std::borrow::Borrow<Value>) {
    world.apply(Delta::Apply(decode(kind, value.borrow())));
}

/// Deployment `web` with two ReplicaSets and two pods of the newer one, all kinds read completely.
pub(super) fn shop() -> World {
    let mut world = World::new(37);
    for kind in Kind::ALL {
        let objects = match kind {
            Kind::Namespace => vec![object(kind, "shop", json!({}))],
            Kind::Deployment => vec![workload(kind, "web", "web:2")],
            Kind::ReplicaSet => vec![
                owned(workload(kind, "web", "web:2"), Kind::Deployment, "web"),
                owned(workload(kind, "web-old", "web:1"), Kind::Deployment, "web"),
            ],
            Kind::Pod => vec![
                owned(workload(kind, "web-a", "web:2"), Kind::ReplicaSet, "web"),
                owned(workload(kind, "web-b", "web:2"), Kind::ReplicaSet, "web"),
                workload(kind, "bare", "bare:1"),
            ],
            Kind::StatefulSet => vec![workload(kind, "db", "db:1")],
            Kind::CronJob => vec![workload(kind, "nightly", "job:1")],
            Kind::ServiceAccount => vec![object(kind, "default", json!({}))],
            _ => Vec::new(),
        };
        let objects = objects.into_iter().map(|value| decode(kind, &value)).collect();
        world.apply(Delta::Replace {
            kind,
            namespace: None,
            objects,
        });
    }
    world
}

fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}
