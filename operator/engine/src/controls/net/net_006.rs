//! NET-006 Service that takes addresses of others

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-006"),
    title: "Service that takes addresses of others",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["N-11"]),
        cis(&["1.2.3"]),
        kubescape(&["C-0283", "C-0115"]),
        trivy(&["KSV-0108", "KCV-0003"]),
        mitre(&["T1557"]),
    ],
    docs: Docs {
        why: "Whoever may create Services can set `externalIPs` to any address and gets the cluster's traffic to it (CVE-2020-8554). An alias of `localhost` makes an ingress controller serve its own administration.",
        reads: "`spec.externalIPs`, `spec.type` and `spec.externalName` of Services.",
        allowed: "No `externalIPs` (deprecated since Kubernetes 1.36), no alias of the local host.",
        repair: "None: clients use the address.",
        breaks: "Clients that reach the Service by that address.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 1.2.3",
            "Kubernetes security advisory CVE-2020-8554",
        ],
    },
    check: Check::Object(&[Kind::Service], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(service) = at.service() else { return };
    let spec = &service.spec;
    if spec.external_ips.is_empty() {
        judgement.pass();
    } else {
        judgement.fail("spec.externalIPs", Some(json!(spec.external_ips)), "absent");
    }
    let alias = spec
        .external_name
        .as_deref()
        .filter(|_| spec.kind.as_deref() == Some("ExternalName"));
    match alias.map(|name| name.trim_end_matches('.').to_ascii_lowercase()) {
        Some(name) if is_local(&name) => {
            judgement.fail(
                "spec.externalName",
                Some(json!(spec.external_name)),
                "a name outside the cluster",
            );
        }
        _ => judgement.pass(),
    }
}

/// Whether a name leads back to whoever asks, which may be an ingress controller or the node.
fn is_local(name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name == "0.0.0.0"
        || name == "::1"
        || name.starts_with("127.")
}
