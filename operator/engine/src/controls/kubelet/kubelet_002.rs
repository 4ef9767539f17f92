//! KUBELET-002 Kubelet allows its clients everything

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-002"),
    title: "Kubelet allows its clients everything",
    severity: Severity::Critical,
    component: Component::Kubelet,
    frameworks: &[
        nsa(&["A-04"]),
        cis(&["4.2.2"]),
        kubescape(&["C-0173"]),
        trivy(&["KCV-0080"]),
        mitre(&["T1609"]),
    ],
    docs: Docs {
        why: "With AlwaysAllow whoever signs in, every pod with a token among them, may run programs in every container of the node.",
        reads: "`authorization.mode` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--authorization-mode` of containers that run `kubelet`.",
        allowed: "Webhook: the kubelet asks the API server. Left out in the file it is so; left out as a flag it is AlwaysAllow.",
        repair: kubelet_field!(),
        breaks: "Clients without a role for `nodes/…`.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Authentication and authorization",
            "CIS Kubernetes Benchmark 1.12, 4.2.2",
            "Kubernetes reference, Kubelet Configuration (v1beta1)",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        // A kubelet refuses to start with anything but these two.
        let mode = ask.process().value("authorization-mode");
        let asks = mode.is_some_and(|mode| !mode.contains("AlwaysAllow"));
        ask.expect("authorization-mode", asks, "--authorization-mode=Webhook");
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        let mode = fields.text("authorization.mode").unwrap_or("Webhook");
        fields.expect("authorization.mode", mode == "Webhook", "Webhook");
    });
}
