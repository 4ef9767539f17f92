//! NET-002 No default-deny ingress

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{
    Check, Control, ControlId, Docs, Gap, Judgement, NamespaceScope, Need, Repair, RepairBy, Responsibility, Risk,
    Severity, Threat,
};
use crate::model::Kind;
use crate::network::denies_by_default;
use crate::network::endpoints::{has_network, of_namespace};
use crate::world::Shard;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-002"),
    title: "No default-deny ingress",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["N-04", "N-05"]),
        cis(&["5.3.2"]),
        kubescape(&["C-0030", "C-0054", "C-0206", "C-0260"]),
        trivy(&["KSV-0038"]),
        mitre(&["T1046", "T1613"]),
    ],
    docs: Docs {
        why: "Without a default deny every pod of the cluster, and whoever took one over, can connect to every port of every pod of the namespace, debug and metrics ports included.",
        reads: "NetworkPolicies of the namespace; its pods and workloads for the evidence. Policies of other API groups (CiliumNetworkPolicy and the like) are not read, and whether the network plugin enforces policies at all is NET-001's question.",
        allowed: "One NetworkPolicy with `podSelector: {}` and policy type Ingress that lets in neither everyone nor every namespace: without rules, or with rules for named sources. A namespace without pods fails too: the next pod would be open. Pods on the node's network are covered by no policy, so with them the answer is Unknown. Not applicable to namespaces that are going away.",
        repair: "For namespaces that a policy isolates (`network.isolate: [Ingress]`): generates allows for the connections that are known to be needed (Services, Ingresses, load balancers and node ports, scraping, pods of one workload among each other), then the default deny. Adds no connection that was not there. Never in namespaces that the API server calls.",
        breaks: "Connections that nothing declares: clients in other namespaces that find a pod or a Service by other means than its DNS name in their pod template, Gateway API routes, ports that are in no Service.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "CIS Kubernetes Benchmark 1.12, 5.3.2",
            "Kubernetes documentation, Network Policies, default policies",
        ],
    },
    needs: &[
        Need { kind: Kind::Namespace },
        Need {
            kind: Kind::NetworkPolicy,
        },
        Need { kind: Kind::Pod },
    ],
    check: Check::Namespace(check),
    repair: Some(Repair {
        risk: Risk::Medium,
        by: RepairBy::NetworkPolicies,
    }),
    ..Control::WORKLOAD
};

fn check(at: &NamespaceScope<'_>, judgement: &mut Judgement) {
    if at.namespace.is_terminating() {
        return judgement.not_applicable("the namespace is going away");
    }
    let Some(shard) = at.world.shard(&at.namespace.metadata.name) else {
        return judgement.not_applicable("the namespace is not there any more");
    };
    if !shard.network_policies.values().any(|policy| denies_by_default(policy)) {
        return judgement.fail("", Some(json!(observed(shard))), EXPECTED);
    }
    let on_nodes: Vec<String> = of_namespace(at.world, shard)
        .into_iter()
        .filter(|endpoint| endpoint.host_network)
        .map(|endpoint| format!("{} {}", endpoint.workload.kind, endpoint.workload.name))
        .collect();
    if on_nodes.is_empty() {
        return judgement.pass();
    }
    judgement.unknown(Gap {
        reason: "HostNetworkPods",
        message: format!(
            "{} use the node's network: the default deny does not cover them",
            on_nodes.join(", ")
        ),
        responsibility: Responsibility::SelfManaged,
    });
}

const EXPECTED: &str =
    "a NetworkPolicy with podSelector {} and policy type Ingress that lets in neither everyone nor every namespace";

/// How far the namespace is from a default deny.
fn observed(shard: &Shard) -> String {
    let pods = || shard.pods.values().filter(|pod| has_network(pod));
    let isolated = pods()
        .filter(|pod| {
            shard
                .network_policies
                .values()
                .any(|policy| policy.spec.restricts_ingress() && policy.spec.pod_selector.matches(&pod.metadata.labels))
        })
        .count();
    let open = shard
        .network_policies
        .values()
        .find(|policy| policy.spec.pod_selector.is_empty() && policy.spec.restricts_ingress());
    match (open, pods().count()) {
        (Some(open), _) => format!(
            "NetworkPolicy {} selects every pod and lets in everyone or every namespace",
            open.metadata.name
        ),
        (None, 0) => "no NetworkPolicy that restricts ingress of every pod; no pod runs now".to_owned(),
        (None, pods) => format!(
            "no NetworkPolicy that restricts ingress of every pod; {isolated} of {pods} pods are selected by some policy"
        ),
    }
}
