//! RBAC-007 Commands in running containers

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-007"),
    title: "Commands in running containers",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05", "L-14"]),
        kubescape(&["C-0002", "C-0063"]),
        trivy(&["KSV-0053", "KSV-0054"]),
        mitre(&["T1609"]),
    ],
    docs: Docs {
        why: "Who runs commands in a container has its token, its Secrets and its network, and leaves nothing in version control.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No `create` or `get` of `pods/exec`, `pods/attach` and `pods/portforward`, no `update` or `patch` of `pods/ephemeralcontainers`. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "People who debug in running pods.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    each_rule(
        at,
        judgement,
        "no exec, attach, portforward or debugging containers",
        |rule| {
            any_of(rule, "", &SUBRESOURCES, &VERBS)
                || any_of(rule, "", &["pods/ephemeralcontainers"], &["update", "patch"])
        },
    );
}

/// `get` was enough before Kubernetes 1.35: a WebSocket is opened by a GET.
const VERBS: [&str; 2] = ["create", "get"];
const SUBRESOURCES: [&str; 3] = ["pods/exec", "pods/attach", "pods/portforward"];
