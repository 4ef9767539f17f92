//! AUD-003 Audit log stays on the node that writes it, or is lost on the way

use std::collections::BTreeSet;

use crate::components::{
    Arguments, Asking, ComponentScope, LogReaders, ReadBy, holds, holds_container_logs, seconds, unread,
};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{
    Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity, Threat,
};
use crate::model::{Kind, Resource};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("AUD-003"),
    title: "Audit log stays on the node that writes it, or is lost on the way",
    severity: Severity::Medium,
    component: Component::KubeApiserver,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["L-05", "L-07", "L-10", "L-12"]), mitre(&["T1070"])],
    docs: Docs {
        why: "Whoever has a node of the control plane deletes the log of how that came about. A log that is somewhere else by then stays.",
        reads: "Flags of `kube-apiserver` (arguments of containers, `/flagz`): `--audit-webhook-config-file`, `--audit-webhook-mode`, `--audit-webhook-batch-buffer-size`, `--audit-webhook-batch-max-wait`, `--audit-log-path`; host paths and images of workloads, the nodes on which their pods are ready; which images are log agents stands in a table with a date (`operator/engine/src/releases/log_agents.json`).",
        allowed: "A webhook in mode `batch`, which buffers and tries again, with a buffer of at least 10000 events that wait for at most a minute; or a log file that a known log agent reads on each node of the API server. Unknown where another program has the folder, where it cannot be seen on which nodes the API server runs, or where not every workload was read; what the kubeconfig of the webhook says, TLS among it, and agents that a node starts by itself no object shows (a ClusterHardeningException says so). Not applicable where no log is written at all, which is AUD-001's.",
        repair: api_server_flag!(
            "Or let the DaemonSet of your log agent mount the folder of `--audit-log-path` and tolerate the taints of the control plane."
        ),
        breaks: "Room and network for the events; in the modes `blocking` and `blocking-strict` requests wait for the sink, or fail without it.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "Kubernetes documentation, Auditing, Webhook backend and Event batching",
            "Kubernetes reference, kube-apiserver",
        ],
    },
    needs: &[
        Need { kind: Kind::Pod },
        Need { kind: Kind::Node },
        Need { kind: Kind::DaemonSet },
    ],
    check: Check::Component(&[Component::KubeApiserver], check),
    ..Control::COMPONENT
};

/// What the API server buffers by default (k8s.io/apiserver, options of the audit backend): less loses events that it would keep.
const BUFFER: u64 = 10_000;

/// Seconds that an event may wait for others; by default 30.
const WAIT: u64 = 60;

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    at.ask(Component::KubeApiserver, judgement, |ask| {
        let value = |flag| ask.process().value(flag).filter(|value| !value.is_empty());
        let (webhook, log) = (value("audit-webhook-config-file"), value("audit-log-path"));
        match log {
            _ if webhook.is_some() => is_kept_on_the_way(ask),
            Some(path) => is_read(at, path, ask),
            None => {}
        }
    });
    let is_logged = |process: &Arguments<'_>| {
        ["audit-webhook-config-file", "audit-log-path"]
            .iter()
            .any(|flag| process.value(flag).is_some_and(|value| !value.is_empty()))
    };
    let mut processes = at.processes(Component::KubeApiserver).peekable();
    if processes.peek().is_some() && !processes.any(is_logged) {
        judgement.not_applicable("no audit log is written");
    }
}

fn is_kept_on_the_way(ask: &mut Asking<'_, '_>) {
    let process = ask.process();
    let mode = process.value("audit-webhook-mode").unwrap_or("batch");
    ask.expect("audit-webhook-mode", mode == "batch", "--audit-webhook-mode=batch");
    let buffer = process.value("audit-webhook-batch-buffer-size");
    let holds = buffer.is_none_or(|size| size.parse::<u64>().is_ok_and(|size| size >= BUFFER));
    let expected = format!("--audit-webhook-batch-buffer-size={BUFFER} or more");
    ask.expect("audit-webhook-batch-buffer-size", holds, &expected);
    let wait = process.value("audit-webhook-batch-max-wait");
    let goes = wait.is_none_or(|wait| seconds(wait).is_some_and(|wait| wait <= WAIT));
    let expected = format!("--audit-webhook-batch-max-wait={WAIT}s or less");
    ask.expect("audit-webhook-batch-max-wait", goes, &expected);
}

/// Judges who reads a log file where the API server writes it. `-` is the standard output, which the kubelet keeps with the logs of containers.
fn is_read(at: &ComponentScope<'_>, path: &str, ask: &mut Asking<'_, '_>) {
    const EXPECTED: &str =
        "--audit-webhook-config-file, or a log agent that reads the file on every node of the API server";
    if !at.is_cluster() {
        return ask.no_other("who reads the log on its node is judged in the cluster");
    }
    let readers = LogReaders::of(at.world, |folder| match path {
        "-" => holds_container_logs(folder),
        path => holds(folder, path),
    });
    let hosts = hosts(at);
    if hosts.is_empty() {
        return ask.no_other("on which nodes the API server writes its audit log is not to be seen");
    }
    for node in hosts {
        match readers.on(node) {
            ReadBy::Agent => ask.expect("audit-log-path", true, EXPECTED),
            ReadBy::Another(workload) => ask.cannot_tell(Gap {
                reason: "UnknownAgent",
                message: format!(
                    "{} has the audit log of node {node} before it; whether it takes it elsewhere is not known",
                    workload.reference()
                ),
                responsibility: Responsibility::SelfManaged,
            }),
            ReadBy::Nobody => match unread(at.world) {
                Some(gap) => ask.cannot_tell(gap),
                None => ask.expect("audit-log-path", false, &format!("{EXPECTED}, such as {node}")),
            },
        }
    }
}

/// The nodes on which the API server runs: those of its pods, else those of the control plane.
fn hosts<'a>(at: &ComponentScope<'a>) -> BTreeSet<&'a str> {
    let workloads = at
        .processes(Component::KubeApiserver)
        .filter_map(|process| process.workload);
    let pods = workloads.flat_map(|workload| at.world.pods_of(workload));
    let hosts: BTreeSet<&str> = pods.filter_map(|pod| pod.spec.node_name.as_deref()).collect();
    if !hosts.is_empty() {
        return hosts;
    }
    let shard = at.world.shard("").into_iter();
    let nodes = shard.flat_map(|shard| shard.resources_of(Kind::Node));
    let nodes = nodes.filter_map(|(_, resource)| match &**resource {
        Resource::Node(node) if node.is_control_plane() => Some(node.metadata.name.as_str()),
        _ => None,
    });
    nodes.collect()
}
