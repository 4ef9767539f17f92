//! SEC-004 Secret handed over as a variable

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SEC-004"),
    title: "Secret handed over as a variable",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-19", "N-22"]),
        cis(&["5.4.1", "5.4.2"]),
        kubescape(&["C-0207", "C-0208", "C-0255"]),
        mitre(&["T1552.001"]),
    ],
    docs: Docs {
        why: "Variables are inherited by every program that the container starts, show up in crash reports and debug pages, and keep the old value until the pod restarts. A mounted file is read by who opens it, and follows changes.",
        reads: "`env[].valueFrom.secretKeyRef` and `envFrom[].secretRef` of containers, init containers and ephemeral containers.",
        allowed: "Secrets that are mounted as files.",
        repair: "None: the program must read the file.",
        breaks: "Programs that know only the variable.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening, Secrets",
            "CIS Kubernetes Benchmark 1.12, 5.4.1",
            "Kubernetes documentation, Good practices for Kubernetes Secrets",
        ],
    },
    check: Check::EachContainer(check),
    ..Control::WORKLOAD
};

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    judgement.pass();
    for (index, variable) in at.container.env.iter().enumerate() {
        if variable
            .value_from
            .as_ref()
            .is_some_and(|from| from.secret_key_ref.is_some())
        {
            let path = format!("env.{index}.valueFrom.secretKeyRef");
            judgement.fail(&path, Some(json!(variable.name)), "a file of a mounted Secret");
        }
    }
    for (index, from) in at.container.env_from.iter().enumerate() {
        if from.secret_ref.is_some() {
            let path = format!("envFrom.{index}.secretRef");
            judgement.fail(&path, Some(json!("every key")), "files of a mounted Secret");
        }
    }
}
