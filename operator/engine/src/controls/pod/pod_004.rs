//! POD-004 Port of the node, or a probe of another host

use std::fmt;

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};
use crate::model::template::Host;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-004"),
    title: "Port of the node, or a probe of another host",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-17"]),
        pss_baseline(&["hostPorts", "hostProbesAndHostLifecycle"]),
        cis(&["5.2.12"]),
        kubescape(&["C-0044", "C-0204"]),
        trivy(&["KSV-0024", "KSV-0117"]),
        mitre(&["T1133", "T1046"]),
    ],
    docs: Docs {
        why: "A port of the node is open to whoever reaches the node, past Services and past most NetworkPolicies, and two pods that want it cannot run on one node. A probe with a `host` makes the kubelet call any address for whoever may create pods, from the node's own network.",
        reads: "`ports[].hostPort`, and `host` of `httpGet` and `tcpSocket` in probes and lifecycle handlers, of containers, init containers and ephemeral containers.",
        allowed: "No `hostPort` other than 0, no `host`. Hosts are judged since Kubernetes 1.34, as the Pod Security Standards do.",
        repair: "None: clients outside the cluster may use the port.",
        breaks: "Clients that use the node's address, and probes that check another program than their own.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Pod Security Standards, baseline, Host Ports and Host Probes / Lifecycle Hooks",
            "CIS Kubernetes Benchmark 1.12, 5.2.12",
        ],
    },
    check: Check::EachContainer(check),
    ..Control::WORKLOAD
};

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    for (index, port) in at.container.ports.iter().enumerate() {
        match port.host_port {
            Some(host_port) if host_port != 0 => {
                judgement.fail(
                    &format!("ports.{index}.hostPort"),
                    Some(json!(host_port)),
                    "0 or absent",
                );
            }
            _ => judgement.pass(),
        }
    }
    judgement.pass(); // without ports and probes there is nothing to object to
    if !at.pod.at_least(FORBIDDEN_SINCE) {
        return;
    }
    let container = at.container;
    let probes = [
        ("livenessProbe", &container.liveness_probe),
        ("readinessProbe", &container.readiness_probe),
        ("startupProbe", &container.startup_probe),
    ];
    for (name, probe) in probes {
        if let Some(probe) = probe {
            check_host(format_args!("{name}.httpGet.host"), probe.http_get.as_ref(), judgement);
            check_host(
                format_args!("{name}.tcpSocket.host"),
                probe.tcp_socket.as_ref(),
                judgement,
            );
        }
    }
    let Some(lifecycle) = &container.lifecycle else { return };
    for (name, handler) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(handler) = handler {
            check_host(
                format_args!("lifecycle.{name}.httpGet.host"),
                handler.http_get.as_ref(),
                judgement,
            );
            check_host(
                format_args!("lifecycle.{name}.tcpSocket.host"),
                handler.tcp_socket.as_ref(),
                judgement,
            );
        }
    }
}

/// The first version of the Pod Security Standards that forbids `host` in probes and handlers.
const FORBIDDEN_SINCE: u32 = 34;

fn check_host(path: fmt::Arguments<'_>, target: Option<&Host>, judgement: &mut Judgement) {
    match target.and_then(|target| target.host.as_deref()) {
        Some(host) if !host.is_empty() => {
            judgement.fail(&path.to_string(), Some(json!(host)), "absent: the pod itself");
        }
        _ => judgement.pass(),
    }
}
