//! KUBELET-004 Kubelet serves with weak TLS or an own certificate

use crate::components::ComponentScope;
use crate::components::{boolean, has_good_suites, is_good_version, is_strong, tls};
use crate::controls::catalogue::{cis, kubescape, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("KUBELET-004"),
    title: "Kubelet serves with weak TLS or an own certificate",
    severity: Severity::Medium,
    component: Component::Kubelet,
    frameworks: &[
        nsa(&["N-18"]),
        cis(&["4.2.9", "4.2.12"]),
        kubescape(&["C-0181", "C-0184"]),
        trivy(&["KCV-0088", "KCV-0089", "KCV-0092"]),
    ],
    docs: Docs {
        why: "A certificate that the kubelet signed itself proves nothing: whoever takes its address gets the commands of the API server. Old ciphers let recorded traffic be read later.",
        reads: "`serverTLSBootstrap`, `tlsCertFile`, `tlsPrivateKeyFile`, `tlsMinVersion`, `tlsCipherSuites` of KubeletConfiguration, as a file or in a ConfigMap, which says what is meant and not what runs; `--rotate-server-certificates`, `--tls-cert-file`, `--tls-private-key-file`, `--tls-min-version`, `--tls-cipher-suites` of containers that run `kubelet`.",
        allowed: "A certificate that is asked for from the cluster's CA, or files with one; TLS 1.2 or newer (the default); a list of suites with forward secrecy, or TLS 1.3.",
        repair: kubelet_field!("With `serverTLSBootstrap` somebody must approve the requests for certificates."),
        breaks: "`kubectl logs` and `exec` until the requests are approved.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 4.2.9, 4.2.12",
            "Kubernetes reference, Kubelet Configuration (v1beta1)",
        ],
    },
    check: Check::Component(&[Component::Kubelet], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::Kubelet, judgement, |ask| {
        let bootstraps = ask.process().value("rotate-server-certificates").and_then(boolean) == Some(true);
        if !bootstraps {
            ask.is_given("tls-cert-file", "<certificate>");
            ask.is_given("tls-private-key-file", "<key>");
        }
        tls(ask);
    });
    at.fields(Kind::KubeletConfiguration, judgement, |fields| {
        let bootstraps = fields.truth("serverTLSBootstrap") == Some(true);
        if !bootstraps {
            fields.is_given("tlsCertFile", "a certificate, or serverTLSBootstrap: true");
            fields.is_given("tlsPrivateKeyFile", "its key, or serverTLSBootstrap: true");
        }
        let version = fields
            .text("tlsMinVersion")
            .filter(|text| !text.is_empty())
            .unwrap_or("VersionTLS12");
        fields.expect("tlsMinVersion", is_good_version(version), "VersionTLS12 or newer");
        let suites = fields.items("tlsCipherSuites");
        let strong = suites.iter().all(|suite| suite.as_str().is_some_and(is_strong));
        let good = has_good_suites(version) || (!suites.is_empty() && strong);
        fields.expect(
            "tlsCipherSuites",
            good,
            "suites with ECDHE and AES-GCM or ChaCha20 only",
        );
    });
}
