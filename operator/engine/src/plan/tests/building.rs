use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ONE, TWO, built, deployment, edit, merge, patched, template};
use crate::controls::Edit;
use crate::plan::Held;
use crate::plan::patch::{Guard, build};

const ESCALATION: &str = "securityContext.allowPrivilegeEscalation";
const DROP: &str = "securityContext.capabilities.drop";
const SECCOMP: &str = "securityContext.seccompProfile";

pub(super) fn two_containers() -> Value {
    deployment(&json!({"containers": [
        {"name": "web", "image": "web:1.0.0"},
        {"name": "log", "image": "log:1.0.0", "securityContext": {"allowPrivilegeEscalation": true}},
    ]}))
}

/// Edits of several controls on both containers.
pub(super) fn hardening(object: &Value) -> Vec<Edit> {
    ["web", "log"]
        .into_iter()
        .flat_map(|name| {
            [
                edit(object, ONE, Some(name), ESCALATION, json!(false)),
                edit(object, TWO, Some(name), DROP, json!(["ALL"])),
                edit(object, TWO, Some(name), SECCOMP, json!({"type": "RuntimeDefault"})),
            ]
        })
        .collect()
}

#[test]
fn a_missing_parent_is_created_by_one_add_with_everything_in_it() {
    let object = two_containers();
    let built = built(&object, hardening(&object));
    let text = serde_json::to_value(&built.patch).unwrap();
    assert_eq!(
        text,
        json!([
            {"op": "test", "path": "/metadata/uid", "value": super::UID},
            {"op": "test", "path": "/metadata/generation", "value": 3},
            {"op": "test", "path": "/spec/template/spec/containers/0/name", "value": "web"},
            {"op": "test", "path": "/spec/template/spec/containers/1/name", "value": "log"},
            {"op": "test", "path": "/spec/template/spec/containers/1/securityContext/allowPrivilegeEscalation", "value": true},
            {"op": "add", "path": "/spec/template/spec/containers/0/securityContext", "value":
                {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}}},
            {"op": "replace", "path": "/spec/template/spec/containers/1/securityContext/allowPrivilegeEscalation", "value": false},
            {"op": "add", "path": "/spec/template/spec/containers/1/securityContext/capabilities", "value": {"drop": ["ALL"]}},
            {"op": "add", "path": "/spec/template/spec/containers/1/securityContext/seccompProfile", "value": {"type": "RuntimeDefault"}},
        ])
    );
}

/// Story 4: several controls on one target give one patch, so one rollout.
#[test]
fn story_04_one_patch_for_all_controls_of_a_target() {
    let object = two_containers();
    let built = built(&object, hardening(&object));
    assert_eq!(built.changes.len(), 6);
    let after = patched(&object, &built.patch);
    for container in after["spec"]["template"]["spec"]["containers"].as_array().unwrap() {
        assert_eq!(
            container["securityContext"],
            json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"}})
        );
    }
    assert_eq!(patched(&after, &built.undo), object);
}

/// Story 1: foreign lists are changed by JSON Patch on one leaf, and an undo leaves no empty parent behind.
#[test]
fn story_01_undo_leaves_no_empty_security_context() {
    let object = two_containers();
    let built = built(&object, hardening(&object));
    let back = patched(&patched(&object, &built.patch), &built.undo);
    assert_eq!(back, object);
    assert!(
        back.pointer("/spec/template/spec/containers/0/securityContext")
            .is_none()
    );
}

#[test]
fn the_same_wish_of_two_controls_is_one_change() {
    let object = two_containers();
    let edits = vec![
        edit(&object, TWO, Some("web"), ESCALATION, json!(false)),
        edit(&object, ONE, Some("web"), ESCALATION, json!(false)),
    ];
    let built = built(&object, edits);
    assert_eq!(built.changes.len(), 1);
    assert_eq!(built.changes[0].controls, [ONE, TWO]);
}

#[test]
fn a_contradiction_takes_out_both_controls_and_nobody_else() {
    let object = two_containers();
    let three = crate::controls::ControlId::new("TST-003");
    let edits = vec![
        edit(&object, ONE, Some("web"), SECCOMP, json!({"type": "RuntimeDefault"})),
        edit(&object, TWO, Some("web"), SECCOMP, json!({"type": "Localhost"})),
        edit(&object, TWO, Some("log"), ESCALATION, json!(false)),
        edit(&object, three, Some("web"), DROP, json!(["ALL"])),
    ];
    let (leaves, contradictions) = merge(&template(&object), edits);
    assert_eq!(contradictions.len(), 1);
    assert_eq!(contradictions[0].controls, [ONE, TWO]);
    assert_eq!(
        contradictions[0].pointer,
        "/spec/containers/0/securityContext/seccompProfile/type"
    );
    let left: Vec<_> = leaves.iter().map(|leaf| leaf.pointer.as_str()).collect();
    assert_eq!(left, ["/spec/containers/0/securityContext/capabilities/drop"]);
}

