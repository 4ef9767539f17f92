//! Who reaches the pods of a namespace, exactly: every source that policies can tell apart, every piece of the port space that they can tell apart.
//!
//! Sources are the pods of all namespaces, the nodes (hostNetwork pods run with their address), and addresses outside. NetworkPolicies of one namespace decide
//! about ingress of its pods alone: a pod that no policy selects is open; one that some select gets the union of their rules (Kubernetes documentation,
//! "Network Policies"). Whether an `ipBlock` also matches the address of a pod or a node differs between CNIs, so there are two [`Reading`]s.
//!
//! Knows nothing of what is needed or generated.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::address::Range;
use super::bits::Bits;
use super::endpoints::{self, Endpoint};
use super::ports::{self, PortRange, PortSet};
use super::sources::Sources;
use crate::model::Labels;
use crate::model::network::{IngressTraffic, NetworkPolicySpec, Peer};
use crate::world::Snapshot;

/// What an `ipBlock` means for sources inside the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It never matches a pod or a node (Cilium's default).
    Least,
    /// It may match any pod or node: their addresses are not known here.
    Most,
}

/// Where a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A pod of the same namespace.
    Here,
    /// A pod of another namespace.
    Elsewhere,
    /// A node: the kubelet, a hostNetwork pod, a NodePort that hides its client.
    Node,
    /// An address outside the cluster.
    Outside,
}

impl Place {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Here => "other pods of the namespace",
            Self::Elsewhere => "pods of other namespaces",
            Self::Node => "nodes",
            Self::Outside => "addresses outside the cluster",
        }
    }
}

/// A source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // Fields say what they are.
pub enum Source {
    /// Pods with these labels.
    Pods { namespace: Arc<str>, labels: Labels },
    /// All pods of a namespace, where no policy asks for their labels.
    AllPods { namespace: Arc<str> },
    /// Every node.
    Node,
    /// Addresses outside.
    Addresses(Range),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pods { namespace, labels } => {
                write!(f, "pods of {namespace}")?;
                let mut separator = " labelled ";
                for (key, value) in labels.iter().filter(|(key, _)| !endpoints::is_volatile(key)) {
                    write!(f, "{separator}{key}={value}")?;
                    separator = ", ";
                }
                Ok(())
            }
            Self::AllPods { namespace } => write!(f, "pods of {namespace}"),
            Self::Node => f.write_str("nodes"),
            Self::Addresses(range) => write!(f, "{range}"),
        }
    }
}

/// Sources that no policy of the question tells apart.
#[derive(Clone, Debug)]
pub struct Class {
    /// Where they are.
    pub place: Place,
    /// The sources, at least one.
    pub sources: Vec<Source>,
}

/// One way in: from a class of sources to a target on a piece of the port space. Indexes into [`Universe::classes`], [`Universe::targets`] and
/// [`Universe::ports`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct Edge {
    pub target: usize,
    pub class: usize,
    pub port: usize,
}

/// Everything that a set of policies can tell apart, and what each of them lets in.
pub struct Universe {
    /// Pods whose ingress policies can restrict: those of the namespace that do not use the node's network.
    pub targets: Vec<Endpoint>,
    /// Sources.
    pub classes: Vec<Class>,
    /// Pieces of the port space.
    pub ports: Vec<PortRange>,
    /// By policy and target: what the policy admits to the target in either reading, `None` where it does not restrict the target.
    admits: Vec<Vec<Option<Arc<[Bits; 2]>>>>,
    /// Every class on every port.
    full: Bits,
}

/// What is let in, by target.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach(Vec<Row>);

/// What is let in to one target; `None` where no policy restricts it, so that everything is.
pub(super) type Row = Option<Bits>;

