//! API-002 API server allows everything, or does not use RBAC

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-002"),
    title: "API server allows everything, or does not use RBAC",
    severity: Severity::Critical,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-04"]),
        cis(&["1.2.6", "1.2.8"]),
        kubescape(&["C-0088", "C-0118", "C-0120"]),
        trivy(&["KCV-0007", "KCV-0009"]),
        mitre(&["T1078"]),
    ],
    docs: Docs {
        why: "With AlwaysAllow every request that is authenticated may do everything, whatever roles say. Without RBAC the roles of the cluster have no effect.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--authorization-mode`; `authorizers` of AuthorizationConfiguration documents; which authorizers decided something, as `/metrics` counts it.",
        allowed: "A list with RBAC and without AlwaysAllow. The flag left out means AlwaysAllow. Unknown where `--authorization-config` names a file that was not given.",
        repair: api_server_flag!(),
        breaks: "Programs and people that never needed a role; find them in the audit log first.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 1.2.6, 1.2.8",
            "Kubernetes documentation, Authorization",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        const MODE: &str = "authorization-mode";
        let process = ask.process();
        if process.value(MODE).is_none() && process.value("authorization-config").is_some() {
            if at.counters().is_none() {
                ask.unseen("the authorizers", "authorization-config");
            }
            return;
        }
        let has = |mode: &str| process.items(MODE).any(|item| item.eq_ignore_ascii_case(mode));
        ask.expect(
            MODE,
            has("RBAC"),
            "--authorization-mode with RBAC (left out, everything is allowed)",
        );
        ask.expect(MODE, !has("AlwaysAllow"), "--authorization-mode without AlwaysAllow");
    });
    if let Some(counters) = at.counters() {
        let decided = |of_type: &str| counters.authorizers.contains(of_type);
        // One that allows everything decides whatever nobody before it did.
        if decided("AlwaysAllow") {
            judgement.fail(
                "metrics/authorizers",
                Some("AlwaysAllow".into()),
                "no decision of AlwaysAllow",
            );
        } else if decided("RBAC") {
            judgement.pass();
        }
    }
    let Some(document) = at.document(Kind::AuthorizationConfiguration) else {
        return;
    };
    let authorizers = document.items("authorizers");
    if authorizers.iter().any(|authorizer| authorizer["type"] == "RBAC") {
        judgement.pass();
    } else {
        judgement.fail("authorizers", None, "an authorizer of type RBAC");
    }
    for (index, authorizer) in authorizers.iter().enumerate() {
        let path = format!("authorizers.{index}.type");
        let of_type = authorizer["type"].as_str().map(str::to_owned);
        judgement.reject(&path, of_type, &"AlwaysAllow".to_owned(), "Node, RBAC or Webhook");
    }
}
