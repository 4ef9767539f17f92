//! SCHED-001 Scheduler is reachable from other hosts, or serves debugging

use crate::components::ComponentScope;
use crate::components::bound_to_loopback;
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SCHED-001"),
    title: "Scheduler is reachable from other hosts, or serves debugging",
    severity: Severity::Medium,
    component: Component::KubeScheduler,
    frameworks: &[
        nsa(&["N-11"]),
        cis(&["1.4.1", "1.4.2"]),
        kubescape(&["C-0151", "C-0152"]),
        trivy(&["KCV-0040", "KCV-0041"]),
        mitre(&["T1613"]),
    ],
    docs: Docs {
        why: "Its port tells which pods there are and, with profiling, what is in the memory of a process that may bind any pod. Nobody but its own node needs it.",
        reads: "Arguments of containers that run `kube-scheduler`: `--bind-address`, `--profiling`, `--authentication-skip-lookup`, the old `--port` and `--address`.",
        allowed: "A loopback address (left out means all), `--profiling=false` (left out means true), no `--authentication-skip-lookup`, no insecure port. With `--config` the flag of profiling has no effect, and it is Unknown.",
        repair: "None: add the flags to the static pod manifest of the scheduler (kubeadm: `scheduler.extraArgs`; RKE2 and k3s: `kube-scheduler-arg`; Talos: `cluster.scheduler.extraArgs`).",
        breaks: "Metrics that are scraped from another host.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 1.4.1, 1.4.2",
            "Kubernetes documentation, Hardening Guide, Scheduler Configuration",
        ],
    },
    check: Check::Component(&[Component::KubeScheduler], check),
    ..Control::COMPONENT
};

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeScheduler, judgement, |ask| {
        bound_to_loopback(ask);
        if ask.process().value("config").is_some() {
            ask.unseen("profiling", "config");
        } else {
            ask.switch("profiling", false, true);
        }
        ask.switch("authentication-skip-lookup", false, false);
    });
}
