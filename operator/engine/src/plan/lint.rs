//! Checks of a finished plan. A plan with any note here is a defect of Ironside, never of the cluster.

use std::collections::BTreeSet;

use json_patch::PatchOperation;
use serde_json::{Value, json};

use super::patch::{around, patched};
use super::place::Place;
use super::{Change, Disposition, Plan, hash};
use crate::controls::{ControlId, Parameters, WorkloadScope, find};
use crate::model::{PodTemplate, Workload};
use crate::world::Snapshot;

/// What is wrong with a plan; empty for a sound one. `world` must be the one that the plan was made from.
pub fn lint(plan: &Plan, world: &Snapshot) -> Vec<String> {
    let mut notes = Vec::new();
    if hash::of(plan) != plan.hash {
        notes.push("the hash is not that of the content".to_owned());
    }
    if plan.disposition == Disposition::Ready && plan.changes.is_empty() {
        notes.push("ready, with nothing to change".to_owned());
    }
    notes.extend(plan.changes.iter().flat_map(|change| change_notes(plan, change)));
    let mut pointers = BTreeSet::new();
    notes.extend(
        plan.changes
            .iter()
            .filter(|change| !pointers.insert(&change.pointer))
            .map(|change| format!("two changes at {}", change.pointer)),
    );
    if plan.patch.is_empty() {
        return notes;
    }
    notes.extend(guard_notes(plan));
    let Some(workload) = world.workload(&plan.target) else {
        notes.push("the target is not in the world".to_owned());
        return notes;
    };
    notes.extend(effect_notes(plan, workload, world));
    notes
}

/// In the catalogue of its controls, and nowhere else.
fn change_notes(plan: &Plan, change: &Change) -> Vec<String> {
    let mut notes = Vec::new();
    let place = Place::of(plan.target.kind, &change.pointer).map(|place| place.catalogue_path());
    for control in &change.controls {
        let writes = find(control.as_str()).map_or(&[][..], |control| control.writes);
        if !place.as_deref().is_some_and(|place| writes.contains(&place)) {
            notes.push(format!("{control} may not write {}", change.pointer));
        }
        if !plan.controls.contains(control) {
            notes.push(format!("{control} changes {} but is not named", change.pointer));
        }
        let spared = |(id, name): &(ControlId, String)| id == control && change.container.as_ref() == Some(name);
        if plan.spared.iter().any(spared) {
            notes.push(format!("{control} changes {} of an excepted container", change.pointer));
        }
    }
    if change.controls.is_empty() {
        notes.push(format!("nobody wants {}", change.pointer));
    }
    if change.from.as_ref() == Some(&change.to) {
        notes.push(format!("{} does not change", change.pointer));
    }
    notes
}

/// Every change depends on uid and generation, on its container's name, and on the old value where there is one.
fn guard_notes(plan: &Plan) -> Vec<String> {
    let mut notes = Vec::new();
    let tests: Vec<(String, &Value)> = plan
        .patch
        .iter()
        .filter_map(|operation| match operation {
            PatchOperation::Test(test) => Some((test.path.to_string(), &test.value)),
            _ => None,
        })
        .collect();
    let tested = |pointer: &str| tests.iter().any(|(path, _)| path == pointer);
    for identity in ["/metadata/uid", "/metadata/generation"] {
        if !plan.uid.is_empty() && !tested(identity) {
            notes.push(format!("{identity} is not tested"));
        }
    }
    for change in &plan.changes {
        let place = Place::of(plan.target.kind, &change.pointer);
        if let Some((list, index)) = place.and_then(|place| place.container) {
            let root = Workload::template_pointer(plan.target.kind);
            let name = format!("{root}/spec/{list}/{index}/name");
            let expected =
                |(path, value): &(String, &Value)| *path == name && value.as_str() == change.container.as_deref();
            if !tests.iter().any(expected) {
                notes.push(format!("the container of {} is not tested", change.pointer));
            }
        }
        if change.from.is_some() && !tested(&change.pointer) {
            notes.push(format!("the old value of {} is not tested", change.pointer));
        }
    }
    notes
}

