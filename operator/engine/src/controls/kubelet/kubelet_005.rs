//! KUBELET-005 Kubelet keeps its certificates until they end

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-005"),
    title: "Kubelet keeps its certificates until they end",
    severity: Severity::Medium,
    component: Component::Kubelet,
    frameworks: &[
        nsa(&["N-18"]),
        cis(&["4.2.10", "4.2.11"]),
        kubescape(&["C-0182", "C-0183"]),
        trivy(&["KCV-0090", "KCV-0091"]),
    ],
    docs: Docs {
        why: "A certificate that is never replaced is a stolen one that works for a year, and a node that drops out when it ends.",
        reads: "`rotateCertificates`, `featureGates` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--rotate-certificates`, `--feature-gates` of containers that run `kubelet`.",
        allowed: "Rotation on (left out means off), and the gate RotateKubeletServerCertificate not switched off.",
        repair: kubelet_field!(),
        breaks: "Nothing where the controller manager signs, which is the default.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 4.2.10, 4.2.11",
            "Kubernetes reference, Kubelet Configuration (v1beta1)",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

const GATE: &str = "RotateKubeletServerCertificate";

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        ask.switch("rotate-certificates", true, false);
        let rotates = ask.process().gate(GATE) != Some(false);
        ask.expect(
            "feature-gates",
            rotates,
            "--feature-gates without RotateKubeletServerCertificate=false",
        );
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        fields.switch("rotateCertificates", true, false);
        fields.switch("featureGates.RotateKubeletServerCertificate", true, true);
    });
}
