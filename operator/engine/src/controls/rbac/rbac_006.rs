//! RBAC-006 Broad making of workloads

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-006"),
    title: "Broad making of workloads",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05"]),
        cis(&["5.1.4"]),
        kubescape(&["C-0188"]),
        trivy(&["KSV-0048"]),
        mitre(&["T1610", "T1053.007"]),
    ],
    docs: Docs {
        why: "Who makes pods chooses their service account, their Secrets and, where nothing checks pods, their node: the right to make pods is the right to become every account of the namespace.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No `create`, `update` or `patch` of pods and of what makes pods. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Release pipelines and controllers.",
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
        "no right to make pods, or one for a single namespace",
        |rule| {
            WORKLOADS
                .iter()
                .any(|(group, resources)| any_of(rule, group, resources, &["create", "update", "patch"]))
        },
    );
}

/// What becomes pods, by group.
const WORKLOADS: [(&str, &[&str]); 3] = [
    ("", &["pods", "replicationcontrollers"]),
    ("apps", &["deployments", "daemonsets", "statefulsets", "replicasets"]),
    ("batch", &["jobs", "cronjobs"]),
];
