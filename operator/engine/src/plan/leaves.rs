//! From the edits of many controls to one set of leaves: what is wanted twice is merged, what contradicts itself is taken out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::controls::{ControlId, Edit};

/// One leaf of the pod template that is to change.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    /// JSON pointer below the template. For an item that is appended to a list, its future index is the last step.
    pub pointer: String,
    /// Container that it belongs to.
    pub container: Option<String>,
    /// Value now, `None` where there is none.
    pub from: Option<Value>,
    /// Value wanted.
    pub to: Value,
    /// Controls that want it, sorted.
    pub controls: Vec<ControlId>,
}

/// Controls that cannot be served by one patch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contradiction {
    /// JSON pointer below the template.
    pub pointer: String,
    /// The controls, sorted.
    pub controls: Vec<ControlId>,
}

/// Merges edits. Controls that contradict each other lose all their edits, so that none is half done; the others stay.
///
/// Lists of objects that are only extended (volumes, mounts) are taken apart into appended items, so that several controls can append and a plan
/// shows what is new. All other lists are one leaf: capability lists and the like are atomic for Kubernetes too.
pub(super) fn merge(template: &Value, mut edits: Vec<Edit>) -> (Vec<Leaf>, Vec<Contradiction>) {
    let mut contradictions = Vec::new();
    loop {
        match merge_once(template, &edits) {
            Ok(leaves) => return (leaves, contradictions),
            Err(contradiction) => {
                edits.retain(|edit| !contradiction.controls.contains(&edit.control));
                contradictions.push(contradiction);
            }
        }
    }
}

fn merge_once(template: &Value, edits: &[Edit]) -> Result<Vec<Leaf>, Contradiction> {
    let mut scalars: BTreeMap<String, Leaf> = BTreeMap::new();
    let mut appended: BTreeMap<String, Vec<Leaf>> = BTreeMap::new();
    for edit in edits {
        for leaf in leaves_of(template, edit) {
            match leaf {
                Wanted::Leaf(leaf) => match scalars.get_mut(&leaf.pointer) {
                    Some(known) if known.to == leaf.to => known.wanted_by(edit.control),
                    Some(known) => return Err(contradiction(&leaf.pointer, known, edit.control)),
                    None => {
                        scalars.insert(leaf.pointer.clone(), leaf);
                    }
                },
                Wanted::Item(list, item) => {
                    let present = template.pointer(&list).and_then(Value::as_array);
                    let identity = identity_of(&list, &item.to);
                    let taken = present
                        .into_iter()
                        .flatten()
                        .any(|old| identity_of(&list, old) == identity);
                    if taken {
                        return Err(contradiction(&list, &item, edit.control));
                    }
                    let items = appended.entry(list.clone()).or_default();
                    match items.iter_mut().find(|known| identity_of(&list, &known.to) == identity) {
                        Some(known) if known.to == item.to => known.wanted_by(edit.control),
                        Some(known) => return Err(contradiction(&list, known, edit.control)),
                        None => items.push(item),
                    }
                }
            }
        }
    }
    let mut leaves: Vec<Leaf> = scalars.into_values().collect();
    for (list, items) in appended {
        let present = template.pointer(&list).and_then(Value::as_array).map_or(0, Vec::len);
        leaves.extend(items.into_iter().enumerate().map(|(index, item)| Leaf {
            pointer: format!("{list}/{}", present + index),
            ..item
        }));
    }
    leaves.sort_by_cached_key(|leaf| order(&leaf.pointer));
    no_leaf_inside_another(&leaves)?;
    Ok(leaves)
}

enum Wanted {
    Leaf(Leaf),
    /// Pointer of the list, and the item.
    Item(String, Leaf),
}

fn leaves_of(template: &Value, edit: &Edit) -> Vec<Wanted> {
    if let Some((list, index)) = edit.pointer.rsplit_once('/')
        && index.parse::<usize>().is_ok()
    {
        let item = new_leaf(edit, list, None, &edit.to);
        return vec![Wanted::Item(list.to_owned(), item)];
    }
    let mut found = Vec::new();
    let from = template.pointer(&edit.pointer);
    take_apart(&edit.pointer, from, &edit.to, edit, &mut found);
    found
}

fn new_leaf(edit: &Edit, pointer: &str, from: Option<&Value>, to: &Value) -> Leaf {
    Leaf {
        pointer: pointer.to_owned(),
        container: edit.container.as_ref().map(|(_, _, name)| name.clone()),
        from: from.cloned(),
        to: to.clone(),
        controls: vec![edit.control],
    }
}

fn take_apart(pointer: &str, from: Option<&Value>, to: &Value, edit: &Edit, found: &mut Vec<Wanted>) {
    if from == Some(to) {
        return;
    }
    match (from, to) {
        (None | Some(Value::Null), Value::Object(fields)) if !fields.is_empty() => {
            for (name, to) in fields {
                take_apart(&format!("{pointer}/{name}"), None, to, edit, found);
            }
        }
        (Some(Value::Object(old)), Value::Object(fields))
            if !fields.is_empty() && old.keys().all(|name| fields.contains_key(name)) =>
        {
            for (name, to) in fields {
                take_apart(&format!("{pointer}/{name}"), old.get(name), to, edit, found);
            }
        }
        (from, Value::Array(items)) if is_extension(from, items) => {
            let known = from.and_then(Value::as_array).map_or(0, Vec::len);
            for item in &items[known..] {
                found.push(Wanted::Item(pointer.to_owned(), new_leaf(edit, pointer, None, item)));
            }
        }
        _ => found.push(Wanted::Leaf(new_leaf(edit, pointer, from, to))),
    }
}

fn is_extension(from: Option<&Value>, items: &[Value]) -> bool {
    let old = match from {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(old)) => old,
        Some(_) => return false,
    };
    items.len() > old.len() && items.starts_with(old) && items[old.len()..].iter().all(Value::is_object)
}

/// What makes an item unique in its list for the API server; items of other lists are told apart by their whole content.
fn identity_of<'a>(list: &str, item: &'a Value) -> &'a Value {
    let key = if list.ends_with("/volumeMounts") {
        "mountPath"
    } else {
        "name"
    };
    item.get(key).unwrap_or(item)
}

impl Leaf {
    fn wanted_by(&mut self, control: ControlId) {
        if let Err(at) = self.controls.binary_search(&control) {
            self.controls.insert(at, control);
        }
    }
}

fn contradiction(pointer: &str, known: &Leaf, control: ControlId) -> Contradiction {
    let controls: BTreeSet<_> = known.controls.iter().copied().chain([control]).collect();
    Contradiction {
        pointer: pointer.to_owned(),
        controls: controls.into_iter().collect(),
    }
}

/// One control wants a field, another something below it.
fn no_leaf_inside_another(leaves: &[Leaf]) -> Result<(), Contradiction> {
    // In their order a field stands right before what is below it.
    for pair in leaves.windows(2) {
        let [outer, inner] = pair else { continue };
        let inside = inner
            .pointer
            .strip_prefix(&outer.pointer)
            .is_some_and(|rest| rest.starts_with('/'));
        if inside {
            let controls: BTreeSet<_> = outer.controls.iter().chain(&inner.controls).copied().collect();
            return Err(Contradiction {
                pointer: outer.pointer.clone(),
                controls: controls.into_iter().collect(),
            });
        }
    }
    Ok(())
}

/// Sort key of a pointer: list indices in the order of numbers.
pub(super) fn order(pointer: &str) -> Vec<(usize, String)> {
    pointer
        .split('/')
        .map(|step| (step.parse().unwrap_or(0), step.to_owned()))
        .collect()
}
