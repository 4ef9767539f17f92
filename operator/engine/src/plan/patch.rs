//! From leaves to one guarded JSON Patch, and the patch that takes it back exactly.

use std::collections::BTreeMap;

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Map, Value, json};

use super::leaves::Leaf;
use super::place::Place;
use super::{Change, Held};
use crate::model::managed_fields::owner_of;
use crate::model::{Kind, ManagedFields, Workload};

/// What the patch tests besides old values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guard<'a> {
    pub kind: Kind,
    /// Empty for objects that come from files: these have none.
    pub uid: &'a str,
    pub generation: i64,
}

/// One patch, its undo, and what both change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Built {
    pub patch: Patch,
    pub undo: Patch,
    pub changes: Vec<Change>,
}

/// Builds the patch for these leaves of a template. Fails where a field lies below something that is no object.
pub(super) fn build(
    guard: Guard<'_>,
    template: &Value,
    leaves: Vec<Leaf>,
    managed: &[ManagedFields],
) -> Result<Built, Held> {
    if leaves.is_empty() {
        return Ok(Built::nothing());
    }
    let root = Workload::template_pointer(guard.kind);
    let mut tests = guard.tests();
    let mut steps = Vec::new();
    let mut created: BTreeMap<String, Value> = BTreeMap::new();
    let mut changes = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for leaf in leaves {
        let place = Place::in_template(&leaf.pointer).ok_or_else(|| outside(&leaf.pointer))?;
        if let Some((list, index)) = &place.container {
            let pointer = format!("/spec/{list}/{index}/name");
            let name = template.pointer(&pointer).and_then(Value::as_str);
            if name.is_none() || name != leaf.container.as_deref() {
                return Err(outside(&leaf.pointer));
            }
            names.insert(format!("{root}{pointer}"), name.unwrap_or_default().to_owned());
        }
        let (ancestor, made) = first_missing(template, &leaf.pointer)?;
        match ancestor {
            Some(ancestor) => {
                let below = leaf.pointer[ancestor.len()..].to_owned();
                let part = created.entry(ancestor).or_insert(Value::Null);
                insert(part, &below, leaf.to.clone());
            }
            None => steps.push(Step {
                pointer: format!("{root}{}", leaf.pointer),
                from: leaf.from.clone(),
                to: leaf.to.clone(),
            }),
        }
        let path = place.managed_path(guard.kind, leaf.container.as_deref());
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        changes.push(Change {
            pointer: format!("{root}{}", leaf.pointer),
            owner: leaf.from.as_ref().and_then(|_| owner_of(managed, &path)),
            container: leaf.container,
            from: leaf.from,
            to: leaf.to,
            made,
            controls: leaf.controls,
        });
    }
    steps.extend(created.into_iter().map(|(ancestor, part)| Step {
        from: template.pointer(&ancestor).cloned(),
        pointer: format!("{root}{ancestor}"),
        to: part,
    }));
    steps.sort_by_cached_key(|step| super::leaves::order(&step.pointer));
    tests.extend(names.iter().map(|(pointer, name)| test(pointer, json!(name))));
    Ok(Built {
        patch: forward(tests, &steps),
        undo: backward(guard, &names, &steps),
        changes,
    })
}

impl Built {
    pub(super) fn nothing() -> Self {
        Self {
            patch: Patch::default(),
            undo: Patch::default(),
            changes: Vec::new(),
        }
    }
}

impl Guard<'_> {
    fn tests(self) -> Vec<PatchOperation> {
        let mut tests = Vec::new();
        if !self.uid.is_empty() {
            tests.push(test("/metadata/uid", json!(self.uid)));
            tests.push(test("/metadata/generation", json!(self.generation)));
        }
        tests
    }
}

/// One operation of the patch: `from` absent means `add`.
struct Step {
    pointer: String,
    from: Option<Value>,
    to: Value,
}

fn forward(mut operations: Vec<PatchOperation>, steps: &[Step]) -> Patch {
    let old = |step: &Step| step.from.clone().map(|from| test(&step.pointer, from));
    operations.extend(steps.iter().filter_map(old));
    operations.extend(steps.iter().map(|step| match step.from {
        Some(_) => replace(&step.pointer, step.to.clone()),
        None => add(&step.pointer, step.to.clone()),
    }));
    Patch(operations)
}

