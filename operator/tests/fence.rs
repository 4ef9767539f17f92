//! The self-fence (`config/admission/fence/fence.yaml`) is generated: it freezes every field of a Deployment that no repair writes.
//!
//! CEL cannot list the keys of typed objects, so the frozen fields are enumerated. They come from the OpenAPI schema of the newest Kubernetes version that we
//! compile against; a field that a later version adds is caught by the end-to-end test that reads the live server's schema.
//! `UPDATE=1 cargo test -p ironside --test fence` rewrites the file.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ironside_engine::controls::CONTROLS;
use k8s_openapi::api::apps::v1::DeploymentSpec;
use k8s_openapi::api::core::v1::{Container, PodSpec, SecurityContext};
use schemars::{JsonSchema, SchemaGenerator};

/// Fields of a Deployment spec that the fence looks into instead of freezing them.
const OPEN_IN_DEPLOYMENT: [&str; 1] = ["template"];
/// Fields of a pod spec that a repair may change, each bounded by a rule of its own.
const OPEN_IN_POD: [&str; 4] = [
    "automountServiceAccountToken",
    "containers",
    "initContainers",
    "volumes",
];
/// Fields of a container that a repair may change, each bounded by a rule of its own.
const OPEN_IN_CONTAINER: [&str; 2] = ["securityContext", "volumeMounts"];
/// Fields of a container's security context that a repair may change.
const OPEN_IN_SECURITY_CONTEXT: [&str; 7] = [
    "allowPrivilegeEscalation",
    "capabilities",
    "readOnlyRootFilesystem",
    "runAsGroup",
    "runAsNonRoot",
    "runAsUser",
    "seccompProfile",
];

/// A control that writes a further place has to say here which rule bounds it.
#[test]
fn what_is_open_is_what_the_controls_write() {
    let written = |below: &str| -> BTreeSet<&str> {
        let places = CONTROLS.iter().flat_map(|control| control.writes);
        let below = places.filter_map(|place| place.strip_prefix(below));
        below.filter_map(|rest| rest.split(['.', '[']).next()).collect()
    };
    assert_eq!(
        written("containers[].securityContext."),
        OPEN_IN_SECURITY_CONTEXT.into()
    );
    assert_eq!(written("containers[]."), OPEN_IN_CONTAINER.into());
    let mut in_pod = written("");
    in_pod.insert("initContainers"); // a place below `containers[]` means both lists
    assert_eq!(in_pod, OPEN_IN_POD.into());
}

#[test]
fn the_fence_freezes_every_field_that_no_repair_writes() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/admission/fence/fence.yaml");
    let expected = render();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "config/admission/fence/fence.yaml is not what the schema asks for: run UPDATE=1 cargo test -p ironside --test fence"
    );
}

fn fields<T: JsonSchema>() -> BTreeSet<String> {
    let schema = T::json_schema(&mut SchemaGenerator::default());
    let properties = schema
        .get("properties")
        .and_then(|p| p.as_object())
        .expect("an object schema");
    assert!(!properties.is_empty());
    properties.keys().cloned().collect()
}

fn frozen<T: JsonSchema>(open: &[&str]) -> Vec<String> {
    let all = fields::<T>();
    for field in open {
        assert!(
            all.contains(*field),
            "{field} is open in the fence but no such field exists"
        );
    }
    all.into_iter()
        .filter(|field| !open.contains(&field.as_str()))
        .collect()
}

/// `a.?x == b.?x && a.?y == b.?y`, one comparison a line.
fn equal(a: &str, b: &str, fields: &[String], indent: &str) -> String {
    let name = |field: &String| {
        if field == "namespace" {
            format!("__{field}__")
        } else {
            field.clone()
        }
    };
    fields
        .iter()
        .map(|field| format!("{a}.?{0} == {b}.?{0}", name(field)))
        .collect::<Vec<_>>()
        .join(&format!("\n{indent}&& "))
}

fn containers_frozen(list: &str) -> String {
    let indent = "      ";
    let container = equal("c", "o", &frozen::<Container>(&OPEN_IN_CONTAINER), "        ");
    let security = equal(
        "c.?securityContext",
        "o.?securityContext",
        &frozen::<SecurityContext>(&OPEN_IN_SECURITY_CONTEXT),
        "        ",
    );
    format!(
        "variables.now.?{list}.orValue([]).size() == variables.before.?{list}.orValue([]).size()\n\
         {indent}&& variables.now.?{list}.orValue([]).all(c, variables.before.?{list}.orValue([]).exists(o,\n        {container}\n        && {security}))"
    )
}

