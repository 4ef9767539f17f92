//! RES-001 No memory request or limit

use super::compute::{REQUESTS, is_stated};
use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RES-001"),
    title: "No memory request or limit",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-07"]),
        kubescape(&["C-0271", "C-0004"]),
        trivy(&["KSV-0018", "KSV-0016"]),
        mitre(&["T1499", "T1496"]),
    ],
    docs: Docs {
        why: "A container without a memory limit can take the whole node's memory, so that the kernel ends other pods' processes; without a request the scheduler packs the node as if it needed none.",
        reads: "`resources.requests` and `resources.limits` of containers and init containers, as they are written. What a LimitRange adds when pods are made is not looked at.",
        allowed: "Both stated; a limit alone is also the request. Ephemeral containers have no resources of their own.",
        repair: "None: how much a container needs cannot be seen in its manifest.",
        breaks: "A limit that is too low has the container ended by the kernel.",
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
    is_stated("memory", at, judgement);
}
