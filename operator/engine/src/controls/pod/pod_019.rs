//! POD-019 Unmanaged or interactive container

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, Threat, WorkloadScope};
use crate::model::{ContainerKind, Kind};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-019"),
    title: "Unmanaged or interactive container",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["L-14", "L-16"]),
        kubescape(&["C-0073", "C-0042", "C-0062"]),
        mitre(&["T1609", "T1610"]),
    ],
    docs: Docs {
        why: "What a person started by hand, logs in to or debugs in is in no history and in no review: it stays, differs from what was tested, and is where an intruder works. A pod without a controller is also lost with its node.",
        reads: "Owner of a pod; `ephemeralContainers`; `stdin`, `tty`, `command`, `args` and ports of containers, init containers and ephemeral containers.",
        allowed: "Pods that a controller or a node owns; no ephemeral containers; no terminal, no sudo, sshd or port 22. Pods without a controller in `kube-` namespaces are let be.",
        repair: "None: it is a report. An ephemeral container stays until its pod is deleted.",
        breaks: "Nothing.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "Kubernetes documentation, Ephemeral Containers",
        ],
    },
    check: Check::Workload(check),
    ..Control::WORKLOAD
};

fn check(at: &WorkloadScope<'_>, judgement: &mut Judgement) {
    let meta = &at.workload.meta;
    judgement.pass(); // a pod of a controller is as it should be
    let system = meta.namespace.starts_with("kube-");
    if at.workload.kind == Kind::Pod && !system && meta.owner_references.is_empty() {
        judgement.fail("metadata.ownerReferences", None, "a controller that replaces the pod");
    }
    for at in at.template().containers() {
        judgement.enter_container(&at);
        if at.kind == ContainerKind::Ephemeral {
            judgement.fail("name", Some(json!(at.container.name)), "no debugging container");
        }
        for (field, on) in [("stdin", at.container.stdin), ("tty", at.container.tty)] {
            judgement.reject(field, Some(on), &true, "false or absent");
        }
        for (field, words) in [("command", &at.container.command), ("args", &at.container.args)] {
            if let Some(program) = words.iter().find_map(|word| interactive(word)) {
                judgement.fail(field, Some(json!(program)), "no sudo and no remote login");
            }
        }
        for (index, port) in at.container.ports.iter().enumerate() {
            judgement.reject(
                &format!("ports.{index}.containerPort"),
                Some(port.container_port),
                &22,
                "no port of SSH",
            );
        }
    }
}

/// The program in a command line that gives a person a session or other rights.
fn interactive(words: &str) -> Option<&'static str> {
    const PROGRAMS: [&str; 4] = ["sudo", "sshd", "telnetd", "dropbear"];
    let words: Vec<&str> = words
        .split(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | '|' | '(' | ')'))
        .map(|word| word.rsplit('/').next().unwrap_or_default())
        .collect();
    PROGRAMS.into_iter().find(|program| words.contains(program))
}
