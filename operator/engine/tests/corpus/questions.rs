//! What a check of another project asks, in terms of our controls. Matched by what is asked, never by a file.
//!
//! The topic of a check decides, unless the check is named in [`CHECKS`]: because it asks about a part of a control, about several, or about something that no
//! control decides.

use ironside_engine::controls::Evidence;

use super::checks::CHECKS;
use super::components;

/// A control, or the part of it that a check asks about. A check fails where one of its aspects does.
pub(crate) struct Aspect {
    pub(crate) control: &'static str,
    counts: fn(&Evidence) -> bool,
    /// Only for cases of this level of the Pod Security Standards.
    level: Option<&'static str>,
    /// Only evidence that expects something of one of these flags; empty means any.
    flags: &'static [&'static str],
    /// Settings that make our control ask the same.
    pub(crate) parameters: &'static [(&'static str, &'static str)],
}

impl Aspect {
    pub(crate) fn applies_to(&self, level: Option<&str>) -> bool {
        self.level.is_none_or(|wanted| level == Some(wanted))
    }

    /// Whether evidence is what the check asks about.
    pub(crate) fn counts(&self, evidence: &Evidence) -> bool {
        // `--tls-cert-file` is not the beginning of another flag: what follows is a space or `=`.
        let is_about = |flag: &&str| {
            let rest = evidence.expected.strip_prefix(*flag);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '=']))
        };
        (self.counts)(evidence) && (self.flags.is_empty() || self.flags.iter().any(is_about))
    }

    pub(crate) const fn with(self, parameters: &'static [(&'static str, &'static str)]) -> Self {
        Self { parameters, ..self }
    }
}