#[test]
fn a_field_and_something_below_it_contradict() {
    let object = two_containers();
    let edits = vec![
        edit(
            &object,
            ONE,
            Some("web"),
            "securityContext.capabilities",
            json!(["ALL"]),
        ),
        edit(&object, TWO, Some("web"), DROP, json!(["ALL"])),
    ];
    let (leaves, contradictions) = merge(&template(&object), edits);
    assert!(leaves.is_empty());
    assert_eq!(contradictions[0].controls, [ONE, TWO]);
}

#[test]
fn volumes_and_mounts_of_several_containers_are_appended() {
    let object = deployment(&json!({
        "volumes": [{"name": "data", "configMap": {"name": "data"}}],
        "containers": [
            {"name": "web", "image": "web:1.0.0", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            {"name": "log", "image": "log:1.0.0"},
        ],
    }));
    let data = json!({"name": "data", "configMap": {"name": "data"}});
    let scratch = json!({"name": "tmp", "emptyDir": {}});
    let other = json!({"name": "run", "emptyDir": {}});
    let at = |path: &str| json!({"name": "tmp", "mountPath": path});
    let edits = vec![
        edit(&object, ONE, None, "volumes", json!([data, scratch])),
        edit(&object, ONE, None, "volumes", json!([data, scratch, other])),
        edit(
            &object,
            ONE,
            Some("web"),
            "volumeMounts",
            json!([{"name": "data", "mountPath": "/data"}, at("/tmp")]),
        ),
        edit(
            &object,
            ONE,
            Some("log"),
            "volumeMounts",
            json!([at("/tmp"), at("/run")]),
        ),
    ];
    let built = built(&object, edits);
    let pointers: Vec<_> = built.changes.iter().map(|change| change.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/spec/template/spec/containers/0/volumeMounts/1",
            "/spec/template/spec/containers/1/volumeMounts/0",
            "/spec/template/spec/containers/1/volumeMounts/1",
            "/spec/template/spec/volumes/1",
            "/spec/template/spec/volumes/2",
        ]
    );
    let after = patched(&object, &built.patch);
    assert_eq!(
        after["spec"]["template"]["spec"]["volumes"],
        json!([data, scratch, other])
    );
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"][1]["volumeMounts"],
        json!([at("/tmp"), at("/run")])
    );
    assert_eq!(patched(&after, &built.undo), object);
}

#[test]
fn an_appended_item_that_would_clash_is_a_contradiction() {
    let object = deployment(&json!({
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [{"name": "web"}],
    }));
    let volumes = json!([{"name": "tmp", "emptyDir": {}}, {"name": "tmp", "emptyDir": {"medium": "Memory"}}]);
    let (leaves, contradictions) = merge(&template(&object), vec![edit(&object, ONE, None, "volumes", volumes)]);
    assert!(leaves.is_empty());
    assert_eq!(contradictions[0].controls, [ONE]);
}

#[test]
fn an_explicit_null_counts_as_missing_and_comes_back() {
    let object = deployment(&json!({"containers": [{"name": "web", "securityContext": null}]}));
    let built = built(&object, vec![edit(&object, ONE, Some("web"), DROP, json!(["ALL"]))]);
    let after = patched(&object, &built.patch);
    assert_eq!(
        after["spec"]["template"]["spec"]["containers"][0]["securityContext"],
        json!({"capabilities": {"drop": ["ALL"]}})
    );
    assert_eq!(patched(&after, &built.undo), object);
}

#[test]
fn a_parent_that_is_no_object_is_refused() {
    let object = deployment(&json!({"containers": [{"name": "web", "securityContext": "none"}]}));
    let (leaves, _) = merge(
        &template(&object),
        vec![edit(&object, ONE, Some("web"), DROP, json!(["ALL"]))],
    );
    let guard = Guard {
        kind: crate::model::Kind::Deployment,
        uid: super::UID,
        generation: 3,
    };
    let error = build(guard, &template(&object), leaves, &[]).unwrap_err();
    assert!(matches!(error, Held::Unclear { .. }));
}

