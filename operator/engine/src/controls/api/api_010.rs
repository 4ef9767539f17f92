//! API-010 API server listens on a port without authentication

use crate::components::ComponentScope;
use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-010"),
    title: "API server listens on a port without authentication",
    severity: Severity::High,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["N-11", "N-12"]),
        kubescape(&["C-0005", "C-0128"]),
        trivy(&["KCV-0017"]),
        mitre(&["T1133", "T1190"]),
    ],
    docs: Docs {
        why: "On the insecure port of old versions everybody is cluster-admin. A secure port of 0 leaves no other.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--secure-port`, `--insecure-port`, `--insecure-bind-address`.",
        allowed: "A secure port that is not 0, wherever it is given; no insecure port but 0, no insecure address. Kubernetes 1.24 and newer have no insecure port and refuse the flags.",
        repair: api_server_flag!(),
        breaks: "Programs on the control plane node that use port 8080; give them a kubeconfig.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes reference, kube-apiserver",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        // Given twice, the last one counts; but what contradicts itself is one edit away from the other.
        let secure = ask.process().given("secure-port").all(|flag| flag.value != "0");
        ask.expect("secure-port", secure, "--secure-port=6443, given once");
        let insecure = ask.process().value("insecure-port").is_none_or(|port| port == "0");
        ask.expect("insecure-port", insecure, "--insecure-port left out");
        ask.is_absent("insecure-bind-address", "there is no port to bind");
    });
}
