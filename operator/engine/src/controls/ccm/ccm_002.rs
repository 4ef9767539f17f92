//! CCM-002 Cloud controller manager is reachable from other hosts, or serves debugging

use crate::components::{ComponentScope, bound_to_loopback};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("CCM-002"),
    title: "Cloud controller manager is reachable from other hosts, or serves debugging",
    severity: Severity::Low,
    component: Component::CloudControllerManager,
    frameworks: &[nsa(&["N-11"]), mitre(&["T1613"])],
    docs: Docs {
        why: "The cloud controller manager holds credentials of the cloud. Its port tells about the cluster and, with profiling, what is in its memory. It runs in the network of its host, so whoever reaches the host reaches the port.",
        reads: "Arguments of containers that run a program whose name ends in `cloud-controller-manager`: `--bind-address`, `--profiling`, the old `--port` and `--address`.",
        allowed: "A loopback address (left out means all), `--profiling=false` (left out means true), no insecure port.",
        repair: "None: add the flags where the provider's chart or manifest has its arguments. A provider that hides it has a setting of its own, or none.",
        breaks: "Metrics that are scraped from another host.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes reference, cloud-controller-manager",
        ],
    },
    check: Check::Component(&[Component::CloudControllerManager], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::CloudControllerManager, judgement, |ask| {
        bound_to_loopback(ask);
        ask.switch("profiling", false, true);
    });
}
