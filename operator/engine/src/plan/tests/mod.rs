//! Tests of planning, by question. Those named after a story of `safety.md` prove it on the pure engine.

mod building;
mod hashing;
mod linting;
mod policies;
mod risks;
mod routing;
mod scene;
mod sending;
mod undoing;

use json_patch::Patch;
use serde_json::{Value, json};

use super::leaves::merge;
use super::patch::{Built, Guard, build};
use super::{Disposition, Plan, PlanHash, Restart};
use crate::controls::{Control, ControlId, Edit, Risk};
use crate::model::{ContainerKind, Kind, ObjectRef, TemplateHash};

const UID: &str = "6d1e5f0a-0000-4000-8000-000000000001";
const ONE: ControlId = ControlId::new("TST-001");
const TWO: ControlId = ControlId::new("TST-002");

/// A stand-in for the catalogue: what controls may write in these tests.
const CATALOGUE: &[&Control] = &[&Control {
    id: ONE,
    writes: &[
        "containers[].securityContext.allowPrivilegeEscalation",
        "containers[].securityContext.readOnlyRootFilesystem",
        "containers[].securityContext.runAsNonRoot",
        "containers[].securityContext.capabilities.drop",
        "containers[].securityContext.seccompProfile",
        "containers[].securityContext.seccompProfile.type",
        "containers[].volumeMounts[]",
        "volumes[]",
        "automountServiceAccountToken",
    ],
    ..Control::WORKLOAD
}];

/// A Deployment around a pod spec.
fn deployment(pod_spec: &Value) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": UID, "generation": 3, "resourceVersion": "77",
                     "annotations": {"deployment.kubernetes.io/revision": "1"}},
        "spec": {"replicas": 3, "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod_spec}},
    })
}

fn template(object: &Value) -> Value {
    object["spec"]["template"].clone()
}

/// An edit of a container (`web` is number 0 of `containers`, and so on) or of the pod spec, as a control's repair would make it.
fn edit(object: &Value, control: ControlId, container: Option<&str>, path: &str, to: Value) -> Edit {
    let template = template(object);
    let spec = &template["spec"];
    let find = |list: &str, name: &str| spec[list].as_array()?.iter().position(|c| c["name"] == name);
    let (base, container) = match container {
        None => ("/spec".to_owned(), None),
        Some(name) => {
            let (kind, index) = find("containers", name)
                .map(|index| (ContainerKind::Regular, index))
                .or_else(|| find("initContainers", name).map(|index| (ContainerKind::Init, index)))
                .expect("the container exists");
            (
                format!("/spec/{}/{index}", kind.field()),
                Some((kind, index, name.to_owned())),
            )
        }
    };
    let pointer = format!("{base}/{}", path.replace('.', "/"));
    Edit {
        from: template.pointer(&pointer).cloned(),
        pointer,
        container,
        to,
        control,
    }
}

fn built(object: &Value, edits: Vec<Edit>) -> Built {
    let (leaves, contradictions) = merge(&template(object), edits);
    assert_eq!(contradictions, []);
    let guard = Guard {
        kind: Kind::Deployment,
        uid: UID,
        generation: 3,
    };
    build(guard, &template(object), leaves, &[]).expect("the edits are below the pod spec")
}

/// A plan of these edits, Low and ready, for tests of what comes after planning.
fn plan_of(object: &Value, edits: Vec<Edit>) -> Plan {
    let Built { patch, undo, changes } = built(object, edits);
    let mut plan = Plan {
        target: ObjectRef::new(Kind::Deployment, "shop", "web"),
        uid: UID.to_owned(),
        generation: 3,
        template: TemplateHash::of(&template(object)),
        controls: vec![ONE],
        judged: Vec::new(),
        changes,
        patch,
        undo,
        risk: Risk::Low,
        risk_reasons: Vec::new(),
        irreversible: Vec::new(),
        restart: Restart {
            strategy: "RollingUpdate",
            pods: 3,
            only_in_window: None,
        },
        evidence: Vec::new(),
        left_out: Vec::new(),
        spared: Vec::new(),
        image_digests: Vec::new(),
        earlier: Vec::new(),
        preview: false,
        hash: PlanHash::default(),
        disposition: Disposition::Ready,
    };
    plan.hash = super::hash::of(&plan);
    plan
}

fn patched(object: &Value, patch: &Patch) -> Value {
    super::patch::patched(object, patch).expect("the patch applies")
}
