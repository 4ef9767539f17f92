//! What each detection sees and what it does not, by objects before and after.

mod access;
mod guards;
mod workloads;

use serde_json::{Value, json};

use super::*;
use crate::model::Kind;
use crate::world::{Delta, Object, World};

/// What is seen when `after` follows `before`; nothing in place of either for an object that comes or goes.
fn seen_when(kind: Kind, before: Option<Value>, after: Option<Value>) -> Vec<String> {
    told(&sightings(kind, before, after))
}

fn told(sightings: &[Sighting]) -> Vec<String> {
    let told = |sighting: &Sighting| format!("{} {}", sighting.detection.id(), sighting.what);
    sightings.iter().map(told).collect()
}

fn sightings(kind: Kind, before: Option<Value>, after: Option<Value>) -> Vec<Sighting> {
    let mut world = World::new(37);
    world.apply(Delta::Apply(decode(
        Kind::Namespace,
        &json!({"metadata": {"name": "shop"}}),
    )));
    let mut reference = None;
    if let Some(before) = before {
        let before = decode(kind, &before);
        reference = Some(before.reference());
        world.apply(Delta::Apply(before));
    }
    let delta = match after {
        Some(after) => Delta::Apply(decode(kind, &after)),
        None => Delta::Delete(reference.expect("something that goes")),
    };
    seen(world.current(), &delta, None)
}

fn decode(kind: Kind, object: &Value) -> Object {
    Object::decode(kind, object).expect("a readable object")
}

/// An object of this name in `shop` with these other fields.
fn object(mut rest: Value) -> Value {
    rest["metadata"] = json!({"name": "web", "namespace": "shop", "uid": "u"});
    rest
}

fn changed(kind: Kind, before: Value, after: Value) -> Vec<String> {
    seen_when(kind, Some(object(before)), Some(object(after)))
}
