//! RBAC-002 Wildcard in a role

use serde_json::json;

use super::rules::role_of;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RBAC-002"),
    title: "Wildcard in a role",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-05"]),
        cis(&["5.1.3"]),
        kubescape(&["C-0187"]),
        trivy(&["KSV-0044", "KSV-0045", "KSV-0046", "KSV-0112"]),
        mitre(&["T1098.006"]),
    ],
    docs: Docs {
        why: "A wildcard also means what is added to the cluster tomorrow: new kinds, new subresources, new verbs. Nobody can tell from the role what it allows.",
        reads: "Rules of Roles and ClusterRoles.",
        allowed: "No `*` in `apiGroups`, `resources`, `verbs` and `nonResourceURLs`. Roles that come with Kubernetes are not applicable.",
        repair: "None: which entries are needed only the audit log can tell.",
        breaks: "Controllers that work with kinds that they do not know in advance.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 5.1.3",
            "Kubernetes documentation, Role Based Access Control Good Practices",
        ],
    },
    check: Check::Object(&[Kind::Role, Kind::ClusterRole], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(role) = role_of(at, judgement) else { return };
    judgement.pass();
    for (index, rule) in role.rules.iter().enumerate() {
        let fields = [
            ("apiGroups", &rule.api_groups),
            ("resources", &rule.resources),
            ("verbs", &rule.verbs),
            ("nonResourceURLs", &rule.non_resource_urls),
        ];
        for (field, list) in fields {
            if list.iter().any(|entry| entry == "*") {
                judgement.fail(
                    &format!("rules.{index}.{field}"),
                    Some(json!(list)),
                    "the entries that are needed, by name",
                );
            }
        }
    }
}
