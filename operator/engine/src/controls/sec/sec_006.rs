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
        reads: "What Secrets are written with and read as, as `/metrics` of the API server counts it; `resources` of EncryptionConfiguration documents. Arguments of containers that run `kube-apiserver` say only where the document is.",
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

/// Providers that are good, as the API server names them in what it stores.
const GOOD: [&str; 2] = ["kms:v2", "secretbox:v1"];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let used = at.counters().filter(|counters| !counters.written_with.is_empty());
    let is_off = at.is_cluster()
        && at.processes(Component::KubeApiserver).next().is_some()
        && at
            .processes(Component::KubeApiserver)
            .all(|process| process.value("encryption-provider-config").is_none());
    if is_off {
        judgement.not_applicable("Secrets are not encrypted (SEC-005)");
    }
    at.ask(Component::KubeApiserver, judgement, |ask| {
        if ask.process().value("encryption-provider-config").is_some() && used.is_none() {
            ask.unseen("the provider", "encryption-provider-config");
        }
    });
    if let Some(counters) = used {
        for provider in counters.written_with.iter().filter(|it| *it != "identity") {
            if GOOD.contains(&provider.as_str()) {
                judgement.pass();
            } else {
                let observed = Some(provider.as_str().into());
                judgement.fail("metrics/writtenWith", observed, "kms:v2 or secretbox:v1");
            }
        }
        // Somebody turned encryption on and never wrote anew what was there before.
        if counters.read_with.contains("identity") && !counters.written_with.contains("identity") {
            judgement.fail(
                "metrics/readWith",
                Some("identity".into()),
                "no Secret in clear text: write all of them anew",
            );
        }
    }
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
