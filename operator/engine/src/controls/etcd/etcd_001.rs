//! ETCD-001 etcd lets clients in without a certificate

use crate::components::ComponentScope;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("ETCD-001"),
    title: "etcd lets clients in without a certificate",
    severity: Severity::Critical,
    component: Component::Etcd,
    frameworks: &[
        nsa(&["N-15"]),
        cis(&["2.1", "2.2"]),
        kubescape(&["C-0153", "C-0154"]),
        trivy(&["KCV-0042", "KCV-0043"]),
        mitre(&["T1133", "T1552"]),
    ],
    docs: Docs {
        why: "etcd holds every object of the cluster, Secrets among them, and asks nobody's role. Who may connect owns the cluster.",
        reads: "Arguments, and variables `ETCD_…`, of containers that run `etcd`: `--cert-file`, `--key-file`, `--client-cert-auth`.",
        allowed: "Certificate and key given, `--client-cert-auth=true`. Unknown where `--config-file` names a file.",
        repair: etcd_flag!(),
        breaks: "Clients without a certificate of its CA: backups and monitoring, too.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 2.1, 2.2",
            "etcd documentation, Transport security model",
        ],
    },
    check: Check::Component(&[Component::Etcd], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Etcd, judgement, |ask| {
        ask.is_given("cert-file", "<certificate>");
        ask.is_given("key-file", "<key>");
        ask.switch("client-cert-auth", true, false);
    });
}
