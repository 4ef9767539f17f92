//! What other projects ask of etcd, the scheduler and the controller manager.

use crate::questions::Ask::{self, Of};
use crate::questions::flags;

/// Which source, which check (a `*` at the end stands for any ending), what it asks.
pub(super) const CHECKS: &[(&str, &str, Ask)] = &[
    (
        "checkov",
        "CKV_K8S_99 *",
        Of(&[flags("ETCD-004", &["--etcd-certfile", "--etcd-keyfile"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-etcd-certfile-and-*",
        Of(&[flags("ETCD-004", &["--etcd-certfile", "--etcd-keyfile"])]),
    ),
    ("checkov", "CKV_K8S_102 *", Of(&[flags("ETCD-004", &["--etcd-cafile"])])),
    (
        "kubescape",
        "ensure-that-the-api-server-etcd-cafile-*",
        Of(&[flags("ETCD-004", &["--etcd-cafile"])]),
    ),
    (
        "kubescape",
        "etcd-unique-ca",
        Of(&[flags("ETCD-004", &["--trusted-ca-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_106 *",
        Of(&[flags("KCM-002", &["--terminated-pod-gc-threshold"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-controller-manager-terminated-pod-gc-*",
        Of(&[flags("KCM-002", &["--terminated-pod-gc-threshold"])]),
    ),
    ("checkov", "CKV_K8S_107 *", Of(&[flags("KCM-001", &["--profiling"])])),
    (
        "kubescape",
        "ensure-that-the-controller-manager-profiling-*",
        Of(&[flags("KCM-001", &["--profiling"])]),
    ),
    (
        "checkov",
        "CKV_K8S_108 *",
        Of(&[flags("KCM-002", &["--use-service-account-credentials"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-controller-manager-use-service-account-*",
        Of(&[flags("KCM-002", &["--use-service-account-credentials"])]),
    ),
    (
        "checkov",
        "CKV_K8S_110 *",
        Of(&[flags("KCM-002", &["--service-account-private-key-file"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-controller-manager-service-account-private-*",
        Of(&[flags("KCM-002", &["--service-account-private-key-file"])]),
    ),
    ("checkov", "CKV_K8S_111 *", Of(&[flags("KCM-002", &["--root-ca-file"])])),
    (
        "kubescape",
        "ensure-that-the-controller-manager-root-ca-file-*",
        Of(&[flags("KCM-002", &["--root-ca-file"])]),
    ),
    ("checkov", "CKV_K8S_113 *", Of(&[flags("KCM-001", &["--bind-address"])])),
    (
        "kubescape",
        "ensure-that-the-controller-manager-bind-address-*",
        Of(&[flags("KCM-001", &["--bind-address"])]),
    ),
    ("checkov", "CKV_K8S_114 *", Of(&[flags("SCHED-001", &["--profiling"])])),
    (
        "kubescape",
        "ensure-that-the-scheduler-profiling-*",
        Of(&[flags("SCHED-001", &["--profiling"])]),
    ),
    (
        "checkov",
        "CKV_K8S_115 *",
        Of(&[flags("SCHED-001", &["--bind-address"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-scheduler-bind-address-*",
        Of(&[flags("SCHED-001", &["--bind-address"])]),
    ),
    (
        "checkov",
        "CKV_K8S_116 *",
        Of(&[flags("ETCD-001", &["--cert-file", "--key-file"])]),
    ),
    (
        "kubescape",
        "etcd-tls-enabled",
        Of(&[flags("ETCD-001", &["--cert-file", "--key-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_117 *",
        Of(&[flags("ETCD-001", &["--client-cert-auth"])]),
    ),
    (
        "kubescape",
        "etcd-client-auth-cert",
        Of(&[flags("ETCD-001", &["--client-cert-auth"])]),
    ),
    ("checkov", "CKV_K8S_118 *", Of(&[flags("ETCD-003", &["--auto-tls"])])),
    (
        "kubescape",
        "etcd-auto-tls-disabled",
        Of(&[flags("ETCD-003", &["--auto-tls"])]),
    ),
    (
        "checkov",
        "CKV_K8S_119 *",
        Of(&[flags("ETCD-002", &["--peer-cert-file", "--peer-key-file"])]),
    ),
    (
        "kubescape",
        "etcd-peer-tls-enabled",
        Of(&[flags("ETCD-002", &["--peer-cert-file", "--peer-key-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_120 *",
        Of(&[flags("ETCD-003", &["--peer-auto-tls"])]),
    ),
    (
        "kubescape",
        "etcd-peer-auto-tls-disabled",
        Of(&[flags("ETCD-003", &["--peer-auto-tls"])]),
    ),
    (
        "checkov",
        "CKV_K8S_121 *",
        Of(&[flags("ETCD-002", &["--peer-client-cert-auth"])]),
    ),
    (
        "kubescape",
        "etcd-peer-client-auth-cert",
        Of(&[flags("ETCD-002", &["--peer-client-cert-auth"])]),
    ),
];
