//! NET-004 Pod without a network policy, or a policy that does not do what it says

use std::sync::Arc;

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Need, ObjectScope, Severity, Threat};
use crate::model::network::Peer;
use crate::model::{Kind, NetworkPolicy};
use crate::network::diff::is_ours;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-004"),
    title: "Pod without a network policy, or a policy that does not do what it says",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["N-05"]),
        cis(&["5.3.2"]),
        kubescape(&["C-0260", "C-0299"]),
        trivy(&["KSV-0038"]),
        mitre(&["T1046"]),
    ],
    docs: Docs {
        why: "A pod that no policy selects may talk to everyone and be talked to by everyone. A policy whose selector, ports or addresses are misspelt is worse than none: it is believed.",
        reads: "Labels of pod templates; NetworkPolicies of the namespace, with every key as it is written.",
        allowed: "Pods that some NetworkPolicy of their namespace selects; policies that the API server takes in full, that select a workload (those that Ironside made may wait for one) and that let in or out not simply everyone. Pods on the node's network are not applicable.",
        repair: "None: NET-002 generates policies for namespaces that a policy of Ironside isolates.",
        breaks: "Nothing; a corrected policy may close connections that were open by mistake.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 5.3.2",
            "Kubernetes documentation, Network Policies",
        ],
    },
    needs: &[Need {
        kind: Kind::NetworkPolicy,
    }],
    check: Check::Object(workloads_and!(Kind::NetworkPolicy), check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    if let Some(policy) = at.network_policy() {
        return check_policy(at, policy, judgement);
    }
    let Some(workload) = at.workload() else { return };
    if workload.spec().host_network == Some(true) {
        return judgement.not_applicable("most network plugins do not restrict pods on the node's network");
    }
    let labels = &workload.workload.template.labels;
    let selected = |policy: &Arc<NetworkPolicy>| policy.spec.pod_selector.matches(labels);
    let policies = at
        .world
        .shard(&at.target.namespace)
        .into_iter()
        .flat_map(|shard| shard.network_policies.values());
    if policies.filter(|policy| selected(policy)).count() > 0 {
        judgement.pass();
    } else {
        judgement.fail(
            "metadata.labels",
            Some(json!(labels)),
            "labels that some NetworkPolicy selects",
        );
    }
}

fn check_policy(at: &ObjectScope<'_>, policy: &NetworkPolicy, judgement: &mut Judgement) {
    judgement.pass();
    for fault in &policy.faults {
        judgement.fail_at(&fault.pointer, None, &fault.expected);
    }
    let ingress = policy.spec.ingress.iter().map(|rule| (&rule.from, &rule.ports));
    let egress = policy.spec.egress.iter().map(|rule| (&rule.to, &rule.ports));
    let all = ingress
        .map(|rule| ("ingress", rule))
        .enumerate()
        .chain(egress.map(|rule| ("egress", rule)).enumerate());
    for (index, (direction, (peers, ports))) in all {
        let everyone = |peer: &Peer| {
            let block = peer.ip_block.as_ref();
            block.is_some_and(|block| block.cidr.ends_with("/0") && block.except.is_empty())
        };
        if ports.is_empty() && (peers.is_empty() || peers.iter().any(everyone)) {
            let pointer = format!("/spec/{direction}/{index}");
            judgement.fail_at(&pointer, Some(json!("everyone, on every port")), "named peers or ports");
        }
    }
    let shard = at.world.shard(&at.target.namespace);
    let mut workloads = shard.into_iter().flat_map(|shard| shard.workloads.values()).peekable();
    let known = workloads.peek().is_some();
    let selector = &policy.spec.pod_selector;
    let selects = workloads.any(|workload| selector.matches(&workload.template.labels));
    // Ironside itself lets in pods that come and go, such as those that answer for a certificate.
    if known && !selector.is_empty() && !selects && !is_ours(policy) {
        let found = Some(json!("selects no workload"));
        judgement.fail_at("/spec/podSelector", found, "labels of a workload of the namespace");
    }
}
