//! KUBELET-001 Kubelet serves clients that it does not know

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-001"),
    title: "Kubelet serves clients that it does not know",
    severity: Severity::Critical,
    component: Component::Kubelet,
    frameworks: &[
        nsa(&["A-03", "N-17"]),
        cis(&["4.2.1", "4.2.3"]),
        kubescape(&["C-0069", "C-0070", "C-0172", "C-0174"]),
        trivy(&["KCV-0079", "KCV-0081"]),
        mitre(&["T1133", "T1609"]),
    ],
    docs: Docs {
        why: "The kubelet starts programs in every container of its node. A kubelet that lets anonymous clients in, or cannot tell its clients, does so for everybody who reaches port 10250.",
        reads: "`authentication` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--anonymous-auth`, `--client-ca-file`, `--authentication-token-webhook` of containers that run `kubelet`.",
        allowed: "Anonymous requests off, a CA for client certificates given, tokens checked with the API server. Left out in the file, the first and the last are so; left out as flags, they are not.",
        repair: kubelet_field!(),
        breaks: "Monitoring that reads kubelets without credentials.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 4.2.1, 4.2.3",
            "Kubernetes reference, Kubelet Configuration (v1beta1)",
            "Kubernetes documentation, Kubelet authentication/authorization",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        ask.switch("anonymous-auth", false, true);
        ask.is_given("client-ca-file", "<CA of client certificates>");
        ask.switch("authentication-token-webhook", true, false);
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        fields.switch("authentication.anonymous.enabled", false, false);
        fields.is_given("authentication.x509.clientCAFile", "the CA of client certificates");
        fields.switch("authentication.webhook.enabled", true, true);
    });
}
