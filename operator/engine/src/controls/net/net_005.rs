//! NET-005 Cloud metadata service reachable

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use std::net::Ipv4Addr;

use crate::model::Kind;
use crate::model::network::PolicyPort;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-005"),
    title: "Cloud metadata service reachable",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor],
    frameworks: &[nsa(&["N-23"]), kubescape(&["C-0052"]), mitre(&["T1552.005"])],
    docs: Docs {
        why: "The metadata service of a cloud gives credentials of the node to whoever asks from it. A pod that reaches it can act as the node, in the cluster and in the cloud.",
        reads: "Egress rules of NetworkPolicies. Whether the service asks for a token of its own (IMDSv2, metadata concealment) only the cloud knows.",
        allowed: "No rule that holds 169.254.169.254 on port 80: no rule without destinations, and `except` where a range holds it. Policies that do not restrict egress are not applicable; NET-003 asks for one that does.",
        repair: "None: pods that use the node's identity need another one first.",
        breaks: "Programs that take the node's identity; use workload identity instead.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Securing a Cluster, restricting cloud metadata API access",
        ],
    },
    check: Check::Object(&[Kind::NetworkPolicy], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(policy) = at.network_policy() else { return };
    if !policy.spec.restricts_egress() {
        return judgement.not_applicable("the policy does not restrict egress (NET-003)");
    }
    judgement.pass();
    for (index, rule) in policy.spec.egress.iter().enumerate() {
        let web = rule.ports.is_empty() || rule.ports.iter().any(reaches_web);
        if rule.to.is_empty() && web {
            let pointer = format!("/spec/egress/{index}");
            judgement.fail_at(&pointer, Some(json!("everyone")), "0.0.0.0/0 except 169.254.169.254/32");
        }
        for (peer, block) in rule
            .to
            .iter()
            .enumerate()
            .filter_map(|(at, peer)| Some((at, peer.ip_block.as_ref()?)))
        {
            let excepted = block.except.iter().any(|hole| holds(hole));
            if web && holds(&block.cidr) && !excepted {
                let pointer = format!("/spec/egress/{index}/to/{peer}/ipBlock");
                judgement.fail_at(&pointer, Some(json!(block.cidr)), "except with 169.254.169.254/32");
            }
        }
    }
}

/// The address at which Amazon, Google, Azure, Oracle and `OpenStack` clouds answer.
const METADATA: u32 = u32::from_be_bytes([169, 254, 169, 254]);

/// Whether an address range holds it.
fn holds(cidr: &str) -> bool {
    let Some((address, length)) = cidr.split_once('/') else {
        return false;
    };
    let (Ok(address), Ok(length)) = (address.parse::<Ipv4Addr>(), length.parse::<u32>()) else {
        return false;
    };
    let mask = u32::MAX.checked_shl(32_u32.saturating_sub(length)).unwrap_or_default();
    u32::from(address) & mask == METADATA & mask
}

/// Whether a rule lets TCP port 80 through, on which the service answers.
fn reaches_web(port: &PolicyPort) -> bool {
    let first = port.port.as_ref().and_then(serde_json::Value::as_i64);
    let last = port.end_port.map(i64::from);
    let is_tcp = port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP");
    is_tcp && first.is_none_or(|first| (first..=last.unwrap_or(first)).contains(&80)) && !is_named(port)
}

fn is_named(port: &PolicyPort) -> bool {
    port.port.as_ref().is_some_and(serde_json::Value::is_string)
}