/// The patch does what the changes say and nothing else, the undo takes it back exactly, and the findings are gone.
fn effect_notes(plan: &Plan, workload: &Workload, world: &Snapshot) -> Vec<String> {
    let kind = workload.kind;
    let template = workload.template.json();
    let mut before = around(kind, &template);
    before["metadata"] = json!({"uid": plan.uid, "generation": plan.generation});
    let after = match patched(&before, &plan.patch) {
        Ok(after) => after,
        Err(error) => return vec![format!("the patch does not apply: {error}")],
    };
    let mut notes: Vec<String> = plan
        .changes
        .iter()
        .filter(|change| {
            before.pointer(&change.pointer) != change.from.as_ref()
                || after.pointer(&change.pointer) != Some(&change.to)
        })
        .map(|change| format!("the patch does not do what is said for {}", change.pointer))
        .collect();
    if after != with_changes(&before, plan) {
        notes.push("the patch changes something else than is said".to_owned());
    }
    match patched(&after, &plan.undo) {
        Ok(back) if back == before => {}
        Ok(_) => notes.push("the undo does not restore the template".to_owned()),
        Err(error) => notes.push(format!("the undo does not apply: {error}")),
    }
    let changed = after
        .pointer(Workload::template_pointer(kind))
        .cloned()
        .unwrap_or_default();
    match PodTemplate::decode(&changed, true) {
        Err(error) => notes.push(format!("the patched template cannot be read: {error}")),
        Ok(template) => {
            let repaired = Workload {
                template,
                ..workload.clone()
            };
            let remaining = plan
                .judged
                .iter()
                .filter_map(|judged| remaining_note(plan, &repaired, world, judged));
            notes.extend(remaining);
        }
    }
    notes
}

/// The object with every change set, parents included: what the patch must give.
fn with_changes(object: &Value, plan: &Plan) -> Value {
    let mut expected = object.clone();
    for change in &plan.changes {
        let steps: Vec<&str> = change.pointer.split('/').skip(1).collect();
        set(&mut expected, &steps, &change.to);
    }
    expected
}

fn set(at: &mut Value, steps: &[&str], to: &Value) {
    let Some((step, rest)) = steps.split_first() else {
        *at = to.clone();
        return;
    };
    let index = step.parse::<usize>().ok();
    if at.is_null() {
        *at = if index.is_some() { json!([]) } else { json!({}) };
    }
    match (at, index) {
        (Value::Array(items), Some(index)) => {
            if index == items.len() {
                items.push(Value::Null);
            }
            if let Some(item) = items.get_mut(index) {
                set(item, rest, to);
            }
        }
        (Value::Object(fields), _) => set(fields.entry(*step).or_insert(Value::Null), rest, to),
        _ => {}
    }
}

/// A control that still fails where the plan changed something for it. Containers that were left out or spared may go on failing.
fn remaining_note(
    plan: &Plan,
    repaired: &Workload,
    world: &Snapshot,
    (id, parameters): &(ControlId, Parameters),
) -> Option<String> {
    let control = find(id.as_str())?;
    let scope = WorkloadScope {
        workload: repaired,
        world,
        parameters,
    };
    let whole =
        !plan.left_out.iter().any(|(left, _)| left == id) && !plan.spared.iter().any(|(spared, _)| spared == id);
    let touched: BTreeSet<Option<&str>> = plan
        .changes
        .iter()
        .filter(|change| change.controls.contains(id))
        .map(|change| change.container.as_deref())
        .collect();
    let judgement = control.judge_workload(&scope);
    let failure = judgement
        .failures()
        .iter()
        .find(|failure| whole || (failure.container.is_some() && touched.contains(&failure.container.as_deref())))?;
    Some(format!("{id} still fails at {}", failure.pointer))
}
