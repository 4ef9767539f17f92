//! RBAC-001 Administrator rights bound

use serde_json::json;

use super::rules::binding_of;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Parameter, Severity, Threat};
use crate::model::Kind;
use crate::rbac::is_everything;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-001"),
    title: "Administrator rights bound",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05", "A-07"]),
        cis(&["5.1.1"]),
        kubescape(&["C-0035", "C-0185", "C-0272"]),
        trivy(&["KSV-0111"]),
        mitre(&["T1078", "T1098.006"]),
    ],
    docs: Docs {
        why: "Whoever is, or takes over, a subject with every right has the cluster, and no policy holds. In a RoleBinding it is the namespace with all its Secrets.",
        reads: "Subjects and roles of RoleBindings and ClusterRoleBindings.",
        allowed: "No binding to `cluster-admin`, or to a role that allows every verb on every resource, but for subjects that parameter `subjects` lists. Bindings that come with Kubernetes are not applicable.",
        repair: "None: a binding that is needed would lock somebody out.",
        breaks: "Administrators who have no other way in; installers.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    parameters: &[Parameter {
        name: "subjects",
        help: "Names of subjects that may have every right.",
        default: DEFAULT,
        accepts: |value| {
            if value.is_empty() || value.contains(' ') {
                Err(format!(
                    "`{value}` is not a name; write the name of a user, a group or a service account"
                ))
            } else {
                Ok(())
            }
        },
    }],
    check: Check::Object(&[Kind::RoleBinding, Kind::ClusterRoleBinding], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(binding) = binding_of(at, judgement) else {
        return;
    };
    let allowed = at.parameters.values("subjects", DEFAULT);
    let grant = at.world.rights().grant(at.target);
    let everything = grant.is_some_and(|grant| grant.rules().any(is_everything));
    if binding.role_ref.name != "cluster-admin" && !everything {
        return judgement.pass();
    }
    judgement.pass();
    for (index, subject) in binding.subjects.iter().enumerate() {
        if !allowed.contains(&subject.name.as_str()) {
            let found = json!(format!(
                "{} {} has {}",
                subject.kind, subject.name, binding.role_ref.name
            ));
            judgement.fail(
                &format!("subjects.{index}"),
                Some(found),
                "a role with the rights that are needed",
            );
        }
    }
    if binding.subjects.is_empty() {
        judgement.fail(
            "roleRef.name",
            Some(json!(binding.role_ref.name)),
            "a role with the rights that are needed",
        );
    }
}

const DEFAULT: &[&str] = &["system:masters"];
