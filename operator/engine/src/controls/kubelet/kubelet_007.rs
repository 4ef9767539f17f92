//! KUBELET-007 Containers without a seccomp profile are unconfined

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-007"),
    title: "Containers without a seccomp profile are unconfined",
    severity: Severity::Medium,
    component: Component::Kubelet,
    frameworks: &[nsa(&["P-18"]), cis(&["4.2.14"]), mitre(&["T1068", "T1611"])],
    docs: Docs {
        why: "A container that names no profile may make every system call, also those through which kernels were broken out of before.",
        reads: "`seccompDefault` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--seccomp-default` of containers that run `kubelet`.",
        allowed: "true (left out means false): what names no profile gets the runtime's default.",
        repair: kubelet_field!(),
        breaks: "Containers that need system calls outside the default profile; POD-013 lists those that name none.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "CIS Kubernetes Benchmark 1.12, 4.2.14",
            "Kubernetes documentation, Restrict a Container's Syscalls with seccomp",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        ask.switch("seccomp-default", true, false);
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        fields.switch("seccompDefault", true, false);
    });
}