/// What a check amounts to here.
#[derive(Clone, Copy)]
pub(crate) enum Ask {
    Of(&'static [Aspect]),
    /// It fails where a container fails all of these.
    Together(&'static [Aspect]),
    /// It has several rules, and a label may be that of one of them without saying which.
    OneOf(&'static [Aspect]),
    /// It asks something that no control decides: why.
    Another(&'static str),
}

/// What a check asks; `None` where nobody said.
pub(crate) fn ask(source: &str, check: &str, topic: &str) -> Option<Ask> {
    let named = |(of, name, _): &&(&str, &str, Ask)| {
        *of == source
            && match name.strip_suffix('*') {
                Some(beginning) => check.starts_with(beginning),
                None => *name == check,
            }
    };
    let of_topic = || {
        let (_, aspects) = TOPICS.iter().find(|(name, _)| *name == topic)?;
        Some(Ask::Of(aspects))
    };
    match CHECKS.iter().chain(components::checks()).find(named) {
        Some((_, _, ask)) => Some(*ask),
        None => of_topic(),
    }
}

pub(crate) const fn whole(control: &'static str) -> Aspect {
    part(control, |_| true)
}

pub(crate) const fn part(control: &'static str, counts: fn(&Evidence) -> bool) -> Aspect {
    Aspect {
        control,
        counts,
        level: None,
        flags: &[],
        parameters: &[],
    }
}

pub(crate) const fn flags(control: &'static str, flags: &'static [&'static str]) -> Aspect {
    Aspect {
        flags,
        ..whole(control)
    }
}

const fn restricted(control: &'static str) -> Aspect {
    Aspect {
        level: Some("restricted"),
        ..whole(control)
    }
}

pub(crate) fn text(evidence: &Evidence) -> &str {
    evidence
        .observed
        .as_ref()
        .and_then(serde_json::Value::as_str)
        .unwrap_or_default()
}

/// Whether a list that was found holds one of these.
pub(crate) fn lists(evidence: &Evidence, wanted: &[&str]) -> bool {
    let list = evidence.observed.as_ref().and_then(serde_json::Value::as_array);
    list.is_some_and(|list| {
        list.iter()
            .filter_map(serde_json::Value::as_str)
            .any(|entry| wanted.contains(&entry))
    })
}

/// Whether a list that was found holds something beside these.
pub(crate) fn lists_others(evidence: &Evidence, allowed: &[&str]) -> bool {
    let list = evidence.observed.as_ref().and_then(serde_json::Value::as_array);
    list.is_some_and(|list| {
        list.iter()
            .filter_map(serde_json::Value::as_str)
            .any(|entry| !allowed.contains(&entry))
    })
}

/// Whether a rule that was found (`VERBS of RESOURCES`) names a verb, on something whose name holds a word.
pub(crate) fn rules(evidence: &Evidence, verb: &str, on: &str) -> bool {
    let named = |list: &str, is: &dyn Fn(&str) -> bool| list.split(", ").any(|entry| entry == "*" || is(entry));
    text(evidence)
        .split_once(" of ")
        .is_some_and(|(verbs, of)| named(verbs, &|entry| entry == verb) && named(of, &|entry| entry.contains(on)))
}

/// The controls of this catalogue that are checks of the Pod Security Standards, by level.
pub(crate) const POD_SECURITY_STANDARDS: &[Aspect] = &[
    whole("POD-001"),
    whole("POD-002"),
    whole("POD-003"),
    whole("POD-004"),
    whole("POD-005"),
    whole("POD-010"),
    whole("POD-014"),
    whole("POD-015"),
    whole("POD-016"),
    part("POD-013", |e| e.observed.is_some()),
    restricted("POD-007"),
    restricted("POD-009"),
    restricted("POD-011"),
    restricted("POD-013"),
    restricted("POD-017"),
    restricted("POD-016").with(&[("inUserNamespace", "Refuse")]),
];

/// Peers do not count the limit that the API server takes for a request that nobody wrote.
const STATED: &[(&str, &str)] = &[("requests", "Stated")];

/// What the checks of a topic ask, unless they are named.
pub(crate) const TOPICS: &[(&str, &[Aspect])] = &[
    ("dangerous-component", &[whole("NET-009")]),
    ("ingress", &[whole("NET-012")]),
    ("ingress-nginx-cve", &[whole("NET-011")]),
    ("ingress-tls", &[whole("NET-008")]),
    ("service-exposure", &[whole("NET-007"), whole("NET-006")]),
    ("image-digest", &[whole("IMG-002")]),
    ("image-tag", &[part("IMG-001", |e| e.pointer.ends_with("/image"))]),
    (
        "pull-policy",
        &[part("IMG-001", |e| e.pointer.ends_with("/imagePullPolicy"))],
    ),
    ("registry", &[whole("IMG-003")]),
    ("default-namespace", &[whole("NS-002")]),
    ("psa-labels", &[whole("NS-001")]),
    ("network-policy", &[whole("NET-004")]),
    ("apparmor", &[whole("POD-014")]),
    ("capabilities", &[whole("POD-010")]),
    (
        "capabilities-drop",
        &[part("POD-011", |e| e.pointer.ends_with("/drop"))],
    ),
    ("host-namespaces", &[whole("POD-002"), whole("POD-003")]),
    ("host-path", &[whole("POD-005")]),
    ("host-ports", &[part("POD-004", |e| e.pointer.ends_with("/hostPort"))]),
    ("host-probes", &[part("POD-004", |e| e.pointer.ends_with("/host"))]),
    ("privilege-escalation", &[whole("POD-009")]),
    ("privileged", &[part("POD-001", |e| e.pointer.ends_with("/privileged"))]),
    ("proc-mount", &[part("POD-016", |e| e.pointer.ends_with("/procMount"))]),
    ("pss-profile", POD_SECURITY_STANDARDS),
    ("read-only-root-fs", &[whole("POD-012")]),
    ("run-as-non-root", &[whole("POD-007")]),
    ("runtime-class", &[whole("POD-018")]),
    ("runtime-socket", &[part("POD-006", |e| text(e).contains(".sock"))]),
    ("seccomp", &[whole("POD-013")]),
    (
        "security-context",
        &[whole("POD-007"), whole("POD-009"), whole("POD-011")],
    ),
    ("selinux", &[whole("POD-015")]),
    ("sysctls", &[part("POD-016", |e| e.pointer.contains("/sysctls/"))]),
    ("uid-gid", &[whole("POD-008")]),
    ("volumes", &[whole("POD-017"), whole("POD-005")]),
    ("windows", &[part("POD-001", |e| e.pointer.ends_with("/hostProcess"))]),
    ("admission-webhooks", &[whole("RBAC-010")]),
    ("approve-csr", &[whole("RBAC-011")]),
    ("cluster-admin", &[whole("RBAC-001")]),
    ("create-pods", &[whole("RBAC-006")]),
    ("escalate-bind-impersonate", &[whole("RBAC-008")]),
    ("pod-exec-proxy", &[whole("RBAC-007")]),
    ("read-secrets", &[whole("RBAC-005")]),
    ("token-or-risky-sa", &[whole("RBAC-011")]),
    ("wildcard-rules", &[whole("RBAC-002")]),
    ("cpu-limit", &[part("RES-002", |e| e.pointer.contains("/limits/"))]),
    (
        "cpu-request",
        &[part("RES-002", |e| e.pointer.contains("/requests/")).with(STATED)],
    ),
    ("ephemeral-storage", &[whole("RES-005")]),
    ("memory-limit", &[part("RES-001", |e| e.pointer.contains("/limits/"))]),
    (
        "memory-request",
        &[part("RES-001", |e| e.pointer.contains("/requests/")).with(STATED)],
    ),
    ("requests-limits", &[whole("RES-001"), whole("RES-002")]),
    (
        "hardcoded-secret",
        &[whole("SEC-001"), whole("SEC-002"), whole("SEC-003")],
    ),
    ("hardcoded-secret-env", &[whole("SEC-001")]),
    ("secret-as-env", &[whole("SEC-004")]),
    ("secret-in-configmap", &[whole("SEC-002")]),
    ("automount-token", &[whole("SA-001")]),
    ("service-account-use", &[whole("SA-002")]),
];
