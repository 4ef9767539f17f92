//! API-011 Webhooks and aggregated APIs that weaken the API server

use serde_json::json;

use crate::components::{ComponentScope, is_loopback, place};
use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Need, Severity, Threat};
use crate::model::extension::Hook;
use crate::model::{Kind, ObjectRef};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-011"),
    title: "Webhooks and aggregated APIs that weaken the API server",
    severity: Severity::Medium,
    component: Component::KubeApiserver,
    threats: &[Threat::SupplyChain, Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["P-07", "L-17"]),
        kubescape(&["C-0036", "C-0039"]),
        mitre(&["T1552.007"]),
    ],
    docs: Docs {
        why: "The API server sends admission webhooks the objects that people create, and lets them decide. One that is asked about everything reads every Secret; one that is reached by a URL can be anywhere; one that refuses things and fails open lets everything in while it is down, and whoever wants something in sees to that first. An aggregated API whose certificate is not verified is answered by whoever gets between.",
        reads: "Webhook configurations: `clientConfig.url`, `failurePolicy`, `rules`; APIServices: `insecureSkipTLSVerify`.",
        allowed: "Webhooks that are Services of the cluster, or URLs of a loopback address; `failurePolicy: Fail` for validating webhooks (left out means Fail; a mutating webhook that fails open leaves something out and lets nothing in); no rule with both group `*` and resource `*`; no `insecureSkipTLSVerify: true`.",
        repair: "None: these belong to whoever installed them, and a wrong `failurePolicy` stops a cluster. Gatekeeper, Kyverno and the like have a setting of their charts for it; before `Fail` give the webhook several replicas, a disruption budget and a `namespaceSelector` that leaves kube-system out. metrics-server: `--kubelet-insecure-tls` is another thing; give its APIService a `caBundle` (cert-manager can keep it).",
        breaks: "With `Fail`, requests that the webhook decides over while it cannot be reached.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection; Kubernetes pod security",
            "Kubernetes documentation, Admission Webhook Good Practices; APIService v1 apiregistration.k8s.io",
        ],
    },
    needs: &[
        Need {
            kind: Kind::ValidatingWebhookConfiguration,
        },
        Need {
            kind: Kind::MutatingWebhookConfiguration,
        },
        Need { kind: Kind::ApiService },
    ],
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    if !at.is_cluster() {
        return;
    }
    judgement.witness();
    // Nothing that extends it is nothing to find; what cannot be read is told by whoever lists it.
    judgement.pass();
    for kind in [Kind::ValidatingWebhookConfiguration, Kind::MutatingWebhookConfiguration] {
        for (reference, extension) in at.extensions(kind, judgement) {
            for hook in &extension.hooks {
                of_hook(reference, hook, judgement);
            }
        }
    }
    for (reference, extension) in at.extensions(Kind::ApiService, judgement) {
        if extension.unverified {
            let pointer = format!("{}/spec/insecureSkipTLSVerify", place(reference));
            let expected = "a caBundle with which whoever answers for the API is verified";
            judgement.fail_at(&pointer, Some(json!(true)), expected);
        }
    }
}

fn of_hook(reference: &ObjectRef, hook: &Hook, judgement: &mut Judgement) {
    let at = format!("{}{}", place(reference), hook.pointer);
    if let Some(url) = hook.url.as_deref().filter(|url| !is_local(url)) {
        let expected = "a Service of the cluster, or a loopback address";
        judgement.fail_at(&format!("{at}/clientConfig/url"), Some(json!(url)), expected);
    }
    if hook.fails_open && reference.kind == Kind::ValidatingWebhookConfiguration {
        let expected = "Fail: with Ignore everything is let in while it cannot be asked";
        judgement.fail_at(&format!("{at}/failurePolicy"), Some(json!("Ignore")), expected);
    }
    if let Some(rule) = &hook.everything {
        let expected = "the groups and resources that it decides over; Secrets are sent with everything";
        judgement.fail_at(&format!("{at}{rule}/resources"), Some(json!("*")), expected);
    }
}

/// Whether a URL leads to the API server's own machine. Webhooks are called by `https` only.
fn is_local(url: &str) -> bool {
    let rest = url.strip_prefix("https://").unwrap_or(url);
    let address = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = match address.strip_prefix('[') {
        Some(ipv6) => ipv6.split(']').next().unwrap_or(ipv6),
        None => address.rsplit_once(':').map_or(address, |(host, _)| host),
    };
    is_loopback(host)
}