/// The same steps the other way round, last first: items of a list leave from its end.
fn backward(guard: Guard<'_>, names: &BTreeMap<String, String>, steps: &[Step]) -> Patch {
    let mut operations = Vec::new();
    if !guard.uid.is_empty() {
        operations.push(test("/metadata/uid", json!(guard.uid)));
    }
    operations.extend(names.iter().map(|(pointer, name)| test(pointer, json!(name))));
    operations.extend(steps.iter().map(|step| test(&step.pointer, step.to.clone())));
    operations.extend(steps.iter().rev().map(|step| match &step.from {
        Some(from) => replace(&step.pointer, from.clone()),
        None => remove(&step.pointer),
    }));
    Patch(operations)
}

/// The outermost parent of a leaf that does not exist (or is an explicit `null`), and how many parents are missing.
fn first_missing(template: &Value, leaf: &str) -> Result<(Option<String>, u8), Held> {
    let mut at = Some(template);
    let mut pointer = String::new();
    let mut missing = (None, 0);
    let steps: Vec<&str> = leaf.split('/').skip(1).collect();
    let (_, parents) = steps.split_last().ok_or_else(|| outside(leaf))?;
    for parent in parents {
        at = at.and_then(|value| match value {
            Value::Object(fields) => fields.get(*parent),
            Value::Array(items) => parent.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        });
        pointer.push('/');
        pointer.push_str(parent);
        match at {
            None | Some(Value::Null) => {
                missing.0.get_or_insert_with(|| pointer.clone());
                missing.1 += 1;
                at = None;
            }
            Some(Value::Object(_) | Value::Array(_)) => {}
            Some(_) => return Err(outside(&pointer)),
        }
    }
    Ok(missing)
}

/// Puts a leaf into the part that is created. A number as a step means the next item of a list.
fn insert(part: &mut Value, below: &str, to: Value) {
    let Some(below) = below.strip_prefix('/') else {
        *part = to;
        return;
    };
    let (step, rest) = below
        .split_once('/')
        .map_or((below, String::new()), |(step, rest)| (step, format!("/{rest}")));
    if step.parse::<usize>().is_ok() {
        if part.is_null() {
            *part = Value::Array(Vec::new());
        }
        if let Value::Array(items) = part {
            let mut item = Value::Null;
            insert(&mut item, &rest, to);
            items.push(item);
        }
    } else {
        if part.is_null() {
            *part = Value::Object(Map::new());
        }
        if let Value::Object(fields) = part {
            insert(fields.entry(step).or_insert(Value::Null), &rest, to);
        }
    }
}

fn outside(pointer: &str) -> Held {
    Held::Unclear {
        what: format!("{pointer} is not a field of a pod spec"),
    }
}

pub(super) fn test(pointer: &str, value: Value) -> PatchOperation {
    PatchOperation::Test(TestOperation {
        path: path(pointer),
        value,
    })
}

pub(super) fn add(pointer: &str, value: Value) -> PatchOperation {
    PatchOperation::Add(AddOperation {
        path: path(pointer),
        value,
    })
}

pub(super) fn replace(pointer: &str, value: Value) -> PatchOperation {
    PatchOperation::Replace(ReplaceOperation {
        path: path(pointer),
        value,
    })
}

pub(super) fn remove(pointer: &str) -> PatchOperation {
    PatchOperation::Remove(RemoveOperation { path: path(pointer) })
}

/// Pointers here are made of plain field names and indices; whatever else a step held would be escaped, never read as structure.
fn path(pointer: &str) -> PointerBuf {
    PointerBuf::from_tokens(pointer.split('/').skip(1))
}

/// The annotation's own path: its key holds a slash.
pub(super) fn annotation_path() -> PointerBuf {
    PointerBuf::from_tokens(["metadata", "annotations", super::ANNOTATION])
}

/// The document after a patch, or what failed.
pub(super) fn patched(document: &Value, patch: &Patch) -> Result<Value, json_patch::PatchError> {
    let mut after = document.clone();
    json_patch::patch(&mut after, patch)?;
    Ok(after)
}

/// An object of this kind that holds nothing but this template.
pub(super) fn around(kind: Kind, template: &Value) -> Value {
    Workload::template_pointer(kind)
        .rsplit('/')
        .filter(|step| !step.is_empty())
        .fold(template.clone(), |inner, step| json!({ step: inner }))
}