impl Universe {
    /// Prepares every question about these policies of a namespace. The policies are named by their index from here on.
    pub fn new(world: &Snapshot, namespace: &str, policies: &[&NetworkPolicySpec]) -> Self {
        let targets: Vec<Endpoint> = world
            .shard(namespace)
            .map(|shard| endpoints::of_namespace(world, shard))
            .unwrap_or_default()
            .into_iter()
            .filter(|endpoint| !endpoint.host_network)
            .collect();
        let rules = || policies.iter().flat_map(|policy| &policy.ingress);
        let mut peers: Vec<&Peer> = rules().flat_map(|rule| &rule.from).collect();
        peers.sort_unstable();
        peers.dedup();
        let sources = Sources::of(world, namespace, &peers);
        let ranges = rules().flat_map(|rule| {
            targets
                .iter()
                .flat_map(|target| ports::of_rule(&rule.ports, &target.ports.iter()))
        });
        let ports = ports::atoms(ranges);
        let full = Bits::all(sources.classes.len() * ports.len());
        let admits = policies
            .iter()
            .map(|policy| Policy::of(policy, &sources, namespace).admits(&targets, &ports, &full))
            .collect();
        Self {
            full,
            targets,
            classes: sources.classes,
            ports,
            admits,
        }
    }

    /// What these policies, each in its reading, together and no others, let in.
    pub fn reach(&self, policies: impl IntoIterator<Item = (usize, Reading)>) -> Reach {
        let policies: Vec<_> = policies.into_iter().collect();
        Reach(
            (0..self.targets.len())
                .map(|target| self.row(target, policies.iter().copied()))
                .collect(),
        )
    }

    /// The same for one target.
    pub(super) fn row(&self, target: usize, policies: impl Iterator<Item = (usize, Reading)>) -> Row {
        let mut row: Row = None;
        for (policy, reading) in policies {
            if let Some(admitted) = &self.admits[policy][target] {
                let admitted = &admitted[reading as usize];
                match &mut row {
                    Some(row) => row.add(admitted),
                    None => row = Some(admitted.clone()),
                }
            }
        }
        row
    }

    /// Whether a policy restricts ingress of a target.
    pub fn restricts(&self, policy: usize, target: usize) -> bool {
        self.admits[policy][target].is_some()
    }

    /// Whether an edge is let through.
    pub fn permits(&self, reach: &Reach, edge: Edge) -> bool {
        let row = &reach.0[edge.target];
        row.as_ref()
            .is_none_or(|row| row.has(edge.class * self.ports.len() + edge.port))
    }

    /// Edges that `reach` has and `other` has not.
    pub fn beyond<'a>(&'a self, reach: &'a Reach, other: &'a Reach) -> impl Iterator<Item = Edge> + 'a {
        let rows = reach.0.iter().zip(&other.0).enumerate();
        rows.flat_map(move |(target, (mine, theirs))| {
            self.beyond_row(mine, theirs)
                .map(move |(class, port)| Edge { target, class, port })
        })
    }

    /// Classes and ports that a target loses from one to the other.
    pub(super) fn beyond_at<'a>(
        &'a self,
        reach: &'a Reach,
        other: &'a Reach,
        target: usize,
    ) -> impl Iterator<Item = (usize, usize)> + 'a {
        self.beyond_row(&reach.0[target], &other.0[target])
    }

    /// Classes and ports that one row has and the other has not.
    pub(super) fn beyond_row<'a>(&'a self, row: &'a Row, other: &'a Row) -> impl Iterator<Item = (usize, usize)> + 'a {
        let width = self.ports.len();
        // Nothing is beyond everything.
        let pair = other.as_ref().map(|other| (row.as_ref().unwrap_or(&self.full), other));
        pair.into_iter()
            .flat_map(|(row, other)| row.beyond(other))
            .map(move |i| (i / width, i % width))
    }

    /// The ports of a target that a class reaches.
    pub fn ports_of(&self, reach: &Reach, target: usize, class: usize) -> PortSet {
        (0..self.ports.len())
            .filter(|port| {
                self.permits(
                    reach,
                    Edge {
                        target,
                        class,
                        port: *port,
                    },
                )
            })
            .map(|port| self.ports[port])
            .collect()
    }

    /// An edge in words.
    pub fn describe(&self, edge: Edge) -> String {
        let ports: PortSet = [self.ports[edge.port]].into_iter().collect();
        let from = self.classes[edge.class].sources.first();
        let from = from.map(ToString::to_string).unwrap_or_default();
        format!("{from} to {} on {ports}", self.targets[edge.target].workload)
    }
}

