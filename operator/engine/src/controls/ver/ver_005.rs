//! VER-005 Certificates near their end

use serde_json::json;

use crate::components::{ComponentScope, Remaining, place};
use crate::controls::catalogue::nsa;
use crate::controls::{
    Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity, Threat,
};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("VER-005"),
    title: "Certificates near their end",
    severity: Severity::Medium,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["N-18"])],
    docs: Docs {
        why: "A certificate whose time is over takes a node out of the cluster, or an admission webhook: with `failurePolicy: Ignore` what it refused is let in from then on, with `Fail` nothing is let in. What is mended in a hurry is often mended by not verifying certificates any more.",
        reads: "`caBundle` of webhook configurations, APIServices and conversions of CustomResourceDefinitions: the dates of the certificates in it; how long client certificates were still valid when requests came with them, as `/metrics` counts it (`apiserver_client_certificate_expiration_seconds`). Not Secrets of type `kubernetes.io/tls`, on purpose: who can read those has the keys.",
        allowed: "No client certificate with at most seven days left since the API server started: kubelets renew theirs weeks before. A bundle with a certificate that is not in its last tenth and has more than two weeks, or a tenth of its time if that is less: what is renewed by itself is renewed before that. Unknown for a bundle in which no certificate can be read, and where the API server is not asked what it has counted. Certificates that servers show, and those of kubelets, no channel shows.",
        repair: "None: renew what is named. kubeadm: `kubeadm certs check-expiration`, `kubeadm certs renew all` and a restart of the control plane; k3s and RKE2: `k3s certificate rotate`, `rke2 certificate rotate`; Talos: `talosctl kubeconfig` anew; kubelets: `rotateCertificates` (KUBELET-005). Bundles belong to whoever installed the webhook: cert-manager's `cert-manager.io/inject-ca-from` keeps them up to date.",
        breaks: "Whoever trusts the old certificate only.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Certificate Management with kubeadm; Kubernetes Metrics Reference",
            "RFC 5280, section 4.1.2.5, Validity",
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
        Need {
            kind: Kind::CustomResourceDefinition,
        },
    ],
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

/// A bound of the histogram: seven days.
const SOON: u64 = 604_800;

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let (true, Some(now)) = (at.is_cluster(), at.now) else {
        return;
    };
    judgement.witness();
    match (at.counters(), at.uncounted()) {
        (Some(counters), _) => of_clients(counters.certificates, judgement),
        (None, Some(gap)) => judgement.unknown(gap.clone()),
        (None, None) => {}
    }
    for kind in [
        Kind::ValidatingWebhookConfiguration,
        Kind::MutatingWebhookConfiguration,
        Kind::ApiService,
        Kind::CustomResourceDefinition,
    ] {
        for (reference, extension) in at.extensions(kind, judgement) {
            for bundle in &extension.bundles {
                let pointer = format!("{}{}", place(reference), bundle.pointer);
                match bundle.lifetime {
                    Some(lifetime) if lifetime.near_end() > now => judgement.pass(),
                    Some(lifetime) => {
                        let observed = Some(json!(format!("valid until {}", lifetime.until)));
                        judgement.fail_at(&pointer, observed, "a certificate that is valid for longer");
                    }
                    None => judgement.unknown(Gap {
                        reason: "Malformed",
                        message: format!("no certificate can be read in {} of {reference}", bundle.pointer),
                        responsibility: Responsibility::SelfManaged,
                    }),
                }
            }
        }
    }
}

fn of_clients(certificates: Option<Remaining>, judgement: &mut Judgement) {
    match certificates {
        Some(Remaining::AtMost(seconds)) if seconds <= SOON => {
            let observed = match seconds {
                0 => "a request with a certificate whose time was over".to_owned(),
                seconds if seconds < 7200 => {
                    format!("a request with a certificate that had at most {seconds} seconds left")
                }
                seconds => format!(
                    "a request with a certificate that had at most {} hours left",
                    seconds / 3600
                ),
            };
            let expected = "client certificates with more than seven days left, since the API server started";
            judgement.fail("metrics/certificates", Some(json!(observed)), expected);
        }
        Some(_) => judgement.pass(),
        None => judgement.unknown(Gap {
            reason: "NotCounted",
            message: "the API server does not count how long client certificates are valid".to_owned(),
            responsibility: Responsibility::SelfManaged,
        }),
    }
}
