//! KCM-001 Controller manager is reachable from other hosts, or serves debugging

use crate::components::ComponentScope;
use crate::components::bound_to_loopback;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KCM-001"),
    title: "Controller manager is reachable from other hosts, or serves debugging",
    severity: Severity::Medium,
    component: Component::KubeControllerManager,
    frameworks: &[
        nsa(&["N-11"]),
        cis(&["1.3.2", "1.3.7"]),
        kubescape(&["C-0145", "C-0150"]),
        trivy(&["KCV-0034", "KCV-0039"]),
        mitre(&["T1613"]),
    ],
    docs: Docs {
        why: "The controller manager signs tokens and certificates. Its port tells about the cluster and, with profiling, what is in its memory. Nobody but its own node needs it.",
        reads: "Arguments of containers that run `kube-controller-manager`: `--bind-address`, `--profiling`, the old `--port` and `--address`.",
        allowed: "A loopback address (left out means all), `--profiling=false` (left out means true), no insecure port.",
        repair: controller_manager_flag!(),
        breaks: "Metrics that are scraped from another host.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 1.3.2, 1.3.7",
            "Kubernetes reference, kube-controller-manager",
        ],
    },
    check: Check::Component(&[Component::KubeControllerManager], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeControllerManager, judgement, |ask| {
        bound_to_loopback(ask);
        ask.switch("profiling", false, true);
    });
}
