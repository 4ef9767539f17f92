//! AUD-004 Logs of nodes and containers stay on their nodes

use std::collections::BTreeMap;

use serde_json::json;

use crate::components::{ComponentScope, LogReaders, ReadBy, holds_container_logs, unread};
use crate::controls::catalogue::{mitre, nsa};
use crate::controls::{
    Check, Component, Control, ControlId, Docs, Gap, Judgement, Need, Responsibility, Severity, Threat,
};
use crate::model::literal::escape;
use crate::model::{ClusterNode, Kind};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("AUD-004"),
    title: "Logs of nodes and containers stay on their nodes",
    severity: Severity::Medium,
    component: Component::Kubelet,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[nsa(&["L-04", "L-06", "L-09"]), mitre(&["T1070"])],
    docs: Docs {
        why: "The log of a container goes with its pod, and that of a node with the node: whoever breaks in deletes the one or lets the other be replaced, and nothing tells what happened.",
        reads: "Host paths and images of workloads, the nodes on which their pods are ready; `spec.unschedulable` and `spec.taints` of Nodes. Which images are log agents stands in a table with a date (`operator/engine/src/releases/log_agents.json`).",
        allowed: "On each node that takes pods a pod of a known log agent that is ready and has `/var/log`, `/var/log/pods`, `/var/log/containers` or `/var/lib/docker/containers` of the node. Unknown where something else has that folder, which may take logs elsewhere or not, and where Nodes, Pods or DaemonSets were not read whole. Nodes that have no host (Fargate, virtual kubelets) are passed over. Agents that a node or its provider starts outside of Kubernetes no object shows; a ClusterHardeningException says that there is one.",
        repair: "None: install an agent as a DaemonSet that tolerates the taints of every node (`operator: Exists`), or let the one that is there tolerate those of the nodes that are named. EKS: the add-on `amazon-cloudwatch-observability`; AKS: Container insights; GKE ships logs itself.",
        breaks: "Room and network for the logs; an agent reads what every container writes.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "Kubernetes documentation, Logging Architecture, Using a node logging agent",
        ],
    },
    needs: &[
        Need { kind: Kind::Node },
        Need { kind: Kind::Pod },
        Need { kind: Kind::DaemonSet },
    ],
    check: Check::Component(&[], check),
    ..Control::COMPONENT
};

/// Nodes that are named; one is enough to fail.
const NAMED: usize = 20;

/// Taints of nodes behind which there is no host (Virtual Kubelet; Amazon EKS, AWS Fargate considerations).
const NO_HOST: [&str; 2] = ["virtual-kubelet.io/provider", "eks.amazonaws.com/compute-type"];

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    if !at.is_cluster() {
        return;
    }
    judgement.witness();
    let readers = LogReaders::of(at.world, holds_container_logs);
    let mut bare: Vec<&str> = Vec::new();
    let mut unsure: BTreeMap<String, usize> = BTreeMap::new();
    let mut is_any = false;
    for group in at.nodes(judgement, |node| node.metadata.name.as_str()) {
        if !takes_pods(group.node) {
            continue;
        }
        is_any = true;
        match readers.on(group.said) {
            ReadBy::Agent => judgement.pass(),
            ReadBy::Another(workload) => *unsure.entry(workload.reference().to_string()).or_default() += 1,
            ReadBy::Nobody => bare.push(group.said),
        }
    }
    for (workload, nodes) in unsure {
        judgement.unknown(Gap {
            reason: "UnknownAgent",
            message: format!(
                "{workload} has the logs of {nodes} nodes before it; whether it takes them elsewhere is not known"
            ),
            responsibility: Responsibility::SelfManaged,
        });
    }
    if bare.is_empty() && is_any {
        return;
    }
    if let Some(gap) = unread(at.world) {
        return judgement.unknown(gap);
    }
    if !is_any {
        return judgement.not_applicable("no node takes pods");
    }
    let observed = if readers.has_agent {
        "no log agent is ready here"
    } else {
        "there is no log agent"
    };
    for name in bare.into_iter().take(NAMED) {
        let expected = "a ready pod of a log agent that reads /var/log";
        judgement.fail_at(&format!("/nodes/{}", escape(name)), Some(json!(observed)), expected);
    }
}

fn takes_pods(node: &ClusterNode) -> bool {
    let has_host = !node
        .spec
        .taints
        .iter()
        .any(|taint| NO_HOST.contains(&taint.key.as_str()));
    has_host && !node.spec.unschedulable
}
