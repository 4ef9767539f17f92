//! What other projects ask of the API server, its audit log, its encryption of Secrets, and whom it lets in unnamed.

use crate::questions::Ask::{self, Another, Of};
use crate::questions::{flags, whole};

const GONE: Ask = Another("a plugin that Kubernetes removed");

/// Which source, which check (a `*` at the end stands for any ending), what it asks.
pub(super) const CHECKS: &[(&str, &str, Ask)] = &[
    (
        "checkov",
        "CKV_K8S_68 *",
        Of(&[flags("API-001", &["--anonymous-auth"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-anonymous-auth-*",
        Of(&[flags("API-001", &["--anonymous-auth"])]),
    ),
    (
        "checkov",
        "CKV_K8S_69 *",
        Of(&[flags("API-005", &["--basic-auth-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_70 *",
        Of(&[flags("API-005", &["--token-auth-file"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-token-auth-file-*",
        Of(&[flags("API-005", &["--token-auth-file"])]),
    ),
    ("checkov", "CKV_K8S_71 *", Of(&[flags("API-007", &["--kubelet-https"])])),
    (
        "kubescape",
        "ensure-that-the-api-server-kubelet-https-*",
        Of(&[flags("API-007", &["--kubelet-https"])]),
    ),
    (
        "checkov",
        "CKV_K8S_72 *",
        Of(&[flags(
            "API-007",
            &["--kubelet-client-certificate", "--kubelet-client-key"],
        )]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-kubelet-client-certificate-and-*",
        Of(&[flags(
            "API-007",
            &["--kubelet-client-certificate", "--kubelet-client-key"],
        )]),
    ),
    (
        "checkov",
        "CKV_K8S_73 *",
        Of(&[flags("API-007", &["--kubelet-certificate-authority"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-kubelet-certificate-authority-*",
        Of(&[flags("API-007", &["--kubelet-certificate-authority"])]),
    ),
    (
        "checkov",
        "CKV_K8S_74 *",
        Of(&[flags("API-002", &["--authorization-mode without AlwaysAllow"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-authorization-mode-argument-is-not-*",
        Of(&[flags("API-002", &["--authorization-mode without AlwaysAllow"])]),
    ),
    (
        "checkov",
        "CKV_K8S_75 *",
        Of(&[flags("API-003", &["--authorization-mode"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-authorization-mode-argument-includes-Node",
        Of(&[flags("API-003", &["--authorization-mode"])]),
    ),
    (
        "checkov",
        "CKV_K8S_77 *",
        Of(&[flags("API-002", &["--authorization-mode with RBAC"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-authorization-mode-argument-includes-RBAC",
        Of(&[flags("API-002", &["--authorization-mode with RBAC"])]),
    ),
    (
        "kubescape",
        "rbac-enabled-native",
        Of(&[flags("API-002", &["--authorization-mode with RBAC"])]),
    ),
    (
        "checkov",
        "CKV_K8S_78 *",
        Of(&[flags("API-004", &["--enable-admission-plugins with"]).with(&[("wanted", "EventRateLimit")])]),
    ),
    (
        "kubescape",
        "ensure-that-the-admission-control-plugin-EventRateLimit-*",
        Of(&[flags("API-004", &["--enable-admission-plugins with"]).with(&[("wanted", "EventRateLimit")])]),
    ),
    (
        "checkov",
        "CKV_K8S_79 *",
        Of(&[flags("API-004", &["--enable-admission-plugins without AlwaysAdmit"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-admission-control-plugin-AlwaysAdmit-*",
        Of(&[flags("API-004", &["--enable-admission-plugins without AlwaysAdmit"])]),
    ),
    (
        "checkov",
        "CKV_K8S_80 *",
        Of(&[flags("API-004", &["--enable-admission-plugins with"]).with(&[("wanted", "AlwaysPullImages")])]),
    ),
    (
        "kubescape",
        "ensure-that-the-admission-control-plugin-AlwaysPullImages-*",
        Of(&[flags("API-004", &["--enable-admission-plugins with"]).with(&[("wanted", "AlwaysPullImages")])]),
    ),
    ("checkov", "CKV_K8S_81 *", GONE),
    (
        "kubescape",
        "ensure-that-the-admission-control-plugin-SecurityContextDeny-*",
        GONE,
    ),
    ("checkov", "CKV_K8S_84 *", GONE),
    ("kubescape", "psp-enabled-native", GONE),
    (
        "checkov",
        "CKV_K8S_82 *",
        Of(&[flags(
            "API-004",
            &["--disable-admission-plugins without ServiceAccount"],
        )]),
    ),
    (
        "kubescape",
        "ensure-that-the-admission-control-plugin-ServiceAccount-*",
        Of(&[flags(
            "API-004",
            &["--disable-admission-plugins without ServiceAccount"],
        )]),
    ),
    (
        "checkov",
        "CKV_K8S_83 *",
        Of(&[flags(
            "API-004",
            &["--disable-admission-plugins without NamespaceLifecycle"],
        )]),
    ),
    (
        "kubescape",
        "ensure-that-the-admission-control-plugin-NamespaceLifecycle-*",
        Of(&[flags(
            "API-004",
            &["--disable-admission-plugins without NamespaceLifecycle"],
        )]),
    ),
    (
        "checkov",
        "CKV_K8S_85 *",
        Of(&[flags("API-003", &["--enable-admission-plugins"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-admission-control-plugin-NodeRestriction-*",
        Of(&[flags("API-003", &["--enable-admission-plugins"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-DenyServiceExternalIPs-is-set",
        Of(&[flags("API-004", &["--enable-admission-plugins with"]).with(&[("wanted", "DenyServiceExternalIPs")])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-DenyServiceExternalIPs-is-not-set",
        Another("the opposite of what the CIS benchmark asks"),
    ),
    (
        "checkov",
        "CKV_K8S_86 *",
        Of(&[flags("API-010", &["--insecure-bind-address"])]),
    ),
    ("checkov", "CKV_K8S_88 *", Of(&[flags("API-010", &["--insecure-port"])])),
    (
        "kubescape",
        "insecure-port-flag",
        Of(&[flags("API-010", &["--insecure-port"])]),
    ),
    ("checkov", "CKV_K8S_89 *", Of(&[flags("API-010", &["--secure-port"])])),
    (
        "kubescape",
        "ensure-that-the-api-server-secure-port-*",
        Of(&[flags("API-010", &["--secure-port"])]),
    ),
    ("checkov", "CKV_K8S_90 *", Of(&[flags("API-008", &["--profiling"])])),
    (
        "kubescape",
        "ensure-that-the-api-server-profiling-*",
        Of(&[flags("API-008", &["--profiling"])]),
    ),
    (
        "checkov",
        "CKV_K8S_95 *",
        Of(&[flags("API-008", &["--request-timeout"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-request-timeout-*",
        Of(&[flags("API-008", &["--request-timeout"])]),
    ),
    (
        "checkov",
        "CKV_K8S_91 *",
        Of(&[flags("AUD-001", &["--audit-log-path"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-audit-log-path-*",
        Of(&[flags("AUD-001", &["--audit-log-path"])]),
    ),
    (
        "checkov",
        "CKV_K8S_92 *",
        Of(&[flags("AUD-001", &["--audit-log-maxage"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-audit-log-maxage-*",
        Of(&[flags("AUD-001", &["--audit-log-maxage"])]),
    ),
    (
        "checkov",
        "CKV_K8S_93 *",
        Of(&[flags("AUD-001", &["--audit-log-maxbackup"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-audit-log-maxbackup-*",
        Of(&[flags("AUD-001", &["--audit-log-maxbackup"])]),
    ),
    (
        "checkov",
        "CKV_K8S_94 *",
        Of(&[flags("AUD-001", &["--audit-log-maxsize"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-audit-log-maxsize-*",
        Of(&[flags("AUD-001", &["--audit-log-maxsize"])]),
    ),
    (
        "kubescape",
        "k8s-audit-logs-enabled-native*",
        Of(&[flags("AUD-001", &["--audit-policy-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_96 *",
        Of(&[flags("API-009", &["--service-account-lookup"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-service-account-lookup-*",
        Of(&[flags("API-009", &["--service-account-lookup"])]),
    ),
    (
        "checkov",
        "CKV_K8S_97 *",
        Of(&[flags("API-009", &["--service-account-key-file"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-service-account-key-file-*",
        Of(&[flags("API-009", &["--service-account-key-file"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-service-account-extend-token-*",
        Of(&[flags("API-009", &["--service-account-extend-token-expiration"])]),
    ),
    (
        "checkov",
        "CKV_K8S_100 *",
        Of(&[flags("API-006", &["--tls-cert-file", "--tls-private-key-file"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-tls-cert-file-and-*",
        Of(&[flags("API-006", &["--tls-cert-file", "--tls-private-key-file"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-client-ca-file-*",
        Of(&[flags("API-006", &["--client-ca-file"])]),
    ),
    (
        "checkov",
        "CKV_K8S_105 *",
        Of(&[flags("API-006", &["--tls-cipher-suites"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-API-Server-only-makes-use-of-*",
        Of(&[flags("API-006", &["--tls-cipher-suites"])]),
    ),
    (
        "checkov",
        "CKV_K8S_104 *",
        Of(&[flags("SEC-005", &["--encryption-provider-config"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-encryption-provider-config-*",
        Of(&[flags("SEC-005", &["--encryption-provider-config"])]),
    ),
    (
        "kubescape",
        "ensure-that-the-api-server-encryption-providers-*",
        Of(&[flags("SEC-005", &["--encryption-provider-config"])]),
    ),
    (
        "kubescape",
        "etcd-encryption-native",
        Of(&[flags("SEC-005", &["--encryption-provider-config"])]),
    ),
    ("kubescape", "anonymous-access-enabled", Of(&[whole("RBAC-003")])),
];
