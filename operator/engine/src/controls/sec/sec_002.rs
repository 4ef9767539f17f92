//! SEC-002 Password or key in a ConfigMap

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::{Kind, Resource};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SEC-002"),
    title: "Password or key in a ConfigMap",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["N-19"]),
        kubescape(&["C-0012"]),
        trivy(&["KSV-0109", "KSV-01010"]),
        mitre(&["T1552.001", "T1552.007"]),
    ],
    docs: Docs {
        why: "ConfigMaps are read by far more people and programs than Secrets, are not encrypted at rest, and are logged in full.",
        reads: "`data` of ConfigMaps. Values are looked at while they are read and never kept, logged or shown.",
        allowed: "No value that has the form of a known token or key, no literal under a key that names a credential, and no line that assigns one. References such as `${PASSWORD}` and paths are fine.",
        repair: "None: a value that was written down must be replaced, and the new one belongs in a Secret.",
        breaks: "Nothing, once the Secret is there.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Secrets",
            "Kubernetes documentation, ConfigMaps",
        ],
    },
    check: Check::Object(&[Kind::ConfigMap], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    judgement.pass();
    if let Some(Resource::ConfigMap(map)) = at.resource() {
        for found in &map.suspicious {
            judgement.fail_at(
                &found.pointer,
                Some(json!(found.what)),
                "in a Secret; change what was written here, it is known",
            );
        }
    }
}