impl Reach {
    /// Whether some policy restricts the target.
    pub fn is_isolated(&self, target: usize) -> bool {
        self.0[target].is_some()
    }

    /// What is let in to a target.
    pub(super) fn row(&self, target: usize) -> &Row {
        &self.0[target]
    }

    /// What one or the other lets through.
    #[must_use]
    pub fn or(self, other: &Self) -> Self {
        let rows = self.0.into_iter().zip(&other.0);
        Self(
            rows.map(|(mine, theirs)| {
                let mut mine = mine?;
                mine.add(theirs.as_ref()?);
                Some(mine)
            })
            .collect(),
        )
    }

    /// What both let through.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let rows = self.0.into_iter().zip(&other.0);
        Self(
            rows.map(|(mine, theirs)| match (mine, theirs) {
                (Some(mut mine), Some(theirs)) => {
                    mine.keep(theirs);
                    Some(mine)
                }
                (mine, theirs) => mine.or_else(|| theirs.clone()),
            })
            .collect(),
        )
    }
}

/// A policy with the source classes of its rules.
struct Policy<'a> {
    spec: &'a NetworkPolicySpec,
    sets: Vec<[Vec<usize>; 2]>,
    classes: usize,
}

impl<'a> Policy<'a> {
    fn of(spec: &'a NetworkPolicySpec, sources: &Sources, namespace: &str) -> Self {
        Self {
            spec,
            sets: spec
                .ingress
                .iter()
                .map(|rule| sources.admitted(namespace, rule))
                .collect(),
            classes: sources.classes.len(),
        }
    }

    /// What it admits to each target that it restricts. Targets for which its ports mean the same share one answer.
    fn admits(&self, targets: &[Endpoint], ports: &[PortRange], full: &Bits) -> Vec<Option<Arc<[Bits; 2]>>> {
        let mut known: BTreeMap<Vec<Vec<usize>>, Arc<[Bits; 2]>> = BTreeMap::new();
        let restricts =
            |target: &Endpoint| self.spec.restricts_ingress() && self.spec.pod_selector.matches(&target.labels);
        targets
            .iter()
            .map(|target| {
                let pieces = restricts(target).then(|| self.pieces(target, ports))?;
                let admitted = known.entry(pieces).or_insert_with_key(|pieces| {
                    let read = |reading| self.admitted(pieces, ports.len(), reading, full);
                    Arc::new([read(Reading::Least), read(Reading::Most)])
                });
                Some(Arc::clone(admitted))
            })
            .collect()
    }

    /// By rule: the pieces of the port space that its ports mean for a target.
    fn pieces(&self, target: &Endpoint, ports: &[PortRange]) -> Vec<Vec<usize>> {
        let of_rule = |rule: &IngressTraffic| {
            let ranges = ports::of_rule(&rule.ports, &target.ports.iter());
            (0..ports.len())
                .filter(|piece| ranges.iter().any(|range| range.contains(&ports[*piece])))
                .collect()
        };
        self.spec.ingress.iter().map(of_rule).collect()
    }

    fn admitted(&self, pieces: &[Vec<usize>], width: usize, reading: Reading, full: &Bits) -> Bits {
        let mut admitted = Bits::none(self.classes * width);
        for (sets, pieces) in self.sets.iter().zip(pieces) {
            let classes = &sets[reading as usize];
            if classes.len() == self.classes && pieces.len() == width {
                return full.clone();
            }
            for class in classes {
                for piece in pieces {
                    admitted.set(class * width + piece);
                }
            }
        }
        admitted
    }
}
