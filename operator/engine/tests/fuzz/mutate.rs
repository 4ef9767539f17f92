//! Changes of a JSON value that a person, a template or an attacker could have made.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

/// One change, independent of what it is done to.
#[derive(Clone, Debug)]
pub(super) struct Mutation {
    object: Index,
    place: Index,
    other: Index,
    change: Change,
}

#[derive(Clone, Debug)]
enum Change {
    Set(Value),
    Remove,
    /// What stands at another place of the same object.
    Copy,
    /// What stands anywhere in an object of another file.
    Graft,
    /// One more of the last item.
    Repeat(usize),
    /// Deeply inside lists and mappings.
    Nest(usize),
    /// Behind a string.
    Append(&'static str),
    /// The whole object once more.
    Double,
}

pub(super) fn mutation() -> impl Strategy<Value = Mutation> {
    let change = prop_oneof![
        6 => nonsense().prop_map(Change::Set),
        2 => Just(Change::Remove),
        3 => Just(Change::Copy),
        4 => Just(Change::Graft),
        1 => (1_usize..200).prop_map(Change::Repeat),
        1 => (1_usize..200).prop_map(Change::Nest),
        2 => select(vec!["*", "/", "-", "\u{0}", "=", "@sha256:", ":", " ", "\n", "💥"]).prop_map(Change::Append),
        1 => Just(Change::Double),
    ];
    (any::<Index>(), any::<Index>(), any::<Index>(), change).prop_map(|(object, place, other, change)| Mutation {
        object,
        place,
        other,
        change,
    })
}

fn nonsense() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("*"),
        json!("a/b~c.d:e@f"),
        json!("\u{202e}\u{0}💥"),
        json!("x".repeat(70_000)),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}, {}]),
        json!({"": {"": []}}),
        json!({"type": "", "name": null}),
        json!({"matchExpressions": [{"key": "a", "operator": "Exists"}, {"operator": "NotIn"}]}),
        json!([{"kind": "Group", "name": "system:authenticated"}, {"kind": "ServiceAccount"}]),
        json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
    ])
}

/// Does one change to one of the objects; `others` are the objects of another file.
pub(super) fn mutate(objects: &mut Vec<Value>, others: &[Value], mutation: &Mutation) {
    if objects.is_empty() {
        return;
    }
    let which = mutation.object.index(objects.len());
    if let Change::Double = mutation.change {
        let again = objects[which].clone();
        return objects.push(again);
    }
    let object = &mut objects[which];
    let places = pointers(object);
    let place = places[mutation.place.index(places.len())].clone();
    match &mutation.change {
        Change::Set(value) => set(object, &place, value.clone()),
        Change::Remove => remove(object, &place),
        Change::Copy => {
            let from = &places[mutation.other.index(places.len())];
            if let Some(value) = object.pointer(from).cloned() {
                set(object, &place, value);
            }
        }
        Change::Graft => {
            if let Some(other) = others.get(mutation.other.index(others.len().max(1))) {
                let places = pointers(other);
                if let Some(value) = other.pointer(&places[mutation.object.index(places.len())]).cloned() {
                    set(object, &place, value);
                }
            }
        }
        Change::Repeat(times) => {
            if let Some(Value::Array(items)) = object.pointer_mut(&place)
                && let Some(last) = items.last().cloned()
            {
                items.extend(std::iter::repeat_n(last, *times));
            }
        }
        Change::Nest(depth) => {
            if let Some(value) = object.pointer_mut(&place) {
                for level in 0..*depth {
                    let inside = value.take();
                    *value = if level % 2 == 0 {
                        json!([inside])
                    } else {
                        json!({"a": inside})
                    };
                }
            }
        }
        Change::Append(text) => {
            if let Some(Value::String(value)) = object.pointer_mut(&place) {
                value.push_str(text);
            }
        }
        Change::Double => {}
    }
}

fn set(object: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = object.pointer_mut(pointer) {
        *place = value;
    }
}

fn remove(object: &mut Value, pointer: &str) {
    let Some((parent, step)) = pointer.rsplit_once('/') else {
        return;
    };
    match object.pointer_mut(parent) {
        Some(Value::Object(fields)) => drop(fields.remove(&step.replace("~1", "/").replace("~0", "~"))),
        Some(Value::Array(items)) => {
            if let Some(index) = step.parse::<usize>().ok().filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// All JSON pointers into a value, the root first.
fn pointers(value: &Value) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut at = 0;
    while let Some(pointer) = found.get(at).cloned() {
        match value.pointer(&pointer) {
            Some(Value::Object(fields)) => found.extend(fields.keys().map(|key| {
                let step = key.replace('~', "~0").replace('/', "~1");
                format!("{pointer}/{step}")
            })),
            Some(Value::Array(items)) => found.extend((0..items.len()).map(|index| format!("{pointer}/{index}"))),
            _ => {}
        }
        at += 1;
    }
    found
}
