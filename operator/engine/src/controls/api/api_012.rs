//! API-012 Ironside's own guards are switched off

use serde_json::json;

use crate::components::{ComponentScope, place};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Need, Severity, Threat};
use crate::model::{Admission, Kind, ObjectRef, Resource};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-012"),
    title: "Ironside's own guards are switched off",
    severity: Severity::High,
    component: Component::KubeApiserver,
    threats: &[Threat::InsiderThreat],
    frameworks: &[nsa(&["L-17"]), mitre(&["T1685"])],
    docs: Docs {
        why: "Admission bounds what Ironside may do and who may tell it to: only approvers decide on repairs (`ironside-approval`), and whatever the operator is told, on a workload it can change nothing but what the fence lists (`ironside-fence`). Whoever takes either away, or lets it warn where it denied, has the operator's rights to work with; and the API server's admission is not asked about its own policies.",
        reads: "ValidatingAdmissionPolicies `ironside-approval` and `ironside-fence` and their bindings; ClusterRoles `ironside-read` and `ironside-remediate`, which say what of Ironside is installed.",
        allowed: "Where Ironside is installed, the guard of approvals is there, fails closed, and its binding denies; where it may repair, so the fence. What a policy says within is compared with nothing: a change of it is detection D-16, and the condition ApprovalGuarded looks at the guard of approvals more closely. Not applicable where Ironside is not installed.",
        repair: "None: apply them again, `kubectl apply --server-side -k config/default` or `config/overlays/remediate`, and find out who took them away: an Event of D-16 names the field manager, the audit log the user.",
        breaks: "Nothing.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "Kubernetes documentation, Validating Admission Policy; Admission Control in Kubernetes (policies are not applied to themselves)",
        ],
    },
    needs: &[
        Need {
            kind: Kind::ValidatingAdmissionPolicy,
        },
        Need {
            kind: Kind::ValidatingAdmissionPolicyBinding,
        },
        Need {
            kind: Kind::ClusterRole,
        },
    ],
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

/// What is guarded, by the role that says that it is installed: role, guard.
const GUARDS: [(&str, &str); 2] = [
    ("ironside-read", "ironside-approval"),
    ("ironside-remediate", "ironside-fence"),
];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    if !at.is_cluster() {
        return;
    }
    judgement.witness();
    let mut is_installed = false;
    for (role, guard) in GUARDS {
        if at.cluster_object(Kind::ClusterRole, role, judgement).is_some() {
            is_installed = true;
            is_guarded(at, guard, judgement);
        }
    }
    if !is_installed {
        judgement.not_applicable("Ironside is not installed in this cluster");
    }
}

fn is_guarded(at: &ComponentScope<'_>, guard: &str, judgement: &mut Judgement) {
    let mut admission = |kind: Kind| match at.cluster_object(kind, guard, judgement) {
        Some(Resource::Admission(admission)) => Some(admission),
        _ => None,
    };
    let policy = admission(Kind::ValidatingAdmissionPolicy);
    let binding = admission(Kind::ValidatingAdmissionPolicyBinding);
    let pointer = |kind: Kind, field: &str| format!("{}{field}", place(&ObjectRef::new(kind, "", guard)));
    match policy.map(Admission::failure_policy) {
        Some("Fail") => judgement.pass(),
        found => {
            let at = pointer(Kind::ValidatingAdmissionPolicy, "/spec/failurePolicy");
            judgement.fail_at(&at, found.map(|found| json!(found)), "the policy, with Fail");
        }
    }
    match binding.map(|binding| &binding.actions) {
        Some(actions) if actions.iter().any(|action| action == "Deny") => judgement.pass(),
        found => {
            let at = pointer(Kind::ValidatingAdmissionPolicyBinding, "/spec/validationActions");
            judgement.fail_at(&at, found.map(|found| json!(found)), "the binding, with Deny");
        }
    }
}
