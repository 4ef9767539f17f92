//! NS-001 Pod Security Admission missing or below target

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, NamespaceScope, Need, Parameter, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NS-001"),
    title: "Pod Security Admission missing or below target",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-08", "P-22"]),
        cis(&["5.2.1"]),
        kubescape(&["C-0192"]),
        mitre(&["T1610", "T1611"]),
    ],
    docs: Docs {
        why: "Without an enforced level whoever may create pods in a namespace may create privileged ones, and so owns the nodes. Audit and warn look at workload templates too, before the pods are refused.",
        reads: "Labels `pod-security.kubernetes.io/enforce`, `audit`, `warn` and their `-version` on the Namespace.",
        allowed: "Each mode at its target level or stricter, at the target version or newer; an absent version means the newest, an absent `warn` follows `enforce`. Labels that are not written count as missing: defaults in the API server's own configuration cannot be seen. Not applicable to namespaces that are going away.",
        repair: "None yet: enforcing a level makes later pod creations fail, so it takes a soak of its own.",
        breaks: "Nothing that runs; pods that are below the level are refused when they are created next.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Pod security enforcement",
            "Kubernetes documentation, Pod Security Admission",
            "CIS Kubernetes Benchmark 1.12, 5.2.1",
        ],
    },
    parameters: &[
        Parameter {
            name: "enforce",
            help: "Level that is enforced at least: Privileged, Baseline or Restricted.",
            default: &["Baseline"],
            accepts: accepts_level,
        },
        Parameter {
            name: "audit",
            help: "Level that is audited at least.",
            default: &["Restricted"],
            accepts: accepts_level,
        },
        Parameter {
            name: "warn",
            help: "Level that is warned about at least.",
            default: &["Restricted"],
            accepts: accepts_level,
        },
        Parameter {
            name: "version",
            help: "Oldest version of the standards that a label may be pinned to: v1.34, or latest.",
            default: &[LAST_TIGHTENED],
            accepts: accepts_version,
        },
    ],
    needs: &[Need { kind: Kind::Namespace }],
    check: Check::Namespace(check),
    ..Control::WORKLOAD
};

/// The last version of the standards that forbade something more (`host` in probes and lifecycle handlers); later ones only allow more.
const LAST_TIGHTENED: &str = "v1.34";

const PREFIX: &str = "pod-security.kubernetes.io";

/// A level of the Pod Security Standards; the order is that of strictness.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Privileged,
    Baseline,
    Restricted,
}

impl Level {
    /// As a label has it.
    fn of_label(text: &str) -> Option<Self> {
        match text {
            "privileged" => Some(Self::Privileged),
            "baseline" => Some(Self::Baseline),
            "restricted" => Some(Self::Restricted),
            _ => None,
        }
    }

    /// As a policy has it.
    fn of_parameter(text: &str) -> Option<Self> {
        match text {
            "Privileged" => Some(Self::Privileged),
            "Baseline" => Some(Self::Baseline),
            "Restricted" => Some(Self::Restricted),
            _ => None,
        }
    }
}

/// A version of the standards by its minor number; `latest` is newer than all.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32);

impl Version {
    const LATEST: Self = Self(u32::MAX);

    fn parse(text: &str) -> Option<Self> {
        if text == "latest" {
            return Some(Self::LATEST);
        }
        let minor = text.strip_prefix("v1.")?;
        let canonical = minor == "0" || !minor.starts_with(['0', '+']);
        minor.parse().ok().filter(|_| canonical).map(Self)
    }
}

fn check(at: &NamespaceScope<'_>, judgement: &mut Judgement) {
    if at.namespace.is_terminating() {
        return judgement.not_applicable("the namespace is going away");
    }
    let oldest = target(at, "version", LAST_TIGHTENED, Version::parse).map(|version| known_to_server(version, at));
    for (mode, default) in [("enforce", "Baseline"), ("audit", "Restricted"), ("warn", "Restricted")] {
        check_mode(at, mode, default, oldest, judgement);
    }
}

fn check_mode(at: &NamespaceScope<'_>, mode: &str, default: &str, oldest: Option<Version>, judgement: &mut Judgement) {
    let Some(wanted) = target(at, mode, default, Level::of_parameter) else {
        return;
    };
    if wanted == Level::Privileged {
        return judgement.pass();
    }
    let labels = &at.namespace.metadata.labels;
    // Without a label of its own, warn takes level and version of enforce (Pod Security Admission, PolicyToEvaluate).
    let follows = mode == "warn" && !labels.contains_key(&format!("{PREFIX}/warn"));
    let source = if follows { "enforce" } else { mode };
    let level = labels.get(&format!("{PREFIX}/{source}"));
    if level.and_then(Level::of_label).is_none_or(|level| level < wanted) {
        let own = level.filter(|_| !follows).map(|level| json!(level));
        let wanted = if wanted == Level::Restricted {
            "restricted"
        } else {
            "baseline or restricted"
        };
        return judgement.fail_at(&format!("/metadata/labels/{PREFIX}~1{mode}"), own, wanted);
    }
    let own_version = labels.get(&format!("{PREFIX}/{mode}-version"));
    let version = own_version.or_else(|| labels.get(&format!("{PREFIX}/{source}-version")));
    // A version that cannot be parsed is enforced as the newest.
    let pinned = version.map_or(Version::LATEST, |version| {
        Version::parse(version).unwrap_or(Version::LATEST)
    });
    match oldest {
        Some(oldest) if known_to_server(pinned, at) < oldest => {
            let expected = if oldest == Version::LATEST {
                "latest".to_owned()
            } else {
                format!("v1.{} or newer", oldest.0)
            };
            judgement.fail_at(
                &format!("/metadata/labels/{PREFIX}~1{mode}-version"),
                own_version.map(|version| json!(version)),
                &expected,
            );
        }
        _ => judgement.pass(),
    }
}

/// The strictest of the values that the policies give: each of them must hold.
fn target<T: Ord>(at: &NamespaceScope<'_>, name: &str, default: &str, parse: fn(&str) -> Option<T>) -> Option<T> {
    let values = at
        .parameters
        .values(name, std::slice::from_ref(&default))
        .into_iter()
        .filter_map(parse)
        .max();
    values.or_else(|| parse(default))
}

/// The server knows no standards newer than itself: what is newer means the same as its own version.
fn known_to_server(version: Version, at: &NamespaceScope<'_>) -> Version {
    match at.world.minor {
        0 => version,
        minor if version.0 >= minor => Version::LATEST,
        _ => version,
    }
}

fn accepts_level(value: &str) -> Result<(), String> {
    match Level::of_parameter(value) {
        Some(_) => Ok(()),
        None => Err(format!(
            "`{value}` is not a level; write Privileged, Baseline or Restricted"
        )),
    }
}

fn accepts_version(value: &str) -> Result<(), String> {
    match Version::parse(value) {
        Some(_) => Ok(()),
        None => Err(format!("`{value}` is not a version; write latest or one such as v1.34")),
    }
}
