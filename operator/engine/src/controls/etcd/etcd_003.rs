//! ETCD-003 etcd signs its own certificates

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("ETCD-003"),
    title: "etcd signs its own certificates",
    severity: Severity::Medium,
    component: Component::Etcd,
    frameworks: &[
        nsa(&["N-15"]),
        cis(&["2.3", "2.6"]),
        kubescape(&["C-0155", "C-0158"]),
        trivy(&["KCV-0044", "KCV-0047"]),
    ],
    docs: Docs {
        why: "A certificate that etcd made for itself proves nothing: anybody can make another.",
        reads: "Arguments, and variables `ETCD_…`, of containers that run `etcd`: `--auto-tls`, `--peer-auto-tls`.",
        allowed: "Neither is true. Unknown where `--config-file` names a file.",
        repair: etcd_flag!(),
        breaks: "Nothing, once ETCD-001 and ETCD-002 pass.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 2.3, 2.6",
            "etcd documentation, Transport security model",
        ],
    },
    check: Check::Component(&[Component::Etcd], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Etcd, judgement, |ask| {
        ask.switch("auto-tls", false, false);
        ask.switch("peer-auto-tls", false, false);
    });
}
