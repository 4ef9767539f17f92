//! RBAC-015 Stale binding

use serde_json::json;

use super::rules::binding_of;
use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;
use crate::model::ObjectRef;
use crate::world::Reading;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-015"),
    title: "Stale binding",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["A-09"]), kubescape(&["C-0307"]), mitre(&["T1098.006"])],
    docs: Docs {
        why: "Whoever may create the account or the role that a binding waits for gets what it grants.",
        reads: "Subjects and roles of RoleBindings and ClusterRoleBindings.",
        allowed: "Bindings with subjects, whose role and service accounts exist, where all of them were read. Bindings that come with Kubernetes are not applicable.",
        repair: "None: a binding that is needed would lock somebody out.",
        breaks: "Nothing.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(binding) = binding_of(at, judgement) else {
        return;
    };
    judgement.pass();
    let kind = if binding.role_ref.kind == "Role" {
        Kind::Role
    } else {
        Kind::ClusterRole
    };
    let role = ObjectRef::new(kind, &at.target.namespace, &binding.role_ref.name);
    let complete = |kind, namespace| *at.world.reading(kind, namespace) == Reading::Complete;
    if at.world.resource(&role).is_none() && complete(kind, &role.namespace) {
        judgement.fail("roleRef.name", Some(json!(binding.role_ref.name)), "a role that exists");
    }
    if binding.subjects.is_empty() {
        judgement.fail("subjects", Some(json!([])), "somebody, or no binding");
    }
    for (index, subject) in binding.subjects.iter().enumerate() {
        if subject.kind == "ServiceAccount"
            && complete(Kind::ServiceAccount, &subject.namespace)
            && at.world.service_account(&subject.namespace, &subject.name).is_none()
        {
            let found = json!(format!("{}/{}", subject.namespace, subject.name));
            judgement.fail(&format!("subjects.{index}"), Some(found), "an account that exists");
        }
    }
}
