//! RBAC-005 Broad reading of Secrets

use super::rules::{any_of, each_rule};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-005"),
    title: "Broad reading of Secrets",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["N-20", "A-06"]),
        cis(&["5.1.2"]),
        kubescape(&["C-0015", "C-0186"]),
        trivy(&["KSV-0041", "KSV-0113"]),
        mitre(&["T1552.007"]),
    ],
    docs: Docs {
        why: "Who reads Secrets has every password, key and token of the namespace; cluster-wide that is the cluster. `list` and `watch` return the content, too, whatever names a rule lists.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No rule with `get`, `list` or `watch` of Secrets, but `get` of those that `resourceNames` lists. Roles that come with Kubernetes are not applicable.",
        repair: "None: what the role is used for cannot be seen from outside.",
        breaks: "Controllers that copy or inject Secrets.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    each_rule(at, judgement, "get of Secrets that resourceNames lists", |rule| {
        let by_name = !rule.resource_names.is_empty() && rule.verbs.iter().all(|verb| verb == "get");
        !by_name && any_of(rule, "", &["secrets"], &VERBS)
    });
}

const VERBS: [&str; 3] = ["get", "list", "watch"];
