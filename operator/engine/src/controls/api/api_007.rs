//! API-007 API server does not verify kubelets, or is unknown to them

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-007"),
    title: "API server does not verify kubelets, or is unknown to them",
    severity: Severity::High,
    component: Component::KubeApiserver,
    frameworks: &[
        nsa(&["N-18"]),
        cis(&["1.2.4", "1.2.5"]),
        kubescape(&["C-0116", "C-0117"]),
        trivy(&["KCV-0004", "KCV-0005", "KCV-0006"]),
    ],
    docs: Docs {
        why: "The API server connects to kubelets for logs, exec and port-forward. Without a CA to verify them it gives its commands to whoever answers at the node's address; without a client certificate kubelets must let it in as anybody.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--kubelet-client-certificate`, `--kubelet-client-key`, `--kubelet-certificate-authority` and the old `--kubelet-https`.",
        allowed: "All three given, and no `--kubelet-https=false`.",
        repair: api_server_flag!("Kubelets need serving certificates of that CA first (KUBELET-004)."),
        breaks: "`kubectl logs` and `exec`, where kubelets serve certificates that they signed themselves.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 1.2.4, 1.2.5",
            "Kubernetes documentation, Communication between Nodes and the Control Plane",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.is_given("kubelet-client-certificate", "<certificate>");
        ask.is_given("kubelet-client-key", "<key>");
        ask.is_given("kubelet-certificate-authority", "<CA of the kubelets>");
        ask.switch("kubelet-https", true, true);
    });
}
