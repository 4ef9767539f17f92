//! API-006 API server is served with weak TLS or an own certificate

use crate::components::ComponentScope;
use crate::components::tls;
use crate::controls::catalogue::{cis, kubescape, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-006"),
    title: "API server is served with weak TLS or an own certificate",
    severity: Severity::Medium,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["N-18"]),
        cis(&["1.2.24", "1.2.25", "1.2.29"]),
        kubescape(&["C-0138", "C-0139", "C-0277"]),
        trivy(&["KCV-0027", "KCV-0028"]),
    ],
    docs: Docs {
        why: "Without a certificate that clients can verify, anybody on the way can be the API server. Old protocols and ciphers let recorded traffic, tokens and Secrets in it, be read later. Without a CA for clients nobody signs in by certificate.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--tls-cert-file`, `--tls-private-key-file`, `--client-ca-file`, `--tls-min-version`, `--tls-cipher-suites`.",
        allowed: "All files given; TLS 1.2 or newer (the default); a list of suites with forward secrecy and without RC4, 3DES and CBC with SHA-256, or TLS 1.3, whose suites are all good.",
        repair: api_server_flag!(),
        breaks: "Clients that speak old TLS only.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 1.2.24, 1.2.25, 1.2.29",
            "Kubernetes reference, kube-apiserver",
            "RFC 9325, Recommendations for Secure Use of TLS and DTLS",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.is_given("tls-cert-file", "<certificate>");
        ask.is_given("tls-private-key-file", "<key>");
        ask.is_given("client-ca-file", "<CA of client certificates>");
        tls(ask);
    });
}
