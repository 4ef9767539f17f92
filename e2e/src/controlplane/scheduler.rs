//! kube-scheduler: flags.

use std::path::Path;

use super::layout::Layout;

pub(super) fn arguments(layout: &Layout, port: u16, kubeconfig: &Path) -> Vec<String> {
    let (certificate, key) = layout.pki.serving();
    let kubeconfig = kubeconfig.display();
    let mut flags = vec![
        format!("--kubeconfig={kubeconfig}"),
        format!("--authentication-kubeconfig={kubeconfig}"),
        format!("--authorization-kubeconfig={kubeconfig}"),
        "--leader-elect=false".to_owned(),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", certificate.display()),
        format!("--tls-private-key-file={}", key.display()),
        "--kube-api-qps=1000".to_owned(),
        "--kube-api-burst=2000".to_owned(),
    ];
    flags.extend(layout.emulated_version_flag());
    flags
}
