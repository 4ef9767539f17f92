//! A lint that finds nothing proves nothing: each defect that it is there for is made by hand.

use json_patch::{Patch, PatchOperation};
use serde_json::{Value, json};

use super::scene::Scene;
use crate::controls::ControlId;
use crate::plan::{Disposition, Plan, PlanHash, hash, lint};

fn scene() -> Scene {
    Scene::new().controls(&["POD-009", "POD-013"]).container(
        "securityContext",
        json!({"allowPrivilegeEscalation": true, "runAsNonRoot": true}),
    )
}

/// What the lint says of the plan after somebody broke it, with its hash recomputed.
fn notes(spoil: impl FnOnce(&mut Plan)) -> String {
    let scene = scene();
    let mut plan = scene.plan();
    spoil(&mut plan);
    plan.hash = hash::of(&plan);
    lint(&plan, &scene.world()).join("; ")
}

fn retain(plan: &mut Plan, keep: impl Fn(&PatchOperation) -> bool) {
    plan.patch = Patch(plan.patch.iter().filter(|operation| keep(operation)).cloned().collect());
}

fn is_test(operation: &PatchOperation, path: &str) -> bool {
    matches!(operation, PatchOperation::Test(test) if test.path.as_str().ends_with(path))
}

fn operation(operation: Value) -> PatchOperation {
    serde_json::from_value(operation).unwrap()
}

#[test]
fn a_sound_plan_has_no_notes() {
    assert_eq!(notes(|_| {}), "");
}

#[test]
fn missing_guards_are_found() {
    for (path, note) in [
        ("/metadata/uid", "/metadata/uid is not tested"),
        ("/metadata/generation", "/metadata/generation is not tested"),
        ("/containers/0/name", "the container of"),
        ("/allowPrivilegeEscalation", "the old value of"),
    ] {
        let found = notes(|plan| retain(plan, |operation| !is_test(operation, path)));
        assert!(found.contains(note), "{path}: {found}");
    }
}

#[test]
fn writing_outside_the_catalogue_is_found() {
    let found = notes(|plan| plan.changes[0].pointer = "/spec/template/spec/containers/0/image".to_owned());
    assert!(found.contains("POD-009 may not write"), "{found}");
    let found = notes(|plan| plan.changes[0].controls = vec![ControlId::new("POD-012")]);
    assert!(found.contains("POD-012 may not write"), "{found}");
    let found = notes(|plan| plan.changes[0].controls.clear());
    assert!(found.contains("nobody wants"), "{found}");
}

#[test]
fn changes_that_contradict_the_patch_are_found() {
    let twice = notes(|plan| plan.changes.push(plan.changes[0].clone()));
    assert!(twice.contains("two changes at"), "{twice}");
    let idle = notes(|plan| plan.changes[0].to = json!(true));
    assert!(idle.contains("does not change"), "{idle}");
    let other = notes(|plan| plan.changes[0].from = None);
    assert!(other.contains("does not do what is said"), "{other}");
    let more = json!({"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "evil:1.0.0"});
    let hidden = notes(|plan| plan.patch.0.push(operation(more)));
    assert!(hidden.contains("the patch changes something else"), "{hidden}");
    assert!(hidden.contains("the undo does not restore"), "{hidden}");
    let stale = notes(|plan| {
        plan.patch.0.insert(
            0,
            operation(json!({"op": "test", "path": "/metadata/uid", "value": "other"})),
        );
    });
    assert!(stale.contains("the patch does not apply"), "{stale}");
}

#[test]
fn an_inexact_undo_is_found() {
    let found = notes(|plan| _ = plan.undo.0.pop());
    assert!(found.contains("the undo does not restore the template"), "{found}");
}

#[test]
fn a_repair_that_repairs_nothing_is_found() {
    let found = notes(|plan| {
        plan.changes[0].to = json!("maybe");
        for operation in &mut plan.patch.0 {
            if let PatchOperation::Replace(replace) = operation {
                replace.value = json!("maybe");
            }
        }
    });
    assert!(found.contains("cannot be read"), "{found}");
    let found = notes(|plan| {
        plan.changes
            .retain(|change| change.pointer.ends_with("allowPrivilegeEscalation"));
        retain(plan, |operation| !operation.path().as_str().contains("seccompProfile"));
        plan.undo = Patch(
            plan.undo
                .iter()
                .filter(|operation| !operation.path().as_str().contains("seccompProfile"))
                .cloned()
                .collect(),
        );
    });
    assert!(found.contains("POD-013 still fails"), "{found}");
}

#[test]
fn touching_what_an_exception_spares_is_found() {
    let found = notes(|plan| plan.spared.push((plan.controls[0], "web".to_owned())));
    assert!(found.contains("of an excepted container"), "{found}");
}

#[test]
fn a_foreign_hash_and_an_empty_plan_are_found() {
    let scene = scene();
    let mut plan = scene.plan();
    plan.hash = PlanHash("0".repeat(64));
    assert_eq!(lint(&plan, &scene.world()), ["the hash is not that of the content"]);
    let found = notes(|plan| plan.changes.clear());
    assert!(found.contains("ready, with nothing to change"), "{found}");
    let elsewhere = notes(|plan| {
        plan.target.name = "gone".into();
        plan.disposition = Disposition::Held(Vec::new());
    });
    assert!(elsewhere.contains("not in the world"), "{elsewhere}");
}
