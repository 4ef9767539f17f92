//! RBAC-012 Making of PersistentVolumes

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-012"),
    title: "Making of PersistentVolumes",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05"]),
        cis(&["5.1.9"]),
        kubescape(&["C-0278"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "A PersistentVolume can be any path of a node: who makes one and claims it mounts it past the checks of pods.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No `create` of PersistentVolumes. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Provisioners of storage.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    each_rule(at, judgement, "claims instead of volumes", |rule| {
        any_of(rule, "", &["persistentvolumes"], &["create"])
    });
}
