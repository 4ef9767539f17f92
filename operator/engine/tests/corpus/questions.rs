//! Which checks of other projects ask the same question as one of our controls, matched by what they ask, not by their published mappings.
//!
//! Left out on purpose: checks that ask for one capability (NET_RAW), for high user ids, for groups, or for a list of one site.

use ironside_engine::controls::Evidence;

/// A check of another project, and what it amounts to here.
pub(crate) struct Question {
    pub(crate) source: &'static str,
    /// Name of the check, or the beginning of it up to a `*`.
    pub(crate) check: &'static str,
    /// It fails where one of these fails.
    pub(crate) aspects: &'static [Aspect],
    /// Settings that make our control ask the same.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

/// A control, or the part of it that a check asks about.
pub(crate) struct Aspect {
    pub(crate) control: &'static str,
    pub(crate) counts: fn(&Evidence) -> bool,
    /// Only for cases of this level of the Pod Security Standards.
    level: Option<&'static str>,
}

impl Question {
    pub(crate) fn is_of(&self, source: &str, check: &str) -> bool {
        self.source == source
            && match self.check.strip_suffix('*') {
                Some(beginning) => check.starts_with(beginning),
                None => self.check == check,
            }
    }
}

impl Aspect {
    pub(crate) fn applies_to(&self, level: Option<&str>) -> bool {
        self.level.is_none_or(|wanted| level == Some(wanted))
    }
}

const fn whole(control: &'static str) -> Aspect {
    Aspect {
        control,
        counts: |_| true,
        level: None,
    }
}

const fn part(control: &'static str, counts: fn(&Evidence) -> bool) -> Aspect {
    Aspect {
        control,
        counts,
        level: None,
    }
}

const fn restricted(control: &'static str) -> Aspect {
    Aspect {
        control,
        counts: |_| true,
        level: Some("restricted"),
    }
}

const PRIVILEGED: &[Aspect] = &[part("POD-001", |e| e.pointer.ends_with("/privileged"))];
const HOST_PROCESS: &[Aspect] = &[part("POD-001", |e| e.pointer.ends_with("/hostProcess"))];
const HOST_PID: &[Aspect] = &[part("POD-002", |e| e.pointer.ends_with("/hostPID"))];
const HOST_IPC: &[Aspect] = &[part("POD-002", |e| e.pointer.ends_with("/hostIPC"))];
const HOST_PID_OR_IPC: &[Aspect] = &[whole("POD-002")];
const HOST_NETWORK: &[Aspect] = &[whole("POD-003")];
const HOST_NAMESPACES: &[Aspect] = &[whole("POD-002"), whole("POD-003")];
const HOST_PATH: &[Aspect] = &[whole("POD-005")];
const NON_ROOT: &[Aspect] = &[whole("POD-007")];
const NON_ROOT_FLAG: &[Aspect] = &[part("POD-007", |e| e.pointer.ends_with("/runAsNonRoot"))];
const NON_ROOT_USER: &[Aspect] = &[part("POD-007", |e| e.pointer.ends_with("/runAsUser"))];
const ESCALATION: &[Aspect] = &[whole("POD-009")];
const CAPABILITIES: &[Aspect] = &[whole("POD-010")];
const CAPABILITIES_STRICT: &[Aspect] = &[whole("POD-011")];
const DROP_ALL: &[Aspect] = &[part("POD-011", |e| e.pointer.ends_with("/drop"))];
const READ_ONLY_ROOT: &[Aspect] = &[whole("POD-012")];
const SECCOMP: &[Aspect] = &[whole("POD-013")];
const SECCOMP_STATED: &[Aspect] = &[part("POD-013", |e| e.observed.is_some())];
const TOKEN: &[Aspect] = &[whole("SA-001")];
/// The controls of this catalogue that are checks of the Pod Security Standards, by level.
const POD_SECURITY_STANDARDS: &[Aspect] = &[
    whole("POD-001"),
    whole("POD-002"),
    whole("POD-003"),
    whole("POD-005"),
    whole("POD-010"),
    part("POD-013", |e| e.observed.is_some()),
    restricted("POD-007"),
    restricted("POD-009"),
    restricted("POD-011"),
    restricted("POD-013"),
];

pub(crate) fn questions() -> Vec<Question> {
    let asked = |source, checks: &[(&'static str, &'static [Aspect])]| -> Vec<Question> {
        checks
            .iter()
            .map(|(check, aspects)| Question {
                source,
                check,
                aspects,
                parameters: &[],
            })
            .collect()
    };
    let mut all = asked("kubernetes-psa", KUBERNETES_PSA);
    all.extend(asked("kyverno-policies", KYVERNO));
    all.extend(asked("kubescape", KUBESCAPE));
    all.extend(asked("gatekeeper", GATEKEEPER));
    all.extend(asked("trivy-checks", TRIVY));
    all.extend(asked("checkov", CHECKOV));
    all.extend(asked("datree", DATREE));
    all.extend(asked("polaris", POLARIS));
    all.extend(asked("kubesec", KUBESEC));
    all.extend(
        BADPODS
            .iter()
            .flat_map(|check| asked("badpods", &[(check, POD_SECURITY_STANDARDS)])),
    );
    all.extend(POD_SECURITY_LABELS);
    all
}

const KUBERNETES_PSA: &[(&str, &[Aspect])] = &[
    ("allowprivilegeescalation", ESCALATION),
    ("base", POD_SECURITY_STANDARDS),
    ("capabilities_baseline", CAPABILITIES),
    ("capabilities_restricted", CAPABILITIES_STRICT),
    ("hostnamespaces", HOST_NAMESPACES),
    ("hostpathvolumes", HOST_PATH),
    ("privileged", PRIVILEGED),
    ("runasnonroot", NON_ROOT),
    ("runasuser", NON_ROOT_USER),
    ("seccompprofile_baseline", SECCOMP_STATED),
    ("seccompprofile_restricted", SECCOMP),
    ("windowshostprocess", HOST_PROCESS),
];

const KYVERNO: &[(&str, &[Aspect])] = &[
    ("disallow-capabilities", CAPABILITIES),
    ("disallow-capabilities-strict", CAPABILITIES_STRICT),
    ("require-drop-all", DROP_ALL),
    ("disallow-host-namespaces", HOST_NAMESPACES),
    ("disallow-host-path", HOST_PATH),
    ("disallow-privilege-escalation", ESCALATION),
    ("disallow-privileged-containers", PRIVILEGED),
    ("disallow-host-process", HOST_PROCESS),
    ("require-ro-rootfs", READ_ONLY_ROOT),
    ("require-run-as-nonroot", NON_ROOT_FLAG),
    ("require-run-as-non-root-user", NON_ROOT_USER),
    ("restrict-seccomp", SECCOMP_STATED),
    ("restrict-seccomp-strict", SECCOMP),
    ("restrict-automount-sa-token", TOKEN),
    ("restricted-latest", POD_SECURITY_STANDARDS),
];

const KUBESCAPE: &[(&str, &[Aspect])] = &[
    ("rule-privileged-container", PRIVILEGED),
    ("host-pid-privileges", HOST_PID),
    ("host-ipc-privileges", HOST_IPC),
    ("host-pid-ipc-privileges", HOST_PID_OR_IPC),
    ("host-network-access", HOST_NETWORK),
    ("alert-any-hostpath", HOST_PATH),
    ("insecure-capabilities", CAPABILITIES),
    ("immutable-container-filesystem", READ_ONLY_ROOT),
    ("rule-allow-privilege-escalation", ESCALATION),
    ("non-root-containers", NON_ROOT),
    ("set-seccomp-profile", SECCOMP),
    ("set-hostprocess-true", HOST_PROCESS),
    ("automount-service-account", TOKEN),
    ("serviceaccount-token-mount", TOKEN),
];

const GATEKEEPER: &[(&str, &[Aspect])] = &[
    ("pod-security-policy/allow-privilege-escalation", ESCALATION),
    ("pod-security-policy/privileged-containers", PRIVILEGED),
    ("pod-security-policy/host-namespaces", HOST_PID_OR_IPC),
    ("pod-security-policy/host-process", HOST_PROCESS),
    ("pod-security-policy/read-only-root-filesystem", READ_ONLY_ROOT),
    ("general/automount-serviceaccount-token", TOKEN),
];

const TRIVY: &[(&str, &[Aspect])] = &[
    ("KSV-0001*", ESCALATION),
    ("KSV-0003*", DROP_ALL),
    ("KSV-0009*", HOST_NETWORK),
    ("KSV-0010*", HOST_PID),
    ("KSV-0012*", NON_ROOT),
    ("KSV-0014*", READ_ONLY_ROOT),
    ("KSV-0017*", PRIVILEGED),
    ("KSV-0022*", CAPABILITIES),
    ("KSV-0023*", HOST_PATH),
    ("KSV-0030*", SECCOMP),
    ("KSV-0036*", TOKEN),
];

const CHECKOV: &[(&str, &[Aspect])] = &[
    ("CKV_K8S_16 *", PRIVILEGED),
    ("CKV_K8S_17 *", HOST_PID),
    ("CKV_K8S_18 *", HOST_IPC),
    ("CKV_K8S_19 *", HOST_NETWORK),
    ("CKV_K8S_20 *", ESCALATION),
    ("CKV_K8S_22 *", READ_ONLY_ROOT),
    ("CKV_K8S_23 *", NON_ROOT),
    ("CKV_K8S_31 *", SECCOMP),
    ("CKV_K8S_37 *", DROP_ALL),
    ("CKV_K8S_39 *", CAPABILITIES),
];

const DATREE: &[(&str, &[Aspect])] = &[
    ("CONTAINERS_INCORRECT_HOSTIPC_VALUE_TRUE", HOST_IPC),
    ("CONTAINERS_INCORRECT_HOSTNETWORK_VALUE_TRUE", HOST_NETWORK),
    ("CONTAINERS_INCORRECT_HOSTPID_VALUE_TRUE", HOST_PID),
    ("CONTAINERS_INCORRECT_KEY_HOSTPATH", HOST_PATH),
    ("CONTAINERS_INCORRECT_PRIVILEGED_VALUE_TRUE", PRIVILEGED),
    ("CONTAINERS_INCORRECT_READONLYROOTFILESYSTEM_VALUE", READ_ONLY_ROOT),
    ("CONTAINERS_INCORRECT_RUNASNONROOT_VALUE", NON_ROOT),
    ("CONTAINERS_INCORRECT_SECCOMP_PROFILE", SECCOMP),
    ("CONTAINERS_MISSING_KEY_ALLOWPRIVILEGEESCALATION", ESCALATION),
    ("EKS_INVALID_HOSTPROCESS_VALUE", HOST_PROCESS),
    ("SRVACC_INCORRECT_AUTOMOUNTSERVICEACCOUNTTOKEN_VALUE", TOKEN),
];

const POLARIS: &[(&str, &[Aspect])] = &[
    ("dangerousCapabilities", CAPABILITIES),
    ("hostPIDSet", HOST_PID),
    ("hostPathSet", HOST_PATH),
    ("hostProcess", HOST_PROCESS),
    ("notReadOnlyRootFilesystem", READ_ONLY_ROOT),
    ("privilegeEscalationAllowed", ESCALATION),
    ("runAsPrivileged", PRIVILEGED),
    ("automountServiceAccountToken", TOKEN),
];

const KUBESEC: &[(&str, &[Aspect])] = &[
    ("allowPrivilegeEscalation", ESCALATION),
    ("cap-drop-all", DROP_ALL),
    ("cap-sys-admin", CAPABILITIES),
    ("daemonset-host-network", HOST_NETWORK),
    ("daemonset-host-pid", HOST_PID),
    ("daemonset-securitycontext-privileged", PRIVILEGED),
    ("dep-podseccon-run-as-non-root", NON_ROOT),
    ("dep-seccon-run-as-non-root", NON_ROOT),
    ("dep-ro-root-fs", READ_ONLY_ROOT),
    ("dep-seccomp-*", SECCOMP),
    ("pod-automount-sa-set-to-false", TOKEN),
];

const BADPODS: &[&str] = &[
    "everything-allowed",
    "hostipc",
    "hostnetwork",
    "hostpath",
    "hostpid",
    "nothing-allowed",
    "priv",
    "priv-and-hostpid",
];

const ONLY_ENFORCE_BASELINE: &[(&str, &str)] = &[
    ("enforce", "Baseline"),
    ("audit", "Privileged"),
    ("warn", "Privileged"),
    ("version", "v1.0"),
];
const ONLY_ENFORCE_RESTRICTED: &[(&str, &str)] = &[
    ("enforce", "Restricted"),
    ("audit", "Privileged"),
    ("warn", "Privileged"),
    ("version", "v1.0"),
];

const POD_SECURITY_LABELS: [Question; 2] = [
    Question {
        source: "kubescape",
        check: "pod-security-admission-baseline-applied-1",
        aspects: &[whole("NS-001")],
        parameters: ONLY_ENFORCE_BASELINE,
    },
    Question {
        source: "kubescape",
        check: "pod-security-admission-restricted-applied-1",
        aspects: &[whole("NS-001")],
        parameters: ONLY_ENFORCE_RESTRICTED,
    },
];
