//! Repairs as edits of a template, without plan and executor.

use ironside_engine::controls::{Control, Edit, Parameters, Proposal, WorkloadScope};
use ironside_engine::model::{Kind, Workload};
use ironside_engine::world::Snapshot;
use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, PatchOperation};
use serde_json::{Value, json};

/// Every workload of a snapshot.
pub fn workloads(world: &Snapshot) -> impl Iterator<Item = &Workload> {
    world
        .shards
        .values()
        .flat_map(|shard| shard.workloads.values())
        .map(AsRef::as_ref)
}

/// What a control's repair would change.
pub fn propose(control: &Control, workload: &Workload, world: &Snapshot) -> Option<Proposal> {
    let parameters = &Parameters::default();
    let scope = WorkloadScope {
        workload,
        world,
        parameters,
    };
    control.propose(&scope, &workload.template.json(), &[])
}

/// Sends the edits through a JSON Patch on the whole object, as the executor would, and decodes the result.
pub fn apply(workload: &Workload, edits: &[Edit]) -> Workload {
    let root = Workload::template_pointer(workload.kind);
    let mut object = json!({"metadata": {"namespace": workload.meta.namespace, "name": workload.meta.name}});
    let mut parent = &mut object;
    for step in root.split('/').skip(1) {
        parent[step] = json!({});
        parent = &mut parent[step];
    }
    if workload.kind == Kind::Pod {
        object = workload.template.json();
    } else {
        *parent = workload.template.json();
    }
    for edit in edits {
        let pointer = format!("{root}{}", edit.pointer);
        assert_eq!(
            object.pointer(&pointer),
            edit.from.as_ref(),
            "{pointer}: `from` is not what is there"
        );
        for missing in missing_parents(&object, &pointer) {
            json_patch::patch(&mut object, &[missing]).expect("parents can be made");
        }
        json_patch::patch(&mut object, &[add(&pointer, edit.to.clone())]).expect("edits can be made");
    }
    Workload::decode(workload.kind, &object).expect("the result is a workload")
}

/// An explicit null is as if it were not there.
fn missing_parents(object: &Value, pointer: &str) -> Vec<PatchOperation> {
    let steps: Vec<&str> = pointer.split('/').collect();
    (2..steps.len())
        .filter(|end| object.pointer(&steps[..*end].join("/")).is_none_or(Value::is_null))
        .map(|end| {
            let is_list = steps[end].parse::<usize>().is_ok();
            add(&steps[..end].join("/"), if is_list { json!([]) } else { json!({}) })
        })
        .collect()
}

fn add(pointer: &str, value: Value) -> PatchOperation {
    let path = PointerBuf::parse(pointer.to_owned()).expect("a pointer");
    PatchOperation::Add(AddOperation { path, value })
}
