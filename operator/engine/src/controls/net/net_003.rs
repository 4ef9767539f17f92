//! NET-003 No default-deny egress

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, NamespaceScope, Need, Severity, Threat};
use crate::model::network::Peer;
use crate::model::{Kind, NetworkPolicy};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-003"),
    title: "No default-deny egress",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["N-04", "N-13"]),
        cis(&["5.3.2"]),
        kubescape(&["C-0030", "C-0206"]),
        trivy(&["KSV-0038"]),
        mitre(&["T1046", "T1496"]),
    ],
    docs: Docs {
        why: "Without it every pod, and whoever took one over, can connect to every address: to other namespaces, to the cloud's metadata service, and to the server that data is carried off to.",
        reads: "NetworkPolicies of the namespace. Policies of other API groups are not read, and whether the network plugin enforces policies at all is NET-001's question.",
        allowed: "One NetworkPolicy with `podSelector: {}` and policy type Egress that does not let out to everyone: without rules, or with rules for named destinations or ports, such as DNS. Not applicable to namespaces that are going away.",
        repair: "None: where a pod must connect to cannot be seen from outside it.",
        breaks: "Name resolution, calls of the API server, of other namespaces and of services outside, until they are allowed.",
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
    ],
    check: Check::Namespace(check),
    ..Control::WORKLOAD
};

fn check(at: &NamespaceScope<'_>, judgement: &mut Judgement) {
    if at.namespace.is_terminating() {
        return judgement.not_applicable("the namespace is going away");
    }
    let Some(shard) = at.world.shard(&at.namespace.metadata.name) else {
        return judgement.not_applicable("the namespace is not there any more");
    };
    if shard.network_policies.values().any(|policy| denies_egress(policy)) {
        judgement.pass();
    } else {
        let found = json!("no NetworkPolicy that restricts egress of every pod");
        judgement.fail(
            "",
            Some(found),
            "a NetworkPolicy with podSelector {} and policy type Egress",
        );
    }
}

/// Whether a policy holds all pods of its namespace and lets none of them out to everyone.
fn denies_egress(policy: &NetworkPolicy) -> bool {
    let spec = &policy.spec;
    spec.pod_selector.is_empty()
        && spec.restricts_egress()
        && !spec.egress.iter().any(|rule| {
            let everyone = |peer: &Peer| peer.ip_block.as_ref().is_some_and(|block| block.cidr.ends_with("/0"));
            rule.ports.is_empty() && (rule.to.is_empty() || rule.to.iter().any(everyone))
        })
}
