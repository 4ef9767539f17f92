//! RBAC-014 Rights that cannot be taken back or attributed

use serde_json::json;

use super::rules::binding_of;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-014"),
    title: "Rights that cannot be taken back or attributed",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-01", "A-07"]),
        cis(&["5.1.7", "3.1.1", "3.1.2", "3.1.3"]),
        kubescape(&["C-0246", "C-0286", "C-0287", "C-0288"]),
        trivy(&["KSV-0123"]),
        mitre(&["T1078"]),
    ],
    docs: Docs {
        why: "Members of `system:masters` pass every check whatever is bound, by certificates that are good until they expire. Bootstrap tokens are shared, and what is done with them has no name.",
        reads: "Subjects and roles of RoleBindings and ClusterRoleBindings.",
        allowed: "No subject `system:masters`, no group of bootstrap tokens, no service account written as a user. Bindings that come with Kubernetes are not applicable.",
        repair: "None: a binding that is needed would lock somebody out.",
        breaks: "Break-glass access that relies on it.",
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
        let is_person = subject.kind != "ServiceAccount";
        if is_person && subject.name == "system:masters" {
            let expected =
                "a group of your own: RBAC does not hold for this one, and its certificates cannot be revoked";
            judgement.fail(&format!("subjects.{index}"), Some(json!(subject.name)), expected);
        } else if is_person && subject.name.starts_with("system:bootstrap") {
            judgement.fail(
                &format!("subjects.{index}"),
                Some(json!(subject.name)),
                "people with a name of their own",
            );
        } else if subject.kind == "User" && subject.name.starts_with("system:serviceaccount:") {
            judgement.fail(
                &format!("subjects.{index}"),
                Some(json!(subject.name)),
                "kind ServiceAccount",
            );
        }
    }
}
