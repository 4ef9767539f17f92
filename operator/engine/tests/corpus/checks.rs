//! Checks that ask about less, more or something else than their topic says.

use super::questions::Ask::{self, Another, Of, OneOf, Together};
use super::questions::{lists, lists_others, part, rules, text, whole};

const HOST_PID: Ask = Of(&[part("POD-002", |e| e.pointer.ends_with("/hostPID"))]);
const HOST_IPC: Ask = Of(&[part("POD-002", |e| e.pointer.ends_with("/hostIPC"))]);
const HOST_PID_OR_IPC: Ask = Of(&[whole("POD-002")]);
const HOST_NETWORK: Ask = Of(&[whole("POD-003")]);
const NON_ROOT_FLAG: Ask = Of(&[part("POD-007", |e| e.pointer.ends_with("/runAsNonRoot"))]);
const NON_ROOT_USER: Ask = Of(&[part("POD-007", |e| e.pointer.ends_with("/runAsUser"))]);
const CAPABILITIES_STRICT: Ask = Of(&[whole("POD-011")]);
const SECCOMP_STATED: Ask = Of(&[part("POD-013", |e| e.observed.is_some())]);
const NET_RAW_KEPT: Ask = Of(&[part("POD-011", |e| {
    e.pointer.ends_with("/drop") && !lists(e, &["NET_RAW", "CAP_NET_RAW", "ALL", "all", "net_raw"])
})]);
const HARDENED: Ask = Together(&[whole("POD-013"), whole("POD-011")]);
const INGRESS_HOST: Ask = Of(&[part("NET-012", |e| e.pointer.ends_with("/host"))]);
const UNSELECTED: Ask = Of(&[part("NET-004", |e| e.pointer.ends_with("/metadata/labels"))]);
const HIGH_IDS: Ask = Another("whether ids are above 10000, which says nothing about rights");
const WRITTEN: Ask = Another("whether any security context is written, whatever it says");
const WINDOWS_STATED: Ask = Another("whether a Windows option is written, whatever it says");
const ONE_SITE: Ask = Another("the rule of one site");

