//! Which ports one end reaches at another, exactly, when every policy counts: those of the destination about ingress and those of the source about egress.
//!
//! A connection passes when both sides let it (Kubernetes documentation, "Network Policies": the two sorts of isolation). A side without a policy that selects
//! it for that direction lets everything pass, one with some lets pass what at least one of their rules says.
//!
//! [`super::reach`] answers another question: everything that can come in to one namespace at once. This one is asked of two ends.

use std::collections::{BTreeMap, BTreeSet};

use super::ports::{self, PortRange, PortSet};
use super::reach::{Reading, Source};
use super::sources::admits;
use crate::model::Labels;
use crate::model::network::{NetworkPolicySpec, Peer, PolicyPort};
use crate::model::pod::DeclaredPort;
use crate::world::Snapshot;

/// One end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// What it is. Pods on the node's network are [`Source::Node`]; addresses must not straddle the edge of a block that a policy names.
    pub is: Source,
    /// Labels of its namespace, where it is a pod.
    pub namespace_labels: Labels,
    /// Ports that its containers declare: what a name means depends on the pod that is reached.
    pub ports: BTreeSet<DeclaredPort>,
}

impl End {
    /// A node, or a pod that uses its network.
    pub fn node() -> Self {
        Self::without_labels(Source::Node)
    }

    /// Addresses outside the cluster.
    pub fn outside(range: super::address::Range) -> Self {
        Self::without_labels(Source::Addresses(range))
    }

    fn without_labels(is: Source) -> Self {
        Self {
            is,
            namespace_labels: Labels::default(),
            ports: BTreeSet::new(),
        }
    }

    /// Namespace and labels, where policies can select it.
    fn selectable(&self) -> Option<(&str, &Labels)> {
        match &self.is {
            Source::Pods { namespace, labels } => Some((namespace, labels)),
            _ => None,
        }
    }
}

/// The two directions, as seen from the pods that a policy selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Direction {
    Ingress,
    Egress,
}

/// The policies of a cluster.
#[derive(Clone, Debug)]
pub struct Policies<'a> {
    by_namespace: BTreeMap<&'a str, Vec<&'a NetworkPolicySpec>>,
    reading: Reading,
}

impl<'a> Policies<'a> {
    /// Those of a snapshot. `reading`: what an `ipBlock` means for pods and nodes.
    pub fn of(world: &'a Snapshot, reading: Reading) -> Self {
        let of_shard = |(name, shard): (&'a std::sync::Arc<str>, &'a std::sync::Arc<crate::world::Shard>)| {
            let policies = shard.network_policies.values().map(|policy| &policy.spec).collect();
            (name.as_ref(), policies)
        };
        Self {
            by_namespace: world.shards.iter().map(of_shard).collect(),
            reading,
        }
    }

    /// Ports on which `from` reaches `to`.
    pub fn allowed(&self, from: &End, to: &End) -> PortSet {
        let leaving = self.lets(Direction::Egress, from, to);
        if leaving.is_empty() {
            return leaving;
        }
        leaving.both(&self.lets(Direction::Ingress, from, to))
    }

    /// Ports that the policies of one side let pass.
    pub fn lets(&self, direction: Direction, from: &End, to: &End) -> PortSet {
        let (subject, peer) = match direction {
            Direction::Ingress => (to, from),
            Direction::Egress => (from, to),
        };
        let everything = || PortRange::everything().into_iter().collect();
        let Some((namespace, labels)) = subject.selectable() else {
            return everything();
        };
        let mut isolated = false;
        let mut open = BTreeSet::new();
        for policy in self.by_namespace.get(namespace).into_iter().flatten() {
            let restricts = match direction {
                Direction::Ingress => policy.restricts_ingress(),
                Direction::Egress => policy.restricts_egress(),
            };
            if !restricts || !policy.pod_selector.matches(labels) {
                continue;
            }
            isolated = true;
            for (peers, ports) in rules(policy, direction) {
                let admitted = |of: &Peer| admits(of, namespace, &peer.is, &peer.namespace_labels, self.reading);
                if peers.is_empty() || peers.iter().any(admitted) {
                    open.extend(ports::of_rule(ports, &to.ports.iter()));
                }
            }
        }
        if isolated {
            open.into_iter().collect()
        } else {
            everything()
        }
    }
}

/// Peers and ports of each rule.
fn rules(policy: &NetworkPolicySpec, direction: Direction) -> Vec<(&[Peer], &[PolicyPort])> {
    match direction {
        Direction::Ingress => policy.ingress.iter().map(|it| (&*it.from, &*it.ports)).collect(),
        Direction::Egress => policy.egress.iter().map(|it| (&*it.to, &*it.ports)).collect(),
    }
}
