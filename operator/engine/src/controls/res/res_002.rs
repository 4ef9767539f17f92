//! RES-002 No CPU request or limit

use super::compute::{REQUESTS, is_stated};
use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RES-002"),
    title: "No CPU request or limit",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-07"]),
        kubescape(&["C-0270", "C-0050"]),
        trivy(&["KSV-0011", "KSV-0015"]),
        mitre(&["T1496"]),
    ],
    docs: Docs {
        why: "A container without a CPU limit can slow down every other one on its node, and a cryptominer in it runs at full speed; without a request it is scheduled as if it needed none.",
        reads: "`resources.requests` and `resources.limits` of containers and init containers, as they are written. What a LimitRange adds when pods are made is not looked at.",
        allowed: "Both stated; a limit alone is also the request. Ephemeral containers have no resources of their own.",
        repair: "None: how much a container needs cannot be seen in its manifest.",
        breaks: "A limit that is too low slows the container down.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Resource Management for Pods and Containers",
        ],
    },
    parameters: REQUESTS,
    check: Check::EachContainer(check),
    ..Control::WORKLOAD
};

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    is_stated("cpu", at, judgement);
}
