//! SEC-006 Secrets are encrypted with a weak provider

use crate::components::ComponentScope;
use crate::components::encryption;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SEC-006"),
    title: "Secrets are encrypted with a weak provider",
    severity: Severity::Medium,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["N-22"]),
        cis(&["1.2.28"]),
        kubescape(&["C-0142"]),
        mitre(&["T1552"]),
    ],
    docs: Docs {
        why: "A key in a file beside etcd protects from nobody who reads that disk. `aescbc` has a known weakness, and `aesgcm` breaks where one key is used for too long. KMS version 1 is deprecated and off.",
        reads: "`resources` of EncryptionConfiguration documents. Arguments of containers that run `kube-apiserver` say only where the document is.",
        allowed: "For Secrets a `kms` provider with `apiVersion: v2`, or `secretbox`, first. Unknown where an API server has a document that was not given; without one it is not applicable (SEC-005).",
        repair: "None: put the new provider first and restart the API servers, write every Secret anew, then take the old one out.",
        breaks: "An API server without its KMS plugin cannot read Secrets.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Secrets",
            "CIS Kubernetes Benchmark 1.12, 1.2.28",
            "Kubernetes documentation, Encrypting Confidential Data at Rest, Using a KMS provider",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        if ask.process().value("encryption-provider-config").is_some() {
            ask.unseen("the provider", "encryption-provider-config");
        }
    });
    let Some(document) = at.document(Kind::EncryptionConfiguration) else {
        return;
    };
    let entries = document.items("resources").iter().enumerate();
    let Some((index, entry)) = entries.into_iter().find(|(_, entry)| encryption::covers_secrets(entry)) else {
        return judgement.not_applicable("Secrets are not encrypted (SEC-005)");
    };
    match encryption::providers(entry).next() {
        None | Some((_, "identity", _)) => judgement.not_applicable("Secrets are not encrypted (SEC-005)"),
        Some((_, "secretbox", _)) => judgement.pass(),
        Some((_, "kms", settings)) if settings["apiVersion"] == "v2" => judgement.pass(),
        Some((_, name, _)) => {
            let path = format!("resources.{index}.providers.0");
            judgement.fail(&path, Some(name.into()), "kms with apiVersion v2, or secretbox");
        }
    }
}
