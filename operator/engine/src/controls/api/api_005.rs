//! API-005 API server takes passwords or tokens from a file

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-005"),
    title: "API server takes passwords or tokens from a file",
    severity: Severity::High,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["A-01", "A-02"]),
        cis(&["1.2.2"]),
        kubescape(&["C-0114"]),
        trivy(&["KCV-0002"]),
        mitre(&["T1110", "T1078.003"]),
    ],
    docs: Docs {
        why: "Tokens in a file never end, are in clear text on the disk and in every backup, and cannot be taken back without a restart.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--token-auth-file` and the old `--basic-auth-file`.",
        allowed: "Neither flag. Use OpenID Connect, client certificates or an authenticating webhook.",
        repair: api_server_flag!(),
        breaks: "Whoever signs in with these tokens; give them another way first.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 1.2.2",
            "Kubernetes documentation, Authenticating, Static token file integration",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.is_absent("token-auth-file", "tokens in a file never end");
        ask.is_absent("basic-auth-file", "passwords in a file never end");
    });
}
