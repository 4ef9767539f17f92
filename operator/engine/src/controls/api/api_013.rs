//! API-013 API server runs with other flags than its pod shows

use crate::components::{Arguments, ComponentScope};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("API-013"),
    title: "API server runs with other flags than its pod shows",
    severity: Severity::High,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["N-11"]), mitre(&["T1685"])],
    docs: Docs {
        why: "A mirror pod is what a kubelet publishes: whoever has the node can let it show one thing and run another. And a manifest that was changed without a restart hardens nothing until the next one.",
        reads: "The flags that the API server says it runs with (`/flagz`), where the operator is told to ask, and the arguments of the pods in kube-system that run it.",
        allowed: "Every flag of the pods has the value that the process runs with: one pod of several is enough, because one of them answers. Not applicable where only one of the two is to be seen.",
        repair: "None: find out which of the two is meant. `kubectl -n kube-system get pods -l component=kube-apiserver -o yaml` shows when the pod started; the manifest is on the node.",
        breaks: "Nothing.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Control plane hardening",
            "Kubernetes documentation, Kubernetes z-pages; API server bypass risks, static Pods",
        ],
    },
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    let shown: Vec<&Arguments<'_>> = at
        .processes(Component::KubeApiserver)
        .filter(|process| !process.in_effect)
        .collect();
    let (Some(running), [first, ..]) = (at.flags(), shown.as_slice()) else {
        if at.is_cluster() {
            judgement.not_applicable("only one witness of its flags is to be seen, or none");
        }
        return;
    };
    for flag in first.in_force() {
        let written = |process: &Arguments<'_>| process.whole(&flag.name);
        let differs = |process: &&&Arguments<'_>| running.differs(&flag.name, &written(process)) == Some(true);
        if shown.iter().filter(differs).count() < shown.len() {
            judgement.pass();
        } else {
            let pointer = format!("/flagz/{}", flag.name);
            let observed = running.value(&flag.name).map(Into::into);
            judgement.fail_at(
                &pointer,
                observed,
                &format!("{} as the pod has it", shorter(&written(first))),
            );
        }
    }
}

/// A value, no longer than a person reads.
fn shorter(value: &str) -> String {
    const LONGEST: usize = 200;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}
