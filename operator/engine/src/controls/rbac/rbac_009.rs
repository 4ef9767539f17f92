//! RBAC-009 Rights on the kubelet API

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-009"),
    title: "Rights on the kubelet API",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05"]),
        cis(&["5.1.10"]),
        kubescape(&["C-0279"]),
        trivy(&["KSV-0047"]),
        mitre(&["T1609"]),
    ],
    docs: Docs {
        why: "Through `nodes/proxy` commands run in every pod of a node, past admission and past the audit log, and a `get` is enough. The proxies of pods and Services reach ports that no NetworkPolicy opens.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No verb on `nodes/proxy`, `pods/proxy` and `services/proxy`. Monitoring needs `nodes/metrics` and `nodes/stats` only (finer rights since Kubernetes 1.33). Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Monitoring that reads kubelets through the API server.",
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
        "nodes/metrics, nodes/stats, nodes/configz, nodes/healthz or nodes/pods instead",
        |rule| {
            any_of(
                rule,
                "",
                &["nodes/proxy", "pods/proxy", "services/proxy"],
                &["get", "create", "update", "patch", "delete"],
            )
        },
    );
}
