//! RBAC-008 Rights to take more rights

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-008"),
    title: "Rights to take more rights",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-08"]),
        cis(&["5.1.8"]),
        kubescape(&["C-0065", "C-0191"]),
        trivy(&["KSV-0043", "KSV-0050", "KSV-0051", "KSV-0052", "KSV-0055"]),
        mitre(&["T1098.006", "T1078"]),
    ],
    docs: Docs {
        why: "`escalate` writes any right into a role, `bind` grants any role, `impersonate` is anybody: each is cluster-admin by another name.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "None of these verbs on roles, bindings, users, groups and service accounts. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Controllers that hand out roles; proxies that act for people.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    each_rule(at, judgement, "no escalate, bind or impersonate", |rule| {
        any_of(rule, RBAC, &["roles", "clusterroles"], &["escalate", "bind"])
            || any_of(
                rule,
                RBAC,
                &["rolebindings", "clusterrolebindings"],
                &["bind", "escalate"],
            )
            || any_of(rule, "", &["users", "groups", "serviceaccounts"], &["impersonate"])
            || any_of(rule, "authentication.k8s.io", &["userextras", "uids"], &["impersonate"])
    });
}

const RBAC: &str = "rbac.authorization.k8s.io";
