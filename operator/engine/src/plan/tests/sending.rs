use serde_json::json;

use super::building::{hardening, two_containers};
use super::{patched, plan_of};
use crate::plan::{Held, dry_run_matches, with_annotation};

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
