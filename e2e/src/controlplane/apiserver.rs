//! kube-apiserver: flags.

use super::layout::Layout;
use crate::node::{self, Place};

/// How the API server reaches kubelets: through the first real node's relay, which is a socket in the file system.
pub(super) fn egress(layout: &Layout) -> String {
    format!(
        "apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds: {{udsName: {}}}
",
        node::dial_socket(&layout.folder, Place::FIRST).display()
    )
}

pub(super) fn arguments(layout: &Layout, port: u16, etcd: &str) -> Vec<String> {
    let authority = layout.pki.authority();
    let (certificate, key) = layout.pki.serving();
    let (kubelet_certificate, kubelet_key) = layout.pki.kubelet_client();
    let (signing, verifying) = layout.pki.service_accounts();
    let mut flags = vec![
        format!("--etcd-servers={etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        // Bound to loopback it would keep trying to publish an endpoint that nothing can use.
        "--endpoint-reconciler-type=none".to_owned(),
        format!("--tls-cert-file={}", certificate.display()),
        format!("--tls-private-key-file={}", key.display()),
        format!("--client-ca-file={}", authority.display()),
        "--authorization-mode=Node,RBAC".to_owned(),
        // Off by default, and then every privileged workload is rejected: there would be nothing to harden.
        "--allow-privileged=true".to_owned(),
        "--service-cluster-ip-range=10.0.0.0/16".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local".to_owned(),
        format!("--service-account-key-file={}", verifying.display()),
        format!("--service-account-signing-key-file={}", signing.display()),
        // Controller manager and scheduler complain for ever without a front-proxy CA.
        format!("--requestheader-client-ca-file={}", authority.display()),
        "--requestheader-allowed-names=front-proxy".to_owned(),
        "--requestheader-username-headers=X-Remote-User".to_owned(),
        "--requestheader-group-headers=X-Remote-Group".to_owned(),
        "--requestheader-extra-headers-prefix=X-Remote-Extra-".to_owned(),
        format!("--kubelet-client-certificate={}", kubelet_certificate.display()),
        format!("--kubelet-client-key={}", kubelet_key.display()),
        "--kubelet-preferred-address-types=InternalIP".to_owned(),
        format!("--audit-policy-file={}", layout.audit_policy().display()),
        format!("--audit-log-path={}", layout.audit_log().display()),
        // Written before the answer is sent: what a client saw is in the log.
        "--audit-log-mode=blocking".to_owned(),
        // In megabytes. Beyond the default of 100 the log would be moved away, and requests with it.
        "--audit-log-maxsize=100000".to_owned(),
    ];
    if layout.options.real_nodes > 0 {
        flags.push(format!("--egress-selector-config-file={}", layout.egress().display()));
        flags.push(format!("--kubelet-certificate-authority={}", authority.display()));
    }
    if layout.options.node_restriction {
        flags.push("--enable-admission-plugins=NodeRestriction".to_owned());
    }
    flags.extend(layout.emulated_version_flag());
    flags.extend(layout.options.apiserver_flags.iter().cloned());
    flags
}
