//! Edits of text, in every manner that manifests are written in.

use serde_json::json;

use super::*;

fn edit(text: &str, operations: &Value) -> Result<String, Refusal> {
    apply(text, &serde_json::from_value(operations.clone()).unwrap())
}

fn add(pointer: &str, value: &Value) -> Value {
    json!([{"op": "add", "path": pointer, "value": value}])
}

#[test]
fn a_block_mapping_gets_a_line_and_keeps_its_comments() {
    let text = "# top\nspec:\n  containers:\n  - name: web # the shop\n    image: shop:1\n  # the second\n  - name: side\n    ports: []\n";
    let patch = add(
        "/spec/containers/0/securityContext",
        &json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}}),
    );
    assert_eq!(
        edit(text, &patch).unwrap(),
        "# top\nspec:\n  containers:\n  - name: web # the shop\n    image: shop:1\n    securityContext:\n      allowPrivilegeEscalation: false\n      \
         capabilities:\n        drop:\n        - ALL\n  # the second\n  - name: side\n    ports: []\n"
    );
}

#[test]
fn sequences_are_indented_as_in_the_document() {
    let text = "spec:\n    containers:\n      - name: web\n";
    let patch = add(
        "/spec/containers/0/securityContext",
        &json!({"capabilities": {"drop": ["ALL"]}}),
    );
    assert_eq!(
        edit(text, &patch).unwrap(),
        "spec:\n    containers:\n      - name: web\n        securityContext:\n          capabilities:\n            drop:\n              - ALL\n"
    );
}

#[test]
fn windows_line_ends_and_a_missing_last_one_stay() {
    let text = "spec:\r\n  hostNetwork: false\r\n  dnsPolicy: Default";
    assert_eq!(
        edit(text, &add("/spec/automountServiceAccountToken", &json!(false))).unwrap(),
        "spec:\r\n  hostNetwork: false\r\n  dnsPolicy: Default\r\n  automountServiceAccountToken: false"
    );
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    let replace =
        |text: &str, value: Value| edit(text, &json!([{"op": "replace", "path": "/a/b", "value": value}])).unwrap();
    assert_eq!(
        replace("a:\n  b: true # why\n  c: 1\n", json!(false)),
        "a:\n  b: false # why\n  c: 1\n"
    );
    assert_eq!(replace("a: {b: 'x', c: 1}\n", json!("z")), "a: {b: z, c: 1}\n");
    assert_eq!(
        replace("a:\n  b:\n  c: 1\n", json!({"d": 1})),
        "a:\n  b: {d: 1}\n  c: 1\n"
    );
    assert_eq!(
        replace("a:\n  b:\n  - X\n  - Y\n  c: 1\n", json!(["ALL"])),
        "a:\n  b:\n  - ALL\n  c: 1\n"
    );
    assert_eq!(replace("a:\n  b: [X, Y]\n", json!(["ALL"])), "a:\n  b: [ALL]\n");
}

#[test]
fn flow_style_and_json_stay_what_they_are() {
    let text = "spec: {containers: [{name: web}], volumes: []}\n";
    assert_eq!(
        edit(
            text,
            &add("/spec/containers/0/securityContext", &json!({"privileged": false}))
        )
        .unwrap(),
        "spec: {containers: [{name: web, securityContext: {privileged: false}}], volumes: []}\n"
    );
    assert_eq!(
        edit(text, &add("/spec/volumes/0", &json!({"name": "tmp", "emptyDir": {}}))).unwrap(),
        "spec: {containers: [{name: web}], volumes: [{name: tmp, emptyDir: {}}]}\n"
    );
    let text = "{\n  \"spec\": {\n    \"hostPID\": false\n  }\n}\n";
    assert_eq!(
        edit(text, &add("/spec/securityContext", &json!({"runAsNonRoot": true}))).unwrap(),
        "{\n  \"spec\": {\n    \"hostPID\": false,\n    \"securityContext\": {\n      \"runAsNonRoot\": true\n    }\n  }\n}\n"
    );
}

#[test]
fn an_item_is_appended_behind_the_last_one() {
    let text = "volumes:\n- name: a\n  emptyDir: {}\n\n# end\nhost: x\n";
    assert_eq!(
        edit(text, &add("/volumes/1", &json!({"name": "b", "emptyDir": {}}))).unwrap(),
        "volumes:\n- name: a\n  emptyDir: {}\n- name: b\n  emptyDir: {}\n\n# end\nhost: x\n"
    );
}

#[test]
fn what_is_shared_by_an_anchor_is_refused() {
    let text = "a: &it\n  x: 1\nb: *it\n";
    assert!(matches!(
        edit(text, &add("/b/y", &json!(2))),
        Err(Refusal::Alias { .. })
    ));
    assert_eq!(
        edit(text, &add("/a/y", &json!(2))),
        Err(Refusal::NotEqual),
        "b would change with it"
    );
}

#[test]
fn a_block_scalar_before_the_new_line_keeps_its_text() {
    let text = "a:\n  script: |\n    echo 1\n\n    echo 2\nb: 1\n";
    assert_eq!(
        edit(text, &add("/a/c", &json!(true))).unwrap(),
        "a:\n  script: |\n    echo 1\n\n    echo 2\n  c: true\nb: 1\n"
    );
}

#[test]
fn a_test_that_fails_changes_nothing() {
    let patch = json!([{"op": "test", "path": "/a", "value": 2}, {"op": "replace", "path": "/a", "value": 3}]);
    assert!(matches!(edit("a: 1\n", &patch), Err(Refusal::NoPlace { .. })));
}
