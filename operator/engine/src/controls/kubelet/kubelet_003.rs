//! KUBELET-003 Kubelet serves its port without authentication

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-003"),
    title: "Kubelet serves its port without authentication",
    severity: Severity::High,
    component: Component::Kubelet,
    frameworks: &[
        nsa(&["N-11"]),
        cis(&["4.2.4"]),
        kubescape(&["C-0175"]),
        trivy(&["KCV-0082"]),
        mitre(&["T1613"]),
    ],
    docs: Docs {
        why: "The read-only port tells everybody every pod of the node, with its environment.",
        reads: "`readOnlyPort` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--read-only-port` of containers that run `kubelet`.",
        allowed: "0. Left out in the file it is 0; left out as a flag it is 10255.",
        repair: kubelet_field!(),
        breaks: "Monitoring that reads port 10255; port 10250 has the same with authentication.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 4.2.4",
            "Kubernetes reference, Kubelet Configuration (v1beta1)",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        let closed = ask.process().value("read-only-port") == Some("0");
        ask.expect("read-only-port", closed, "--read-only-port=0");
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        let port = fields.number("readOnlyPort").unwrap_or_default();
        fields.expect("readOnlyPort", port == 0, "0");
    });
}
