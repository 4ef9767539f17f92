//! SEC-001 Password or key written into a pod

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};
use crate::model::literal::{assigned, is_sensitive_name};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SEC-001"),
    title: "Password or key written into a pod",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["N-19"]), kubescape(&["C-0012", "C-0259"]), mitre(&["T1552.001"])],
    docs: Docs {
        why: "What stands in a manifest is read by everyone who may see the workload, and lies in version control, backups and logs. It cannot be taken back: it must be changed.",
        reads: "`env[].value`, `command` and `args` of containers, init containers and ephemeral containers. Values are looked at and never kept, logged or shown.",
        allowed: "No value that has the form of a known token or key, and no literal in a variable or option whose name says password, token, secret, key of an API and the like. Paths, references to other variables, and names that end in `_FILE`, `_PATH`, `_NAME` and the like are fine.",
        repair: "None: a value that was written down must be replaced, and the new one belongs in a Secret.",
        breaks: "Nothing, once the Secret is there.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Secrets",
            "Kubernetes documentation, Good practices for Kubernetes Secrets",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    let exposed = &at.template.exposed;
    for container in at.containers() {
        judgement.enter_container(&container);
        judgement.pass();
        for (index, variable) in container.container.env.iter().enumerate() {
            let Some(value) = &variable.value else { continue };
            if let Some(what) = value.credential {
                judgement.fail(&format!("env.{index}.value"), Some(json!(what)), EXPECTED);
            } else if value.could_be_secret && is_sensitive_name(&variable.name) {
                let found = json!(format!("a literal in {}", variable.name));
                judgement.fail(&format!("env.{index}.value"), Some(found), EXPECTED);
            }
        }
        for (field, words) in [
            ("command", &container.container.command),
            ("args", &container.container.args),
        ] {
            for (index, text) in words.iter().enumerate() {
                let path = format!("{field}.{index}");
                let pointer = format!("{}/{field}/{index}", container.pointer());
                if let Some(found) = exposed.iter().find(|exposed| exposed.pointer == pointer) {
                    judgement.fail(&path, Some(json!(found.what)), EXPECTED);
                } else if let Some(name) = assigned(text) {
                    judgement.fail(&path, Some(json!(format!("a literal for {name}"))), EXPECTED);
                }
            }
        }
    }
}

const EXPECTED: &str = "a reference to a Secret; change what was written here, it is known";