/// Which source, which check (a `*` at the end stands for any ending), what it asks.
pub(crate) const CHECKS: &[(&str, &str, Ask)] = &[
    ("kubesec", "dep-podseccon-run-as-non-root", Of(&[whole("POD-007")])),
    ("kubesec", "dep-seccon-run-as-non-root", Of(&[whole("POD-007")])),
    // Pod Security Standards, check by check.
    ("kubernetes-psa", "capabilities_restricted", CAPABILITIES_STRICT),
    (
        "kubernetes-psa",
        "procmount_restricted",
        Of(&[whole("POD-016").with(&[("inUserNamespace", "Refuse")])]),
    ),
    ("kubernetes-psa", "runasuser", NON_ROOT_USER),
    ("kubernetes-psa", "seccompprofile_baseline", SECCOMP_STATED),
    (
        "kyverno-policies",
        "disallow-capabilities-strict",
        OneOf(&[
            part("POD-011", |e| e.pointer.ends_with("/drop")),
            part("POD-011", |e| e.pointer.ends_with("/add")),
        ]),
    ),
    ("kyverno-policies", "require-run-as-nonroot", NON_ROOT_FLAG),
    ("kyverno-policies", "require-run-as-non-root-user", NON_ROOT_USER),
    (
        "kyverno-policies",
        "require-non-root-groups",
        OneOf(&[
            part("POD-008", |e| e.pointer.ends_with("/runAsGroup")),
            part("POD-008", |e| e.pointer.contains("/supplementalGroups")),
            part("POD-008", |e| e.pointer.ends_with("/fsGroup")),
        ]),
    ),
    ("kyverno-policies", "restrict-seccomp", SECCOMP_STATED),
    // Namespaces of the node, one by one.
    ("kubescape", "host-pid-privileges", HOST_PID),
    ("kubescape", "host-ipc-privileges", HOST_IPC),
    ("kubescape", "host-pid-ipc-privileges", HOST_PID_OR_IPC),
    ("kubescape", "host-network-access", HOST_NETWORK),
    ("gatekeeper", "pod-security-policy/host-namespaces", HOST_PID_OR_IPC),
    ("trivy-checks", "KSV-0008*", HOST_IPC),
    ("trivy-checks", "KSV-0009*", HOST_NETWORK),
    ("trivy-checks", "KSV-0010*", HOST_PID),
    ("checkov", "CKV_K8S_17 *", HOST_PID),
    ("checkov", "CKV_K8S_18 *", HOST_IPC),
    ("checkov", "CKV_K8S_19 *", HOST_NETWORK),
    ("datree", "CONTAINERS_INCORRECT_HOSTIPC_VALUE_TRUE", HOST_IPC),
    ("datree", "CONTAINERS_INCORRECT_HOSTNETWORK_VALUE_TRUE", HOST_NETWORK),
    ("datree", "CONTAINERS_INCORRECT_HOSTPID_VALUE_TRUE", HOST_PID),
    ("polaris", "hostPIDSet", HOST_PID),
    ("polaris", "hostIPCSet", HOST_IPC),
    ("polaris", "hostNetworkSet", HOST_NETWORK),
    ("kubesec", "daemonset-host-network", HOST_NETWORK),
    ("kubesec", "daemonset-host-pid", HOST_PID),
    (
        "kubesec",
        "pod-hostUsers-set-to-false",
        Another("whether the pod has users of its own"),
    ),
    // Labels of Pod Security Admission.
    (
        "kubescape",
        "pod-security-admission-baseline-applied-*",
        Of(&[whole("NS-001").with(&[
            ("enforce", "Baseline"),
            ("audit", "Privileged"),
            ("warn", "Privileged"),
            ("version", "v1.0"),
        ])]),
    ),
    (
        "kubescape",
        "pod-security-admission-restricted-applied-*",
        Of(&[whole("NS-001").with(&[
            ("enforce", "Restricted"),
            ("audit", "Privileged"),
            ("warn", "Privileged"),
            ("version", "v1.0"),
        ])]),
    ),
    // Capabilities and other fields in part.
    (
        "checkov",
        "CKV_K8S_25 *",
        Of(&[whole("POD-010"), part("POD-011", |e| e.pointer.ends_with("/add"))]),
    ),
    (
        "checkov",
        "CKV_K8S_39 *",
        Of(&[part("POD-010", |e| lists(e, &["SYS_ADMIN", "CAP_SYS_ADMIN", "ALL"]))]),
    ),
    (
        "kyverno-policies",
        "block-ephemeral-containers",
        Of(&[part("POD-019", |e| {
            e.pointer.contains("/ephemeralContainers/") && e.pointer.ends_with("/name")
        })]),
    ),
    (
        "gatekeeper",
        "general/disallowinteractive",
        Of(&[part("POD-019", |e| {
            e.pointer.ends_with("/tty") || e.pointer.ends_with("/stdin")
        })]),
    ),
    (
        "kubescape",
        "sudo-in-container-entrypoint",
        Of(&[part("POD-019", |e| {
            e.pointer.ends_with("/command") || e.pointer.ends_with("/args")
        })]),
    ),
    ("kubescape", "rule-can-ssh-to-pod-v1", Of(&[whole("POD-019")])),
    // Services and Ingresses.
    (
        "kyverno-policies",
        "restrict-service-external-ips",
        Of(&[whole("NET-006")]),
    ),
    ("gatekeeper", "general/externalip", Of(&[whole("NET-006")])),
    ("kubescape", "exposed-sensitive-interfaces*", Of(&[whole("NET-009")])),
    (
        "kyverno-policies",
        "disallow-localhost-services",
        Of(&[part("NET-006", |e| e.pointer.ends_with("/externalName"))]),
    ),
    (
        "datree",
        "SERVICE_INCORRECT_TYPE_VALUE_NODEPORT",
        Of(&[part("NET-007", |e| text(e) == "NodePort")]),
    ),
    (
        "kyverno-policies",
        "restrict-node-port",
        Of(&[part("NET-007", |e| text(e) == "NodePort")]),
    ),
    (
        "kube-score",
        "Service Type",
        Of(&[part("NET-007", |e| text(e) == "NodePort")]),
    ),
    (
        "gatekeeper",
        "general/block-loadbalancer-services",
        Of(&[part("NET-007", |e| text(e) == "LoadBalancer")]),
    ),
    (
        "kyverno-policies",
        "restrict-loadbalancer",
        Of(&[part("NET-007", |e| text(e) == "LoadBalancer")]),
    ),
    // Roles.
    (
        "kubescape",
        "workload-with-*",
        Of(&[part("SA-003", |e| e.pointer.ends_with("/serviceAccountName"))]),
    ),
    (
        "kubescape",
        "system-authenticated-allowed-to-take-over-cluster",
        Of(&[whole("RBAC-004")]),
    ),
    (
        "datree",
        "CONTAINERS_INCORRECT_RESOURCES_VERBS_VALUE",
        Of(&[whole("RBAC-007")]),
    ),
    ("datree", "CIS_INVALID_VALUE_SYSTEM_MASTERS", Of(&[whole("RBAC-014")])),
    ("kubescape", "rule-can-create-pv", Of(&[whole("RBAC-012")])),
    (
        "kubescape",
        "rule-can-access-proxy-subresource",
        Of(&[whole("RBAC-009")]),
    ),
    (
        "kyverno-policies",
        "restrict-clusterrole-nodesproxy",
        Of(&[whole("RBAC-009")]),
    ),
    ("checkov", "CKV2_K8S_2 *", Of(&[whole("RBAC-007"), whole("RBAC-009")])),
    (
        "kyverno-policies",
        "restrict-wildcard-resources",
        Of(&[part("RBAC-002", |e| e.pointer.ends_with("/resources"))]),
    ),
    (
        "kyverno-policies",
        "restrict-wildcard-verbs",
        Of(&[part("RBAC-002", |e| e.pointer.ends_with("/verbs"))]),
    ),
    (
        "checkov",
        "CKV_K8S_157 *",
        Of(&[part("RBAC-008", |e| rules(e, "bind", "rolebindings"))]),
    ),
    (
        "checkov",
        "CKV_K8S_158 *",
        Of(&[part("RBAC-008", |e| rules(e, "escalate", "roles"))]),
    ),
    ("checkov", "CKV2_K8S_4 *", Of(&[whole("RBAC-013")])),
    ("checkov", "CKV_K8S_42 *", Of(&[whole("SA-003")])),
    (
        "gatekeeper",
        "general/block-endpoint-edit-default-role",
        Of(&[whole("RBAC-013")]),
    ),
    (
        "gatekeeper",
        "general/disallowanonymous",
        Of(&[whole("RBAC-003"), whole("RBAC-004")]),
    ),
    (
        "kubescape",
        "ensure-default-service-accounts-has-only-default-roles",
        Of(&[whole("SA-003")]),
    ),
    ("kubescape", "rule-can-delete-k8s-events*", Of(&[whole("RBAC-013")])),
    ("kubescape", "rule-can-update-configmap*", Of(&[whole("RBAC-013")])),
    ("kubescape", "rule-excessive-delete-rights*", Of(&[whole("RBAC-013")])),
    (
        "kubescape",
        "rule-access-dashboard*",
        Another("who is bound to the role of one dashboard"),
    ),
    (
        "kyverno-policies",
        "restrict-binding-system-groups",
        Of(&[whole("RBAC-003"), whole("RBAC-004"), whole("RBAC-014")]),
    ),
    // Resources.
    (
        "kubescape",
        "resource-policies",
        Of(&[
            part("RES-001", |e| e.pointer.contains("/limits/")),
            part("RES-002", |e| e.pointer.contains("/limits/")),
        ]),
    ),
    (
        "kyverno-policies",
        "require-pod-requests-limits",
        Of(&[whole("RES-001"), part("RES-002", |e| e.pointer.contains("/requests/"))]),
    ),
    ("kyverno-policies", "require-qos-*", ONE_SITE),
    ("kyverno-policies", "forbid-cpu-limits", ONE_SITE),
    ("datree", "EKS_INVALID_CPU_LIMIT", ONE_SITE),
    (
        "kubescape",
        "rule-credentials-in-env-var",
        Of(&[whole("SEC-001"), part("SEC-004", |e| e.pointer.contains("/envFrom/"))]),
    ),
    ("detect-secrets", "*", Another("a text file, not a manifest")),
    ("trivy-secret", "*", Another("a text file, not a manifest")),
    // Service accounts.
    (
        "kubescape",
        "automount-default-service-account",
        Of(&[part("SA-002", |e| e.expected.contains("shares"))]),
    ),
    (
        "datree",
        "CIS_INVALID_VALUE_AUTOMOUNTSERVICEACCOUNTTOKEN",
        Of(&[part("SA-002", |e| e.expected.contains("shares"))]),
    ),
    (
        "kyverno-policies",
        "restrict-sa-automount-sa-token",
        Of(&[whole("SA-002")]),
    ),
    (
        "kubescape",
        "deprecated-service-account-field",
        Of(&[part("SA-002", |e| e.pointer.ends_with("/serviceAccount"))]),
    ),
    (
        "kyverno-policies",
        "check-serviceaccount-secrets",
        Of(&[whole("SA-004")]),
    ),
    (
        "kyverno-policies",
        "deny-secret-service-account-token-type",
        Of(&[whole("SA-004")]),
    ),
    ("kubesec", "*serviceaccount", Of(&[whole("SA-002")])),
    // Fields that are written or not.
    ("checkov", "CKV_K8S_29 *", WRITTEN),
    ("checkov", "CKV_K8S_30 *", WRITTEN),
    ("kubescape", "set-seLinuxOptions", WRITTEN),
    ("kubescape", "set-fsgroup*", WRITTEN),
    ("kubescape", "set-gmsacredentialspecname-value", WINDOWS_STATED),
    ("kubescape", "set-runasusername-value", WINDOWS_STATED),
    ("datree", "CIS_MISSING_KEY_SECURITYCONTEXT", WRITTEN),
    ("kubescape", "linux-hardening", HARDENED),
    ("polaris", "linuxHardening", HARDENED),
    (
        "polaris",
        "webhook-default-danger-checks",
        Of(&[
            whole("POD-001"),
            whole("POD-002"),
            whole("POD-003"),
            whole("POD-009"),
            whole("POD-010"),
        ]),
    ),
    (
        "kyverno-policies",
        "add-psa-namespace-reporting",
        Of(&[whole("NS-004")]),
    ),
    (
        "kyverno-policies",
        "deny-privileged-profile",
        Of(&[part("NS-001", |e| text(e) == "privileged")]),
    ),
    ("kubescape", "pod-security-admission-applied-*", Of(&[whole("NS-004")])),
    ("trivy-checks", "KSV-0037*", Of(&[whole("NS-003")])),
    (
        "checkov",
        "CKV_K8S_152 *",
        Of(&[part("NET-011", |e| text(e).contains("lua"))]),
    ),
    (
        "checkov",
        "CKV_K8S_154 *",
        Of(&[part("NET-011", |e| text(e).contains("alias"))]),
    ),
    (
        "datree",
        "INGRESS_INCORRECT_HOST_VALUE_PERMISSIVE",
        Of(&[part("NET-012", |e| text(e) == "*" || text(e).is_empty())]),
    ),
    (
        "kyverno-policies",
        "restrict-ingress-defaultbackend",
        Of(&[part("NET-012", |e| e.pointer.ends_with("/defaultBackend"))]),
    ),
    (
        "kubescape",
        "dangling-ingress-backend",
        Of(&[part("NET-012", |e| e.pointer.contains("/backend"))]),
    ),
    (
        "kube-score",
        "Ingress targets Service",
        Of(&[part("NET-012", |e| e.pointer.contains("/backend"))]),
    ),
    ("gatekeeper", "general/block-wildcard-ingress", INGRESS_HOST),
    ("kyverno-policies", "restrict-ingress-wildcard", INGRESS_HOST),
    // Network policies.
    (
        "kyverno-policies",
        "restrict-networkpolicy-empty-podselector",
        Of(&[part("NET-004", |e| e.observed.is_none())]),
    ),
    (
        "kubescape",
        "dangling-networkpolicy",
        Of(&[part("NET-004", |e| {
            e.pointer == "/spec/podSelector" && e.observed.is_some()
        })]),
    ),
    (
        "kube-score",
        "NetworkPolicy targets Pod",
        Of(&[part("NET-004", |e| {
            e.pointer == "/spec/podSelector" && e.observed.is_some()
        })]),
    ),
    ("checkov", "CKV2_K8S_6 *", UNSELECTED),
    ("kube-score", "Pod NetworkPolicy", UNSELECTED),
    ("polaris", "missingNetworkPolicy", UNSELECTED),
    ("kubescape", "ensure_network_policy_configured_in_labels", UNSELECTED),
    (
        "kubescape",
        "ingress-and-egress-blocked",
        Of(&[whole("NET-002"), whole("NET-003")]),
    ),
    ("kubescape", "internal-networking", Of(&[whole("NET-002")])),
    (
        "network-config-analyzer",
        "networkpolicy-is-valid",
        Of(&[part("NET-004", |e| e.observed.is_none())]),
    ),
    ("checkov", "CKV_K8S_28 *", NET_RAW_KEPT),
    ("datree", "CIS_MISSING_VALUE_DROP_NET_RAW", NET_RAW_KEPT),
    ("kyverno-policies", "require-drop-cap-net-raw", NET_RAW_KEPT),
    ("kubescape", "drop-capability-netraw", NET_RAW_KEPT),
    (
        "kyverno-policies",
        "restrict-adding-capabilities",
        // It also lets CAP_CHOWN be added.
        Of(&[part("POD-011", |e| {
            e.pointer.ends_with("/add") && lists_others(e, &["NET_BIND_SERVICE", "CAP_CHOWN"])
        })]),
    ),
    (
        "polaris",
        "insecureCapabilities",
        Of(&[whole("POD-010"), part("POD-011", |e| e.pointer.ends_with("/drop"))]),
    ),
    (
        "kubescape",
        "rule-privileged-container",
        Of(&[
            part("POD-001", |e| e.pointer.ends_with("/privileged")),
            part("POD-010", |e| lists(e, &["SYS_ADMIN"])),
        ]),
    ),
    (
        "kyverno-policies",
        "ensure-readonly-hostpath",
        Of(&[part("POD-005", |e| e.pointer.ends_with("/readOnly"))]),
    ),
    (
        "kubescape",
        "alert-rw-hostpath",
        Of(&[part("POD-005", |e| e.pointer.ends_with("/readOnly"))]),
    ),
    (
        "kyverno-policies",
        "imagepullpolicy-always",
        Together(&[
            part("IMG-001", |e| e.pointer.ends_with("/image")),
            part("IMG-001", |e| e.pointer.ends_with("/imagePullPolicy")),
        ]),
    ),
    (
        "kubescape",
        "resources-cpu-limit-and-request",
        Of(&[whole("RES-002").with(&[("requests", "Stated")])]),
    ),
    (
        "kubescape",
        "resources-memory-limit-and-request",
        Of(&[whole("RES-001").with(&[("requests", "Stated")])]),
    ),
    (
        "kube-score",
        "Container Resources",
        Of(&[
            whole("RES-001").with(&[("requests", "Stated")]),
            whole("RES-002").with(&[("requests", "Stated")]),
        ]),
    ),
    (
        "kube-score",
        "Container Ephemeral Storage*",
        Of(&[whole("RES-005").with(&[("requests", "Stated")])]),
    ),
    (
        "kyverno-policies",
        "ingress-host-match-tls",
        Of(&[part("NET-008", |e| e.pointer.contains("/tls/"))]),
    ),
    (
        "kubescape",
        "non-existent-service-account",
        Of(&[part("SA-002", |e| e.expected.contains("exists"))]),
    ),
    (
        "datree",
        "SRVACC_INCORRECT_AUTOMOUNTSERVICEACCOUNTTOKEN_VALUE",
        Of(&[part("SA-002", |e| e.pointer.ends_with("/automountServiceAccountToken"))]),
    ),
    ("datree", "CONTAINERS_INCORRECT_RUNASGROUP_VALUE_LOWGID", HIGH_IDS),
    ("datree", "CONTAINERS_INCORRECT_RUNASUSER_VALUE_LOWUID", HIGH_IDS),
    ("trivy-checks", "KSV-0020*", HIGH_IDS),
    ("trivy-checks", "KSV-0021*", HIGH_IDS),
    ("kubesec", "dep-podseccon-run-as-*", HIGH_IDS),
    ("kubesec", "dep-seccon-run-as-user-*", HIGH_IDS),
    ("kubesec", "dep-seccon-run-as-group-*", HIGH_IDS),
    ("checkov", "CKV_K8S_40 *", HIGH_IDS),
];
