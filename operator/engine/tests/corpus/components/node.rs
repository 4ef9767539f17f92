//! What other projects ask of kubelets and kube-proxy.

use crate::questions::Ask::{self, Another, Of};
use crate::questions::flags;

/// Which source, which check (a `*` at the end stands for any ending), what it asks.
pub(super) const CHECKS: &[(&str, &str, Ask)] = &[
    (
        "checkov",
        "CKV_K8S_112 *",
        Of(&[
            flags("KCM-002", &["--feature-gates"]),
            flags("KUBELET-005", &["--feature-gates"]),
        ]),
    ),
    (
        "kubescape",
        "ensure-that-the-controller-manager-RotateKubelet*",
        Of(&[
            flags("KCM-002", &["--feature-gates"]),
            flags("KUBELET-005", &["--feature-gates"]),
        ]),
    ),
    (
        "checkov",
        "CKV_K8S_138 *",
        Of(&[flags("KUBELET-001", &["--anonymous-auth"])]),
    ),
    (
        "checkov",
        "CKV_K8S_139 *",
        Of(&[flags("KUBELET-002", &["--authorization-mode"])]),
    ),
    (
        "checkov",
        "CKV_K8S_140 *",
        Of(&[flags("KUBELET-001", &["--client-ca-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_141 *",
        Of(&[flags("KUBELET-003", &["--read-only-port"])]),
    ),
    (
        "checkov",
        "CKV_K8S_143 *",
        Another("a setting that has no effect any more"),
    ),
    (
        "checkov",
        "CKV_K8S_142 *",
        Of(&[flags("KUBELET-009", &["--protect-kernel-defaults"])]),
    ),
    (
        "checkov",
        "CKV_K8S_144 *",
        Of(&[flags("KUBELET-009", &["--protect-kernel-defaults"])]),
    ),
    (
        "checkov",
        "CKV_K8S_145 *",
        Of(&[flags("KUBELET-009", &["--make-iptables-util-chains"])]),
    ),
    (
        "checkov",
        "CKV_K8S_146 *",
        Of(&[flags("KUBELET-009", &["--hostname-override"])]),
    ),
    (
        "checkov",
        "CKV_K8S_147 *",
        Another("how many events a second are kept, which protects nothing"),
    ),
    (
        "checkov",
        "CKV_K8S_148 *",
        Of(&[flags("KUBELET-004", &["--tls-cert-file", "--tls-private-key-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_149 *",
        Of(&[flags("KUBELET-005", &["--rotate-certificates"])]),
    ),
    (
        "checkov",
        "CKV_K8S_151 *",
        Of(&[flags("KUBELET-004", &["--tls-cipher-suites"])]),
    ),
];
