//! RBAC-013 Writing of what guards the cluster

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-013"),
    title: "Writing of what guards the cluster",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05", "L-16"]),
        kubescape(&["C-0037", "C-0031", "C-0007"]),
        trivy(&["KSV-0049", "KSV-0042", "KSV-0056", "KSV-0115"]),
        mitre(&["T1685", "T1070"]),
    ],
    docs: Docs {
        why: "Labels of namespaces, network policies, DNS configuration and events decide what is checked, who reaches whom, what a name means and what is seen afterwards.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No writing of namespaces, NetworkPolicies, ConfigMaps, endpoints and statuses of Services, and no deleting of events. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Controllers that manage these objects; name single objects where they can be named.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    each_rule(at, judgement, "reading, or single objects by name", |rule| {
        any_of(rule, "", &["namespaces"], &WRITES)
            || any_of(rule, NETWORKING, &["networkpolicies"], &WRITES)
            || any_of(rule, "", &["events"], &["delete", "deletecollection"])
            || any_of(rule, "events.k8s.io", &["events"], &["delete", "deletecollection"])
            || any_of(
                rule,
                "",
                &["configmaps", "services/status", "endpoints"],
                &["update", "patch"],
            )
            || any_of(
                rule,
                "discovery.k8s.io",
                &["endpointslices"],
                &["update", "patch", "create"],
            )
    });
}

const WRITES: [&str; 4] = ["update", "patch", "delete", "deletecollection"];
const NETWORKING: &str = "networking.k8s.io";
