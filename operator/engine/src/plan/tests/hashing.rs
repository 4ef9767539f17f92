use serde_json::{Value, json};

use super::{ONE, deployment, edit, plan_of};
use crate::controls::Risk;
use crate::plan::hash;

fn object(image: &str, name: &str, escalation: &Value) -> Value {
    deployment(&json!({"containers": [
        {"name": name, "image": image, "securityContext": {"allowPrivilegeEscalation": escalation}},
    ]}))
}

fn plan(image: &str, name: &str, escalation: bool) -> crate::plan::Plan {
    let object = object(image, name, &json!(escalation));
    let path = "securityContext.capabilities.drop";
    let mut edits = vec![edit(&object, ONE, Some(name), path, json!(["ALL"]))];
    if escalation {
        edits.push(edit(
            &object,
            ONE,
            Some(name),
            "securityContext.allowPrivilegeEscalation",
            json!(false),
        ));
    }
    plan_of(&object, edits)
}

#[test]
fn an_approval_survives_an_image_bump_and_a_scaling() {
    let before = plan("web:1.0.0", "web", true);
    assert_eq!(plan("web:1.0.1", "web", true).hash, before.hash);
    assert_eq!(before.hash.0.len(), 64);
    let mut scaled = before.clone();
    scaled.restart.pods = 12;
    assert_eq!(hash::of(&scaled), before.hash);
}

#[test]
fn an_approval_survives_a_sidecar_in_front() {
    let alone = object("web:1.0.0", "web", &json!(true));
    let mut with_sidecar = alone.clone();
    let containers = with_sidecar["spec"]["template"]["spec"]["containers"]
        .as_array_mut()
        .unwrap();
    containers.insert(0, json!({"name": "log", "image": "log:1.0.0"}));
    let drop = |object: &Value| {
        let edits = vec![edit(
            object,
            ONE,
            Some("web"),
            "securityContext.capabilities.drop",
            json!(["ALL"]),
        )];
        plan_of(object, edits)
    };
    assert_eq!(drop(&alone).hash, drop(&with_sidecar).hash);
    assert_ne!(drop(&alone).changes[0].pointer, drop(&with_sidecar).changes[0].pointer);
}

#[test]
fn an_approval_dies_with_what_was_approved() {
    let approved = plan("web:1.0.0", "web", true);
    assert_ne!(
        plan("web:1.0.0", "other", true).hash,
        approved.hash,
        "another container"
    );
    assert_ne!(
        plan("web:1.0.0", "web", false).hash,
        approved.hash,
        "another set of changes"
    );

    let differs = |change: fn(&mut crate::plan::Plan)| {
        let mut other = approved.clone();
        change(&mut other);
        assert_ne!(hash::of(&other), approved.hash);
    };
    differs(|plan| plan.changes[0].from = None);
    differs(|plan| plan.changes[0].from = Some(Value::Null));
    differs(|plan| plan.changes[0].to = json!("other"));
    differs(|plan| plan.risk = Risk::Medium);
    differs(|plan| plan.restart.strategy = "Recreate");
    differs(|plan| plan.restart.only_in_window = Some("long drain".to_owned()));
    differs(|plan| plan.image_digests.push(("web".to_owned(), "sha256:1".to_owned())));
    differs(|plan| plan.target.name = "other".into());
}
