use proptest::prelude::*;
use serde_json::{Value, json};

use super::building::{any_deployment, any_edits};
use super::{CATALOGUE, ONE, deployment, edit, patched, plan_of, template};
use crate::model::Kind;
use crate::plan::undo::still_in_place;
use crate::plan::{
    ANNOTATION, Applied, Held, Malformed, Plan, Scope, Undo, UndoRefused, parse_annotation, undo_from, with_annotation,
};

const ESCALATION: &str = "securityContext.allowPrivilegeEscalation";
const DROP: &str = "securityContext.capabilities.drop";

fn web(security: &Value) -> Value {
    deployment(&json!({"containers": [{"name": "web", "image": "web:1.0.0", "securityContext": security}]}))
}

fn annotation_of(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"].get(ANNOTATION)?.as_str()
}

fn record(object: &Value) -> Applied {
    parse_annotation(annotation_of(object).expect("an annotation")).expect("our own annotation")
}

fn undo(object: &Value, scope: Scope) -> Result<Undo, UndoRefused> {
    undo_from(&record(object), scope, Kind::Deployment, object, CATALOGUE)
}

/// Applies a plan as the server would: the patch, and a new generation.
fn apply(object: &Value, plan: &Plan, attempt: i64) -> Value {
    let mut after = patched(object, &with_annotation(plan, attempt, object));
    after["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap() + 1);
    after
}

fn security(object: &Value) -> &Value {
    &object["spec"]["template"]["spec"]["containers"][0]["securityContext"]
}

#[test]
fn the_record_reads_back_as_it_was_written() {
    let object = web(&json!({"allowPrivilegeEscalation": true}));
    let edits = vec![
        edit(&object, ONE, Some("web"), ESCALATION, json!(false)),
        edit(&object, ONE, Some("web"), DROP, json!(["ALL"])),
        edit(&object, ONE, None, "automountServiceAccountToken", json!(false)),
    ];
    let plan = plan_of(&object, edits);
    let after = apply(&object, &plan, 12);
    assert_eq!(
        serde_json::from_str::<Value>(annotation_of(&after).unwrap()).unwrap(),
        json!({"v": 1, "uid": super::UID, "applied": [{"plan": plan.hash.0, "attempt": 12, "undo": [
            {"path": "automountServiceAccountToken", "wrote": false},
            {"container": "web", "path": "securityContext.allowPrivilegeEscalation", "wrote": false, "was": true},
            {"container": "web", "path": "securityContext.capabilities.drop", "wrote": ["ALL"], "made": 1},
        ]}]})
    );
    assert_eq!(record(&after).text(), annotation_of(&after).unwrap());
}

#[test]
fn a_rollback_restores_the_template_exactly_and_takes_the_record_away() {
    let object = deployment(&json!({"containers": [{"name": "web", "image": "web:1.0.0"}]}));
    let plan = plan_of(&object, vec![edit(&object, ONE, Some("web"), DROP, json!(["ALL"]))]);
    let after = apply(&object, &plan, 1);
    let undo = undo(&after, Scope::Attempt(1)).unwrap();
    assert_eq!(undo.left, [""; 0]);
    let back = patched(&after, &undo.patch);
    assert_eq!(template(&back), template(&object));
    assert_eq!(back["metadata"]["annotations"], object["metadata"]["annotations"]);
}

#[test]
fn an_image_bump_or_a_new_order_does_not_stop_a_revert() {
    let object = web(&json!({}));
    let plan = plan_of(&object, vec![edit(&object, ONE, Some("web"), ESCALATION, json!(false))]);
    let mut later = apply(&object, &plan, 1);
    let containers = later["spec"]["template"]["spec"]["containers"].as_array_mut().unwrap();
    containers[0]["image"] = json!("web:2.0.0");
    containers.insert(0, json!({"name": "log", "image": "log:1.0.0"}));
    let back = patched(&later, &undo(&later, Scope::All).unwrap().patch);
    let containers = &back["spec"]["template"]["spec"]["containers"];
    assert_eq!(
        containers[1],
        json!({"name": "web", "image": "web:2.0.0", "securityContext": {}})
    );
}

#[test]
fn what_somebody_else_changed_is_left_alone() {
    let object = web(&json!({"allowPrivilegeEscalation": true}));
    let edits = vec![
        edit(&object, ONE, Some("web"), ESCALATION, json!(false)),
        edit(&object, ONE, Some("web"), DROP, json!(["ALL"])),
    ];
    let mut later = apply(&object, &plan_of(&object, edits), 1);
    later["spec"]["template"]["spec"]["containers"][0]["securityContext"]["capabilities"]["drop"] = json!(["NET_RAW"]);
    let undo = undo(&later, Scope::All).unwrap();
    assert_eq!(undo.left, ["web: securityContext.capabilities.drop"]);
    let back = patched(&later, &undo.patch);
    assert_eq!(
        *security(&back),
        json!({"allowPrivilegeEscalation": true, "capabilities": {"drop": ["NET_RAW"]}})
    );
    assert_eq!(annotation_of(&back), None);
}

#[test]
fn a_parent_that_somebody_else_filled_stays() {
    let object = deployment(&json!({"containers": [{"name": "web", "image": "web:1.0.0"}]}));
    let plan = plan_of(&object, vec![edit(&object, ONE, Some("web"), DROP, json!(["ALL"]))]);
    let mut later = apply(&object, &plan, 1);
    later["spec"]["template"]["spec"]["containers"][0]["securityContext"]["runAsUser"] = json!(1000);
    let back = patched(&later, &undo(&later, Scope::All).unwrap().patch);
    assert_eq!(*security(&back), json!({"runAsUser": 1000}));
}

/// Promise 7: after several repairs, a rollback takes back the last and a revert takes back all.
#[test]
fn repairs_are_recorded_one_over_the_other() {
    let object = deployment(&json!({"containers": [{"name": "web", "image": "web:1.0.0"}]}));
    let first = plan_of(&object, vec![edit(&object, ONE, Some("web"), ESCALATION, json!(false))]);
    let once = apply(&object, &first, 1);
    let mut second = plan_of(&once, vec![edit(&once, ONE, Some("web"), DROP, json!(["ALL"]))]);
    second.patch = without_generation(&second);
    second.earlier = still_in_place(&record(&once), Kind::Deployment, &once, CATALOGUE);
    assert_eq!(second.earlier.len(), 1);
    let twice = apply(&once, &second, 2);

    let rolled_back = patched(&twice, &undo(&twice, Scope::Attempt(2)).unwrap().patch);
    assert_eq!(template(&rolled_back), template(&once));
    assert_eq!(annotation_of(&rolled_back), annotation_of(&once));
    let reverted = patched(&twice, &undo(&twice, Scope::All).unwrap().patch);
    assert_eq!(template(&reverted), template(&object));
    assert_eq!(annotation_of(&reverted), None);
}

/// A human opens a field again, it is repaired again: a revert brings back what the human wrote.
#[test]
fn a_repair_of_drift_forgets_the_older_value() {
    let object = web(&json!({}));
    let first = plan_of(&object, vec![edit(&object, ONE, Some("web"), ESCALATION, json!(false))]);
    let mut drifted = apply(&object, &first, 1);
    drifted["spec"]["template"]["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = json!(true);
    let mut second = plan_of(
        &drifted,
        vec![edit(&drifted, ONE, Some("web"), ESCALATION, json!(false))],
    );
    second.patch = without_generation(&second);
    second.earlier = still_in_place(&record(&drifted), Kind::Deployment, &drifted, CATALOGUE);
    assert_eq!(second.earlier, []);
    let repaired = apply(&drifted, &second, 2);
    let reverted = patched(&repaired, &undo(&repaired, Scope::All).unwrap().patch);
    assert_eq!(*security(&reverted), json!({"allowPrivilegeEscalation": true}));
}

fn without_generation(plan: &Plan) -> json_patch::Patch {
    let kept = |operation: &&json_patch::PatchOperation| operation.path().as_str() != "/metadata/generation";
    json_patch::Patch(plan.patch.iter().filter(kept).cloned().collect())
}

/// Story 6: a record that somebody wrote or copied makes us write nothing.
#[test]
fn story_06_a_forged_record_is_refused() {
    let object = web(&json!({"allowPrivilegeEscalation": false, "privileged": false}));
    let forged = |uid: &str, entry: Value| {
        let mut object = object.clone();
        let text = json!({"v": 1, "uid": uid, "applied": [{"plan": "ab", "attempt": 1, "undo": [entry]}]}).to_string();
        object["metadata"]["annotations"][ANNOTATION] = json!(text);
        undo(&object, Scope::All).map(|undo| undo.patch)
    };
    let entry =
        |path: &str, wrote: Value, was: Value| json!({"container": "web", "path": path, "wrote": wrote, "was": was});
    let not_ours = |path: &str| {
        Err(UndoRefused::NotOurs {
            path: format!("containers[].{path}"),
        })
    };

    assert!(
        forged(super::UID, entry(ESCALATION, json!(false), json!(true))).is_ok(),
        "what we could have written"
    );
    for (path, wrote, was) in [
        ("securityContext.privileged", json!(false), json!(true)),
        ("image", json!("web:1.0.0"), json!("evil:1")),
        ("securityContext", json!({}), json!({"privileged": true})),
        ("", json!({}), json!({})),
        ("securityContext/privileged", json!(false), json!(true)),
        ("volumeMounts[]", json!({"name": "a"}), json!({"name": "host"})),
    ] {
        assert_eq!(forged(super::UID, entry(path, wrote, was)), not_ours(path));
    }
    let mut deep = entry(ESCALATION, json!(false), json!(true));
    deep["made"] = json!(3);
    assert_eq!(forged(super::UID, deep), not_ours(ESCALATION));
    let host_path = json!({"path": "hostPID", "wrote": false, "was": true});
    assert!(forged(super::UID, host_path).is_err());
    let copied = forged("another", entry(ESCALATION, json!(false), json!(true)));
    assert_eq!(
        copied,
        Err(UndoRefused::OtherObject {
            recorded: "another".to_owned()
        })
    );
}

#[test]
fn a_record_is_read_strictly() {
    for (text, expected) in [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        ("null", "cannot be read"),
        (r#"{"v": 1}"#, "cannot be read"),
        (r#"{"v": 1, "uid": "u", "applied": [], "more": 1}"#, "cannot be read"),
        (
            r#"{"v": 1, "uid": "u", "applied": [{"plan": "a", "attempt": 1, "undo": [{"path": "a"}]}]}"#,
            "cannot be read",
        ),
        (
            r#"{"v": 1, "uid": "u", "applied": [{"plan": "a", "attempt": 1, "undo": [{"path": "a", "wrote": 1, "made": 300}]}]}"#,
            "cannot be read",
        ),
        (r#"{"v": 2, "anything": "else"}"#, "newer"),
    ] {
        let error = parse_annotation(text).unwrap_err();
        assert!(error.to_string().contains(expected), "{text}: {error}");
    }
    assert_eq!(
        parse_annotation(&" ".repeat(9000)),
        Err(Malformed::TooLong { bytes: 9000 })
    );
}

#[test]
fn an_attempt_that_is_not_recorded_is_not_rolled_back() {
    let object = web(&json!({}));
    let plan = plan_of(&object, vec![edit(&object, ONE, Some("web"), ESCALATION, json!(false))]);
    let after = apply(&object, &plan, 1);
    assert_eq!(
        undo(&after, Scope::Attempt(2)),
        Err(UndoRefused::NoSuchAttempt { attempt: 2 })
    );
}

#[test]
fn held_reasons_are_sentences() {
    let held = Held::Irreversible {
        what: "the record".to_owned(),
    };
    assert_eq!(held.to_string(), "cannot be undone: the record");
}

proptest! {
    /// Rollback through the record gives the same template as the plan's own undo: the original one. An explicit `null` exists in files only, never in a live object.
    #[test]
    fn the_record_undoes_exactly(object in any_deployment(), choice in any::<u64>()) {
        prop_assume!(!object.to_string().contains("null"));
        let plan = plan_of(&object, any_edits(&object, choice));
        prop_assume!(!plan.changes.is_empty());
        let after = apply(&object, &plan, 7);
        let undo = undo(&after, Scope::Attempt(7)).unwrap();
        prop_assert!(undo.left.is_empty());
        let back = patched(&after, &undo.patch);
        prop_assert_eq!(template(&back), template(&object));
        prop_assert_eq!(annotation_of(&back), None);
    }

    #[test]
    fn reading_a_record_never_panics(text in ".{0,200}") {
        let _ = parse_annotation(&text);
    }

    /// Anything that reads as a record either is refused or changes catalogue places only.
    #[test]
    fn any_record_changes_known_places_only(path in "[a-zA-Z.\\[\\]/~]{0,40}", made in 0u8..5, wrote in prop_oneof![Just(json!(false)), Just(json!({})), Just(json!(null))]) {
        let mut object = web(&json!({"allowPrivilegeEscalation": false}));
        let text = json!({"v": 1, "uid": super::UID, "applied": [{"plan": "ab", "attempt": 1, "undo": [
            {"container": "web", "path": path, "wrote": wrote, "was": true, "made": made}]}]}).to_string();
        object["metadata"]["annotations"][ANNOTATION] = json!(text);
        if let Ok(undo) = undo(&object, Scope::All) {
            let back = patched(&object, &undo.patch);
            prop_assert_eq!(&back["spec"]["template"]["spec"]["containers"][0]["image"], &json!("web:1.0.0"));
        }
    }
}
