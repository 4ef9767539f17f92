//! RBAC-010 Writing of admission configuration

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-010"),
    title: "Writing of admission configuration",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-08"]),
        cis(&["5.1.12"]),
        kubescape(&["C-0281"]),
        trivy(&["KSV-0114"]),
        mitre(&["T1685", "T1552.007"]),
    ],
    docs: Docs {
        why: "Who writes admission configuration turns every check off, or has every object, Secrets included, sent to an address of their choice and changed on the way.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No writing verb on webhook configurations and admission policies. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Operators that install webhooks of their own; let them update theirs by name.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    each_rule(at, judgement, "reading only", |rule| {
        any_of(
            rule,
            GROUP,
            &RESOURCES,
            &["create", "update", "patch", "delete", "deletecollection"],
        )
    });
}

const GROUP: &str = "admissionregistration.k8s.io";
const RESOURCES: [&str; 7] = [
    "mutatingwebhookconfigurations",
    "validatingwebhookconfigurations",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "mutatingadmissionpolicies",
    "mutatingadmissionpolicybindings",
    "webhookconfigurations",
];
