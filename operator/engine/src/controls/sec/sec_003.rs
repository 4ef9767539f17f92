//! SEC-003 Password or key in a name, label or annotation

use serde_json::json;

use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SEC-003"),
    title: "Password or key in a name, label or annotation",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["N-19"]), mitre(&["T1552.001"])],
    docs: Docs {
        why: "Names, labels and annotations are in every list, event, metric and log line.",
        reads: "Every string of the pod template but variables, commands and arguments, which SEC-001 looks at. Values are never kept, logged or shown.",
        allowed: "No string that has the form of a known token or key.",
        repair: "None: a value that was written down must be replaced.",
        breaks: "Nothing.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Secrets",
            "Kubernetes documentation, Good practices for Kubernetes Secrets",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    judgement.pass();
    let elsewhere = at.template.exposed.iter().filter(|exposed| {
        let mut steps = exposed.pointer.split('/').skip(4);
        let of_container = exposed.pointer.contains("ontainers/");
        !of_container || !matches!(steps.next(), Some("env" | "command" | "args"))
    });
    for exposed in elsewhere {
        judgement.fail_at(
            &exposed.pointer,
            Some(json!(exposed.what)),
            "no credential; change it, it is known",
        );
    }
}
