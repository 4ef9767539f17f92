//! RBAC-003 Rights for the unauthenticated

use serde_json::json;

use super::rules::binding_of;
use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-003"),
    title: "Rights for the unauthenticated",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["A-03"]),
        kubescape(&["C-0262"]),
        trivy(&["KSV-0122"]),
        mitre(&["T1078.001", "T1133"]),
    ],
    docs: Docs {
        why: "Whoever reaches the API server has these rights, without a name in the audit log.",
        reads: "Subjects and roles of RoleBindings and ClusterRoleBindings.",
        allowed: "No subject `system:anonymous` or `system:unauthenticated`. Bindings that come with Kubernetes are not applicable.",
        repair: "None: a binding that is needed would lock somebody out.",
        breaks: "Health checks and discovery that do not log in.",
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
    for (index, subject) in binding.subjects.iter().enumerate() {
        if matches!(subject.name.as_str(), "system:anonymous" | "system:unauthenticated") {
            judgement.fail(
                &format!("subjects.{index}"),
                Some(json!(subject.name)),
                "subjects that log in",
            );
        }
    }
}
