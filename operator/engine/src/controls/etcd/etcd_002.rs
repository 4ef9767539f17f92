//! ETCD-002 etcd lets members in without a certificate

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("ETCD-002"),
    title: "etcd lets members in without a certificate",
    severity: Severity::High,
    component: Component::Etcd,
    frameworks: &[
        nsa(&["N-15", "N-18"]),
        cis(&["2.4", "2.5"]),
        kubescape(&["C-0156", "C-0157"]),
        trivy(&["KCV-0045", "KCV-0046"]),
    ],
    docs: Docs {
        why: "Who may be a member is sent every write and may vote. Between members go all Secrets of the cluster.",
        reads: "Arguments, and variables `ETCD_…`, of containers that run `etcd`: `--peer-cert-file`, `--peer-key-file`, `--peer-client-cert-auth`.",
        allowed: "Certificate and key given, `--peer-client-cert-auth=true`. Unknown where `--config-file` names a file.",
        repair: etcd_flag!(),
        breaks: "Members without a certificate of the CA of peers.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 2.4, 2.5",
            "etcd documentation, Transport security model",
        ],
    },
    check: Check::Component(&[Component::Etcd], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Etcd, judgement, |ask| {
        ask.is_given("peer-cert-file", "<certificate>");
        ask.is_given("peer-key-file", "<key>");
        ask.switch("peer-client-cert-auth", true, false);
    });
}
