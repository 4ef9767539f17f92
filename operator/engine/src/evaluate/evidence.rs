//! Makes evidence absolute: pointers from the root of the object, and who wrote the field.

use serde_json::json;

use crate::controls::Evidence;
use crate::model::managed_fields::owner_of;
use crate::model::{FieldOwner, ManagedFields, Namespace, PodSpec, Workload};

/// Evidence of a workload, from pointers below its pod template; its namespace is its own.
pub(super) fn of_workload(workload: &Workload, mut evidence: Evidence) -> Evidence {
    // A template is in the namespace of its workload and has none of its own.
    if evidence.pointer != "/metadata/namespace" {
        evidence
            .pointer
            .insert_str(0, Workload::template_pointer(workload.kind));
    }
    written(evidence, &workload.meta.managed_fields, &workload.template.spec)
}

/// Evidence of a Namespace, whose pointers are absolute already.
pub(super) fn of_namespace(namespace: &Namespace, evidence: Evidence) -> Evidence {
    written(evidence, &namespace.metadata.managed_fields, &PodSpec::default())
}

/// With who wrote the value.
fn written(evidence: Evidence, entries: &[ManagedFields], spec: &PodSpec) -> Evidence {
    // Nobody wrote what is absent.
    let value = evidence.observed.as_ref();
    let owner = value.and_then(|_| writer(&evidence.pointer, entries, spec));
    Evidence { owner, ..evidence }
}

/// Who wrote the value at a JSON pointer.
fn writer(pointer: &str, entries: &[ManagedFields], spec: &PodSpec) -> Option<FieldOwner> {
    if entries.is_empty() {
        return None;
    }
    let path = steps(pointer, spec)?;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    (!path.is_empty()).then(|| owner_of(entries, &path)).flatten()
}

/// The steps of a JSON pointer as managed fields name them. An item of a list with keys is named by its key; a list without keys has one owner as a whole, and
/// the path ends there. `None` for an item that the spec does not have.
fn steps(pointer: &str, spec: &PodSpec) -> Option<Vec<String>> {
    let mut steps: Vec<String> = Vec::new();
    let mut container = None;
    for step in pointer.split('/').skip(1) {
        let step = step.replace("~1", "/").replace("~0", "~");
        let Ok(index) = step.parse::<usize>() else {
            steps.push(step);
            continue;
        };
        let key = match (steps.last().map(String::as_str), container) {
            (Some("containers" | "initContainers" | "ephemeralContainers"), None) => {
                let list = match steps.last().map(String::as_str) {
                    Some("containers") => &spec.containers,
                    Some("initContainers") => &spec.init_containers,
                    _ => &spec.ephemeral_containers,
                };
                let item = container.insert(list.get(index)?);
                json!({"name": item.name})
            }
            (Some("volumes"), None) => json!({"name": spec.volumes.get(index)?.name}),
            (Some("ports"), Some(container)) => {
                let port = container.ports.get(index)?;
                json!({"containerPort": port.container_port, "protocol": port.protocol.as_deref().unwrap_or("TCP")})
            }
            (Some("volumeMounts"), Some(container)) => {
                json!({"mountPath": container.volume_mounts.get(index)?.mount_path})
            }
            _ => break,
        };
        steps.push(format!("k:{key}"));
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::model::Kind;

    /// `kubectl` wrote the second container, `patcher` its securityContext later, the status subresource everything later still.
    fn deployment() -> Workload {
        let object = json!({
            "metadata": {"name": "web", "managedFields": [
                entry("kubectl", "Apply", "2026-01-01T00:00:00Z", &json!({"f:image": {}, "f:securityContext": {"f:privileged": {}}})),
                entry("patcher", "Update", "2026-02-01T00:00:00Z", &json!({
                    "f:securityContext": {"f:privileged": {}, "f:capabilities": {"f:add": {}}},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {"f:hostPort": {}}},
                })),
                {"manager": "controller", "operation": "Update", "subresource": "status", "time": "2026-03-01T00:00:00Z",
                 "fieldsV1": container(&json!({"f:securityContext": {"f:privileged": {}}}))},
            ]},
            "spec": {"template": {"spec": {"containers": [
                {"name": "proxy"},
                {"name": "web", "image": "a", "ports": [{"containerPort": 80, "hostPort": 80}],
                 "securityContext": {"privileged": true, "capabilities": {"add": ["NET_RAW"]}}},
            ]}}},
        });
        Workload::decode(Kind::Deployment, &object).unwrap()
    }

    fn entry(manager: &str, operation: &str, time: &str, fields: &Value) -> Value {
        json!({"manager": manager, "operation": operation, "time": time, "fieldsV1": container(fields)})
    }

    fn container(fields: &Value) -> Value {
        json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": fields}}}}})
    }

    fn writer_of(pointer: &str, observed: Option<Value>) -> Option<String> {
        let evidence = Evidence {
            pointer: pointer.to_owned(),
            container: None,
            observed,
            expected: String::new(),
            owner: None,
        };
        let absolute = of_workload(&deployment(), evidence);
        assert_eq!(absolute.pointer, format!("/spec/template{pointer}"));
        absolute.owner.map(|owner| owner.manager)
    }

    #[test]
    fn the_latest_manager_of_the_field_itself_wrote_it() {
        let at = |field: &str| format!("/spec/containers/1/{field}");
        assert_eq!(writer_of(&at("image"), Some(json!("a"))).as_deref(), Some("kubectl"));
        assert_eq!(
            writer_of(&at("securityContext/privileged"), Some(json!(true))).as_deref(),
            Some("patcher")
        );
        assert_eq!(
            writer_of(&at("securityContext/capabilities/add/0"), Some(json!("NET_RAW"))).as_deref(),
            Some("patcher"),
            "a list without keys has one owner"
        );
        assert_eq!(
            writer_of(&at("ports/0/hostPort"), Some(json!(80))).as_deref(),
            Some("patcher")
        );
        assert_eq!(
            writer_of("/spec/containers/0/image", Some(json!("x"))),
            None,
            "another container"
        );
        assert_eq!(
            writer_of(&at("securityContext/privileged"), None),
            None,
            "nobody writes what is absent"
        );
        assert_eq!(writer_of(&at("image/9/9"), Some(json!(1))).as_deref(), Some("kubectl"));
        assert_eq!(
            writer_of("/spec/containers/7/image", Some(json!(1))),
            None,
            "no such container"
        );
    }
}
