//! NET-008 Plaintext entry

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-008"),
    title: "Plaintext entry",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-06", "N-18", "L-11"]),
        kubescape(&["C-0263"]),
        mitre(&["T1040"]),
    ],
    docs: Docs {
        why: "Without TLS whoever is on the way reads and changes what is sent: passwords, sessions, downloads.",
        reads: "`spec.tls` and the hosts of `spec.rules` of Ingresses. Gateways and service meshes are not read.",
        allowed: "A `tls` entry for each host of a rule; an entry without hosts counts for all.",
        repair: "None: it needs a certificate.",
        breaks: "Clients that speak plain HTTP and follow no redirect.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Ingress, TLS",
        ],
    },
    check: Check::Object(&[Kind::Ingress], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(ingress) = at.ingress() else { return };
    let spec = &ingress.spec;
    if spec.tls.is_empty() {
        return judgement.fail("spec.tls", None, "a certificate for each host");
    }
    let covered: Vec<&str> = spec.tls.iter().flat_map(|tls| &tls.hosts).map(String::as_str).collect();
    for (index, rule) in spec.rules.iter().enumerate() {
        let host = rule.host.as_deref().unwrap_or_default();
        // An entry without hosts is for all of them.
        if covered.is_empty() || host.is_empty() || covered.iter().any(|name| matches(name, host)) {
            judgement.pass();
        } else {
            let pointer = format!("/spec/tls/{index}");
            judgement.fail_at(&pointer, Some(json!(host)), "a host that is listed in tls");
        }
    }
    if spec.rules.is_empty() {
        judgement.pass();
    }
}

/// Whether a certificate for a name, or for everything below one, is good for a host.
fn matches(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => name == host || host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}
