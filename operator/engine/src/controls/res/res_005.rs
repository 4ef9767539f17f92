//! RES-005 No ephemeral storage request or limit

use super::compute::{REQUESTS, is_stated};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RES-005"),
    title: "No ephemeral storage request or limit",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[nsa(&["N-08", "N-10"]), mitre(&["T1499"])],
    docs: Docs {
        why: "Logs, scratch volumes and the writable layer lie on the node's disk. A container without a limit can fill it, so that the kubelet evicts other pods.",
        reads: "`resources.requests` and `resources.limits` of containers and init containers, as they are written. What a LimitRange adds when pods are made is not looked at.",
        allowed: "Both stated; a limit alone is also the request. Ephemeral containers have no resources of their own.",
        repair: "None: how much a container needs cannot be seen in its manifest.",
        breaks: "A container that writes more than its limit is evicted.",
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
    is_stated("ephemeral-storage", at, judgement);
}
