//! RBAC-004 Rights for everybody who logs in, or for every account

use serde_json::json;

use super::rules::binding_of;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-004"),
    title: "Rights for everybody who logs in, or for every account",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["A-05"]),
        cis(&["5.1.2", "5.1.4"]),
        kubescape(&["C-0265"]),
        trivy(&["KSV-01011"]),
        mitre(&["T1078.001"]),
    ],
    docs: Docs {
        why: "Every pod has a service account, so that rights of all accounts are rights of whoever takes over any pod. On some clouds whoever has an account there is authenticated.",
        reads: "Subjects and roles of RoleBindings and ClusterRoleBindings.",
        allowed: "No group `system:authenticated` or `system:serviceaccounts`. The group of one namespace's accounts is fine. Bindings that come with Kubernetes are not applicable.",
        repair: "None: a binding that is needed would lock somebody out.",
        breaks: "Programs that rely on everybody's rights.",
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
    for (index, subject) in binding
        .subjects
        .iter()
        .enumerate()
        .filter(|(_, subject)| subject.kind == "Group")
    {
        if subject.name == "system:authenticated" || subject.name == "system:serviceaccounts" {
            judgement.fail(
                &format!("subjects.{index}"),
                Some(json!(subject.name)),
                "the subjects that need it",
            );
        }
    }
}
