use serde_json::{Value, json};

use super::building::{hardening, two_containers};
use super::scene::{Scene, container};
use super::{patched, plan_of};
use crate::plan::{Disposition, Held, dry_run_matches, with_annotation};

/// Story 5: whatever the server would store besides the plan is found, and bookkeeping is not mistaken for it.
#[test]
fn story_05_a_rewritten_value_in_the_dry_run_is_found() {
    let object = two_containers();
    let plan = plan_of(&object, hardening(&object));
    let mut after = patched(&object, &with_annotation(&plan, 1, &object));
    after["metadata"]["generation"] = json!(4);
    after["metadata"]["resourceVersion"] = json!("78");
    after["metadata"]["managedFields"] = json!([{"manager": "ironside/workload"}]);
    after["status"] = json!({"replicas": 3});
    assert_eq!(dry_run_matches(&plan, &object, &after), Ok(()));

    for (pointer, value) in [
        (
            "/spec/template/spec/containers/0/securityContext/capabilities/drop",
            json!(["NET_RAW"]),
        ),
        ("/spec/template/spec/containers/1/image", json!("other:1")),
        ("/spec/replicas", json!(4)),
        ("/metadata/labels", json!({"injected": "true"})),
    ] {
        let mut rewritten = after.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        rewritten.pointer_mut(parent).unwrap()[name] = value;
        let Err(Held::Mutated { pointer: found }) = dry_run_matches(&plan, &object, &rewritten) else {
            panic!("{pointer} was not noticed");
        };
        assert!(found.starts_with(pointer), "{found} instead of {pointer}");
    }
}

#[test]
fn the_first_annotation_of_an_object_is_guarded_by_its_version() {
    let mut object = two_containers();
    object["metadata"].as_object_mut().unwrap().remove("annotations");
    let plan = plan_of(&object, hardening(&object));
    let patch = with_annotation(&plan, 1, &object);
    let after = patched(&object, &patch);
    assert_eq!(dry_run_matches(&plan, &object, &after), Ok(()));
    object["metadata"]["resourceVersion"] = json!("78");
    assert!(super::super::patch::patched(&object, &patch).is_err());
}

#[test]
fn a_plan_that_cannot_be_recorded_or_shown_is_held() {
    let names: Vec<String> = (0..66).map(|index| format!("container-{index}")).collect();
    let containers: Vec<Value> = names.iter().map(|name| container(name)).collect();
    let held = Scene::new().spec("containers", json!(containers)).held();
    assert!(
        matches!(&held[0], Held::Unclear { what } if what.contains("66 changes")),
        "{held:?}"
    );

    let long = |index: usize| format!("{}-{index}", "c".repeat(60));
    let containers: Vec<Value> = (0..63).map(|index| container(&long(index))).collect();
    let held = Scene::new().spec("containers", json!(containers)).held();
    assert!(
        matches!(&held[0], Held::Irreversible { what } if what.contains("bytes")),
        "{held:?}"
    );
}

#[test]
fn a_record_of_a_newer_version_is_not_overwritten() {
    let scene = Scene::new().annotation("hardening.ironside.dev/applied", r#"{"v": 9, "anything": true}"#);
    assert!(matches!(&scene.held()[0], Held::Irreversible { what } if what.contains("newer")));
    let broken = Scene::new().annotation("hardening.ironside.dev/applied", "{}");
    assert_eq!(broken.plan().disposition, Disposition::Ready);
}
