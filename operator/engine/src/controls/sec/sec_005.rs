//! SEC-005 Secrets are not encrypted at rest

use crate::components::ComponentScope;
use crate::components::encryption;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};
use crate::model::Kind;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SEC-005"),
    title: "Secrets are not encrypted at rest",
    severity: Severity::High,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["N-21"]),
        cis(&["1.2.27"]),
        kubescape(&["C-0066", "C-0141"]),
        trivy(&["KCV-0030"]),
        mitre(&["T1552"]),
    ],
    docs: Docs {
        why: "etcd, its backups and the disks below hold Secrets in clear text. Whoever gets hold of one of them has all credentials of the cluster.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--encryption-provider-config`; `resources` of EncryptionConfiguration documents; what Secrets were written with, as `/metrics` counts it.",
        allowed: "The file given; in the document, a provider other than identity first for Secrets. What the file holds is judged where it is given, too.",
        repair: api_server_flag!(
            "Then write every Secret anew: `kubectl get secrets -A -o json | kubectl replace -f -`."
        ),
        breaks: "Nothing, as long as the key is not lost; with it all Secrets are.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Secrets",
            "CIS Kubernetes Benchmark 1.12, 1.2.27",
            "Kubernetes documentation, Encrypting Confidential Data at Rest",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        ask.is_given("encryption-provider-config", "<EncryptionConfiguration>");
    });
    if let Some(counters) = at.counters() {
        if counters.written_with.contains("identity") {
            judgement.fail(
                "metrics/writtenWith",
                Some("identity".into()),
                "a provider that encrypts",
            );
        } else if !counters.written_with.is_empty() {
            judgement.pass();
        }
    }
    let Some(document) = at.document(Kind::EncryptionConfiguration) else {
        return;
    };
    // The first entry that names a resource decides.
    let entries = document.items("resources").iter().enumerate();
    match entries.into_iter().find(|(_, entry)| encryption::covers_secrets(entry)) {
        None => judgement.fail("resources", None, "an entry for secrets"),
        Some((index, entry)) => match encryption::providers(entry).next() {
            Some((_, "identity", _)) | None => {
                let path = format!("resources.{index}.providers.0");
                judgement.fail(&path, Some("identity".into()), "kms, secretbox or aesgcm first");
            }
            Some(_) => judgement.pass(),
        },
    }
}
