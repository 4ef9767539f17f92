//! PROXY-001 kube-proxy is reachable from other hosts, or serves debugging

use crate::components::ComponentScope;
use crate::components::is_loopback;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("PROXY-001"),
    title: "kube-proxy is reachable from other hosts, or serves debugging",
    severity: Severity::Medium,
    component: Component::KubeProxy,
    frameworks: &[
        nsa(&["N-11", "N-17"]),
        cis(&["4.3.1"]),
        kubescape(&["C-0291"]),
        mitre(&["T1613", "T1046"]),
    ],
    docs: Docs {
        why: "The metrics port of kube-proxy has no authentication. It tells how Services are reached and, with profiling, what is in the memory of a program that rules the node's network.",
        reads: "`metricsBindAddress`, `enableProfiling` of KubeProxyConfiguration, as a file or in a ConfigMap; `--metrics-bind-address`, `--profiling` of containers that run `kube-proxy`. Flags have no effect beside `--config`.",
        allowed: "A loopback address (the default) for metrics, and no profiling (the default).",
        repair: "None: change the ConfigMap `kube-proxy`, key `config.conf`, and restart the DaemonSet. `edit` it where kubeadm made it; RKE2 and k3s take `kube-proxy-arg`.",
        breaks: "Metrics that are scraped from another host, as kube-prometheus does.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 4.3.1",
            "Kubernetes reference, kube-proxy Configuration (v1alpha1)",
        ],
    },
    check: Check::Component(&[Component::KubeProxy], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeProxy, judgement, |ask| {
        if let Some(file) = ask.process().settings_file() {
            // In a cluster the file is the ConfigMap beside it.
            if !(at.is_cluster() && at.document(Kind::KubeProxyConfiguration).is_some()) {
                ask.unseen("every setting", file);
            }
            return;
        }
        let address = ask.process().value("metrics-bind-address").unwrap_or("127.0.0.1:10249");
        ask.expect(
            "metrics-bind-address",
            is_local(address),
            "--metrics-bind-address=127.0.0.1:10249",
        );
        ask.switch("profiling", false, false);
    });
    at.fields(Kind::KubeProxyConfiguration, judgement, |fields| {
        let address = fields
            .text("metricsBindAddress")
            .filter(|text| !text.is_empty())
            .unwrap_or("127.0.0.1:10249");
        fields.expect("metricsBindAddress", is_local(address), "127.0.0.1:10249");
        fields.switch("enableProfiling", false, false);
    });
}

/// Whether an address with or without a port is this host's only.
fn is_local(address: &str) -> bool {
    is_loopback(address) || address.rsplit_once(':').is_some_and(|(host, _)| is_loopback(host))
}