fn any_security_context() -> impl Strategy<Value = Option<Value>> {
    let leaf = |name: &'static str, values: Vec<Value>| {
        proptest::option::of(proptest::sample::select(values)).prop_map(move |value| value.map(|value| (name, value)))
    };
    let fields = (
        leaf("allowPrivilegeEscalation", vec![json!(true), json!(false), Value::Null]),
        leaf("privileged", vec![json!(true), json!(false)]),
        leaf("runAsUser", vec![json!(0), json!(1000)]),
        leaf(
            "capabilities",
            vec![
                json!({}),
                json!({"add": ["NET_ADMIN"]}),
                json!({"drop": []}),
                json!({"drop": ["NET_RAW"]}),
            ],
        ),
        leaf(
            "seccompProfile",
            vec![
                json!({"type": "Unconfined"}),
                json!({"type": "Localhost", "localhostProfile": "a"}),
                Value::Null,
            ],
        ),
    );
    let object = fields.prop_map(|(a, b, c, d, e)| {
        let fields: serde_json::Map<String, Value> = [a, b, c, d, e]
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        Value::Object(fields)
    });
    proptest::option::of(prop_oneof![8 => object, 1 => Just(Value::Null)])
}

pub(super) fn any_deployment() -> impl Strategy<Value = Value> {
    let container = (any_security_context(), any::<bool>());
    (proptest::collection::vec(container, 1..5), any::<bool>()).prop_map(|(containers, volumes)| {
        let containers: Vec<Value> = containers
            .into_iter()
            .enumerate()
            .map(|(index, (security, mounts))| {
                let mut container = json!({"name": format!("c{index}"), "image": "app:1.0.0"});
                if let Some(security) = security {
                    container["securityContext"] = security;
                }
                if mounts {
                    container["volumeMounts"] = json!([{"name": "data", "mountPath": "/data"}]);
                }
                container
            })
            .collect();
        let mut spec = json!({ "containers": containers });
        if volumes {
            spec["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
        }
        deployment(&spec)
    })
}

/// Which of the containers get which of the edits.
pub(super) fn any_edits(object: &Value, choice: u64) -> Vec<Edit> {
    let containers = object["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap()
        .clone();
    let mut bits = choice;
    let mut chosen = || {
        let yes = bits & 1 == 1;
        bits >>= 1;
        yes
    };
    let mut edits = Vec::new();
    if chosen() {
        edits.push(edit(object, ONE, None, "automountServiceAccountToken", json!(false)));
    }
    let extended = |list: Option<&Value>, item: Value| {
        let mut items = list.and_then(Value::as_array).cloned().unwrap_or_default();
        items.push(item);
        Value::Array(items)
    };
    for container in &containers {
        let name = container["name"].as_str();
        for (path, to) in [
            (ESCALATION, json!(false)),
            (DROP, json!(["ALL"])),
            (SECCOMP, json!({"type": "RuntimeDefault"})),
        ] {
            if chosen() {
                edits.push(edit(object, ONE, name, path, to));
            }
        }
        if chosen() {
            let mounts = extended(
                container.get("volumeMounts"),
                json!({"name": "tmp", "mountPath": "/tmp"}),
            );
            edits.push(edit(object, TWO, name, "volumeMounts", mounts));
            let volumes = extended(
                object.pointer("/spec/template/spec/volumes"),
                json!({"name": "tmp", "emptyDir": {}}),
            );
            edits.push(edit(object, TWO, None, "volumes", volumes));
        }
    }
    edits.retain(|edit| edit.from.as_ref() != Some(&edit.to));
    edits
}

proptest! {
    #[test]
    fn patch_then_undo_is_the_identity(object in any_deployment(), choice in any::<u64>()) {
        let built = built(&object, any_edits(&object, choice));
        let after = patched(&object, &built.patch);
        for change in &built.changes {
            prop_assert_eq!(after.pointer(&change.pointer), Some(&change.to));
            prop_assert_eq!(object.pointer(&change.pointer), change.from.as_ref());
        }
        prop_assert_eq!(patched(&after, &built.undo), object);
    }

    /// Whoever changed a guarded value, another container in its place, or anything else in the spec meanwhile: the patch does nothing.
    #[test]
    fn the_patch_fails_when_a_guarded_value_changed(object in any_deployment(), choice in any::<u64>(), which in any::<prop::sample::Index>()) {
        let built = built(&object, any_edits(&object, choice));
        let tests: Vec<String> = built.patch.iter().filter_map(|operation| match operation {
            json_patch::PatchOperation::Test(test) => Some(test.path.to_string()),
            _ => None,
        }).collect();
        prop_assume!(!tests.is_empty());
        let pointer = which.get(&tests);
        let mut changed = object.clone();
        *changed.pointer_mut(pointer).unwrap() = json!("something else");
        prop_assert!(super::super::patch::patched(&changed, &built.patch).is_err());
    }
}