#[allow(clippy::too_many_lines)] // one document, read from top to bottom
fn render() -> String {
    let deployment = equal(
        "object.spec",
        "oldObject.spec",
        &frozen::<DeploymentSpec>(&OPEN_IN_DEPLOYMENT),
        "      ",
    );
    let pod = equal(
        "variables.now",
        "variables.before",
        &frozen::<PodSpec>(&OPEN_IN_POD),
        "      ",
    );
    let containers = containers_frozen("containers");
    let init = containers_frozen("initContainers");
    format!(
        r#"# Generated by operator/tests/fence.rs; do not edit.
#
# What the operator's own account may do to workloads, whatever it is told: repair security contexts, add or remove its own emptyDir volumes, and nothing else.
# It holds for that account only and fails closed. A patch and the undo of that patch both pass; a new image, env, command, ServiceAccount, label, replica
# count, hostPath or privileged container does not.
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata:
  name: ironside-fence
  labels: {{app.kubernetes.io/name: ironside, app.kubernetes.io/part-of: ironside}}
spec:
  failurePolicy: Fail
  matchConstraints:
    matchPolicy: Equivalent
    resourceRules:
    - apiGroups: [apps]
      apiVersions: ["*"]
      resources: [deployments]
      operations: [CREATE, UPDATE, DELETE]
    - apiGroups: [apps]
      apiVersions: ["*"]
      resources: [daemonsets, replicasets, statefulsets, deployments/scale, replicasets/scale, statefulsets/scale]
      operations: [CREATE, UPDATE, DELETE]
    - apiGroups: [batch]
      apiVersions: ["*"]
      resources: [cronjobs, jobs]
      operations: [CREATE, UPDATE, DELETE]
    - apiGroups: [""]
      apiVersions: ["*"]
      resources: [pods, replicationcontrollers]
      operations: [CREATE, UPDATE, DELETE]
  matchConditions:
  - name: only-the-operator
    expression: request.userInfo.username == 'system:serviceaccount:ironside-system:ironside'
  variables:
  - name: isRepair
    expression: request.operation == 'UPDATE' && request.resource.resource == 'deployments' && request.?subResource.orValue('') == ''
  - name: now
    expression: object.spec.template.spec
  - name: before
    expression: oldObject.spec.template.spec
  - name: containersNow
    expression: variables.now.containers + variables.now.?initContainers.orValue([])
  - name: containersBefore
    expression: variables.before.containers + variables.before.?initContainers.orValue([])
  validations:
  - expression: variables.isRepair
    message: the operator only updates Deployments; it never creates, deletes or scales workloads
    reason: Forbidden
  - expression: |-
      !variables.isRepair || (
      {deployment})
    message: only spec.template of a Deployment may change
    reason: Forbidden
  - expression: |-
      !variables.isRepair || (
      object.metadata.?labels == oldObject.metadata.?labels
      && object.metadata.?ownerReferences == oldObject.metadata.?ownerReferences
      && object.metadata.?finalizers == oldObject.metadata.?finalizers
      && object.metadata.?annotations.orValue({{}}).all(k, k == 'hardening.ironside.dev/applied'
        || oldObject.metadata.?annotations[?k] == object.metadata.?annotations[?k])
      && oldObject.metadata.?annotations.orValue({{}}).all(k, k == 'hardening.ironside.dev/applied'
        || object.metadata.?annotations[?k] == oldObject.metadata.?annotations[?k])
      && object.spec.template.?metadata == oldObject.spec.template.?metadata)
    message: of the metadata only the annotation hardening.ironside.dev/applied may change
    reason: Forbidden
  - expression: |-
      !variables.isRepair || (
      {pod})
    message: this field of the pod spec is frozen for the operator
    reason: Forbidden
  - expression: |-
      !variables.isRepair || (
      {containers})
    message: of a container only securityContext and volumeMounts may change
    reason: Forbidden
  - expression: |-
      !variables.isRepair || (
      {init})
    message: of an init container only securityContext and volumeMounts may change
    reason: Forbidden
  - expression: |-
      !variables.isRepair || variables.containersNow.all(c,
        c.?securityContext.?runAsUser.orValue(1) != 0
        || variables.containersBefore.exists(o, o.name == c.name && o.?securityContext.?runAsUser.orValue(1) == 0))
    message: runAsUser may not become 0
    reason: Forbidden
  - expression: |-
      !variables.isRepair || variables.containersNow.all(c,
        c.?securityContext.?runAsGroup.orValue(1) != 0
        || variables.containersBefore.exists(o, o.name == c.name && o.?securityContext.?runAsGroup.orValue(1) == 0))
    message: runAsGroup may not become 0
    reason: Forbidden
  - expression: |-
      !variables.isRepair || variables.containersNow.all(c,
        c.?securityContext.?capabilities.?add.orValue([]).all(a, a == 'NET_BIND_SERVICE'
          || variables.containersBefore.exists(o, o.name == c.name && a in o.?securityContext.?capabilities.?add.orValue([]))))
    message: no capability may be added but NET_BIND_SERVICE
    reason: Forbidden
  - expression: |-
      !variables.isRepair || (
      variables.now.?volumes.orValue([]).all(v, variables.before.?volumes.orValue([]).exists(o, o == v)
        || (v.name.startsWith('ironside-') && has(v.emptyDir)))
      && variables.before.?volumes.orValue([]).all(o, variables.now.?volumes.orValue([]).exists(v, o == v)
        || (o.name.startsWith('ironside-') && has(o.emptyDir))))
    message: volumes are frozen but for emptyDir volumes named ironside-*
    reason: Forbidden
  - expression: |-
      !variables.isRepair || (
      variables.containersNow.all(c, c.?volumeMounts.orValue([]).all(m, m.name.startsWith('ironside-')
        || variables.containersBefore.exists(o, o.name == c.name && o.?volumeMounts.orValue([]).exists(b, b == m))))
      && variables.containersBefore.all(o, o.?volumeMounts.orValue([]).all(m, m.name.startsWith('ironside-')
        || variables.containersNow.exists(c, c.name == o.name && c.?volumeMounts.orValue([]).exists(b, b == m)))))
    message: volume mounts are frozen but for those of volumes named ironside-*
    reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: ironside-fence
  labels: {{app.kubernetes.io/name: ironside, app.kubernetes.io/part-of: ironside}}
spec:
  policyName: ironside-fence
  validationActions: [Deny]
"#
    )
}
