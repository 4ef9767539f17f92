//! Whether a live NetworkPolicy is what it should be: by meaning, not by text, so that nothing is written where nothing would change.

use std::collections::BTreeSet;

use serde_json::Value;

use super::generate::{Generated, MANAGER};
use crate::model::managed_fields::owner_of;
use crate::model::network::{IpBlock, NetworkPolicySpec, Peer, PolicyPort};
use crate::model::selector::Requirement;
use crate::model::{FieldOwner, LabelSelector, NetworkPolicy};

/// Whether a live policy was made by Ironside: its field manager has applied it. Labels prove nothing, people copy objects with their labels.
pub fn is_ours(live: &NetworkPolicy) -> bool {
    live.metadata
        .managed_fields
        .iter()
        .any(|entry| entry.manager == MANAGER && entry.is_apply())
}

/// Whether a live policy means what the wanted one means, and carries its labels. Order, defaults that the API server fills in, and what others added to the
/// metadata do not matter.
pub fn is_same(live: &NetworkPolicy, wanted: &Generated) -> bool {
    let labelled = wanted
        .labels()
        .iter()
        .all(|(key, value)| live.metadata.labels.has(key, value));
    labelled && means_same(&live.spec, &wanted.spec)
}

/// Whether two specs mean the same.
pub fn means_same(a: &NetworkPolicySpec, b: &NetworkPolicySpec) -> bool {
    meaning(a) == meaning(b)
}

/// Who else than Ironside wrote into the spec of a policy of ours, if anyone did.
pub fn intruder(live: &NetworkPolicy) -> Option<FieldOwner> {
    let others: Vec<_> = live
        .metadata
        .managed_fields
        .iter()
        .filter(|entry| entry.manager != MANAGER)
        .cloned()
        .collect();
    owner_of(&others, &["spec"])
}

/// A spec without order and defaults.
type Meaning<'a> = (Selector<'a>, bool, bool, BTreeSet<Rule<'a>>, BTreeSet<Rule<'a>>);
/// Peers and ports of a rule; an empty set is everything.
type Rule<'a> = (BTreeSet<PeerMeaning<'a>>, BTreeSet<(&'a str, String, Option<i32>)>);
type PeerMeaning<'a> = (
    Option<Selector<'a>>,
    Option<Selector<'a>>,
    Option<(&'a str, BTreeSet<&'a str>)>,
);
type Selector<'a> = (
    BTreeSet<(&'a str, &'a str)>,
    BTreeSet<(&'a str, &'a str, BTreeSet<&'a str>)>,
);

fn meaning(spec: &NetworkPolicySpec) -> Meaning<'_> {
    (
        selector(&spec.pod_selector),
        spec.restricts_ingress(),
        spec.restricts_egress(),
        spec.ingress
            .iter()
            .map(|traffic| (peers(&traffic.from), ports(&traffic.ports)))
            .collect(),
        spec.egress
            .iter()
            .map(|traffic| (peers(&traffic.to), ports(&traffic.ports)))
            .collect(),
    )
}

fn peers(peers: &[Peer]) -> BTreeSet<PeerMeaning<'_>> {
    peers
        .iter()
        .map(|peer| {
            (
                peer.pod_selector.as_ref().map(selector),
                peer.namespace_selector.as_ref().map(selector),
                peer.ip_block.as_ref().map(block),
            )
        })
        .collect()
}

fn block(block: &IpBlock) -> (&str, BTreeSet<&str>) {
    (&block.cidr, block.except.iter().map(String::as_str).collect())
}

fn ports(ports: &[PolicyPort]) -> BTreeSet<(&str, String, Option<i32>)> {
    ports
        .iter()
        .map(|port| {
            let protocol = port.protocol.as_deref().unwrap_or("TCP");
            let number = port.port.as_ref().filter(|port| !port.is_null()).map(Value::to_string);
            (protocol, number.unwrap_or_default(), port.end_port)
        })
        .collect()
}

fn selector(selector: &LabelSelector) -> Selector<'_> {
    (
        selector.match_labels.iter().collect(),
        selector.match_expressions.iter().map(requirement).collect(),
    )
}

fn requirement(requirement: &Requirement) -> (&str, &str, BTreeSet<&str>) {
    let values = requirement.values.iter().map(String::as_str);
    (&requirement.key, &requirement.operator, values.collect())
}
