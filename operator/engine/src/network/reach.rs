//! Who reaches the pods of a namespace, exactly: every source that policies can tell apart, every piece of the port space that they can tell apart.
//!
//! Sources are the pods of all namespaces, the nodes (hostNetwork pods run with their address), and addresses outside. NetworkPolicies of one namespace decide
//! about ingress of its pods alone: a pod that no policy selects is open; one that some select gets the union of their rules (Kubernetes documentation,
//! "Network Policies"). Whether an `ipBlock` also matches the address of a pod or a node differs between CNIs, so there are two [`Reading`]s.
//!
//! Knows nothing of what is needed or generated.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use super::address::{self, Range};
use super::bits::Bits;
use super::endpoints::{self, Endpoint, Labels};
use super::ports::{self, PortRange, PortSet};
use crate::model::network::{IngressTraffic, NetworkPolicySpec, Peer};
use crate::world::{Shard, Snapshot};

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
    admits: Vec<Vec<Option<[Bits; 2]>>>,
}

/// What is let in, by target: to a pod that no policy isolates, everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    /// By target: whether some policy restricts it.
    isolated: Vec<bool>,
    allowed: Vec<Bits>,
}

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
        let peers: Vec<&Peer> = rules().flat_map(|rule| &rule.from).collect();
        let sources = Sources::of(world, namespace, &peers);
        let ranges = rules().flat_map(|rule| {
            targets
                .iter()
                .flat_map(|target| ports::of_rule(&rule.ports, &target.ports.iter()))
        });
        let ports = ports::atoms(ranges);
        let admits = policies
            .iter()
            .map(|policy| {
                let sets: Vec<_> = policy
                    .ingress
                    .iter()
                    .map(|rule| sources.admitted(namespace, rule))
                    .collect();
                targets
                    .iter()
                    .map(|target| admitted(policy, target, &sets, &ports, sources.classes.len()))
                    .collect()
            })
            .collect();
        Self {
            targets,
            classes: sources.classes,
            ports,
            admits,
        }
    }

    /// What these policies, each in its reading, together and no others, let in.
    pub fn reach(&self, policies: impl IntoIterator<Item = (usize, Reading)>) -> Reach {
        let size = self.classes.len() * self.ports.len();
        let mut isolated = vec![false; self.targets.len()];
        let mut allowed = vec![Bits::none(size); self.targets.len()];
        for (policy, reading) in policies {
            for (target, admitted) in self.admits[policy].iter().enumerate() {
                if let Some(admitted) = admitted {
                    isolated[target] = true;
                    allowed[target].add(&admitted[reading as usize]);
                }
            }
        }
        for (target, isolated) in isolated.iter().enumerate() {
            if !isolated {
                allowed[target] = Bits::all(size);
            }
        }
        Reach { isolated, allowed }
    }

    /// Whether a policy restricts ingress of a target.
    pub fn restricts(&self, policy: usize, target: usize) -> bool {
        self.admits[policy][target].is_some()
    }

    /// Whether an edge is let through.
    pub fn permits(&self, reach: &Reach, edge: Edge) -> bool {
        reach.allowed[edge.target].has(edge.class * self.ports.len() + edge.port)
    }

    /// Edges that `reach` has and `other` has not.
    pub fn beyond<'a>(&'a self, reach: &'a Reach, other: &'a Reach) -> impl Iterator<Item = Edge> + 'a {
        let width = self.ports.len();
        reach
            .allowed
            .iter()
            .zip(&other.allowed)
            .enumerate()
            .flat_map(move |(target, (mine, theirs))| {
                mine.beyond(theirs).map(move |i| Edge {
                    target,
                    class: i / width,
                    port: i % width,
                })
            })
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
        self.isolated[target]
    }

    /// What one or the other lets through.
    #[must_use]
    pub fn or(mut self, other: &Self) -> Self {
        self.allowed
            .iter_mut()
            .zip(&other.allowed)
            .for_each(|(mine, theirs)| mine.add(theirs));
        self
    }

    /// What both let through.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        self.allowed
            .iter_mut()
            .zip(&other.allowed)
            .for_each(|(mine, theirs)| mine.keep(theirs));
        self
    }
}

/// What a policy admits to a target; `sets` are the source classes of its rules.
fn admitted(
    policy: &NetworkPolicySpec,
    target: &Endpoint,
    sets: &[[BTreeSet<usize>; 2]],
    ports: &[PortRange],
    classes: usize,
) -> Option<[Bits; 2]> {
    if !policy.restricts_ingress() || !policy.pod_selector.matches(&target.labels) {
        return None;
    }
    let mut admitted = [Bits::none(classes * ports.len()), Bits::none(classes * ports.len())];
    for (rule, sets) in policy.ingress.iter().zip(sets) {
        let ranges = ports::of_rule(&rule.ports, &target.ports.iter());
        let pieces: Vec<usize> = (0..ports.len())
            .filter(|piece| ranges.iter().any(|range| range.contains(&ports[*piece])))
            .collect();
        for (admitted, classes) in admitted.iter_mut().zip(sets) {
            for class in classes {
                for piece in &pieces {
                    admitted.set(class * ports.len() + piece);
                }
            }
        }
    }
    Some(admitted)
}

/// The sources of a question and what selectors need to know about them.
struct Sources {
    classes: Vec<Class>,
    /// One source of each class, with the labels of its namespace.
    samples: Vec<(Source, Labels)>,
}

impl Sources {
    fn of(world: &Snapshot, namespace: &str, peers: &[&Peer]) -> Self {
        let blocks = peers.iter().filter_map(|peer| peer.ip_block.as_ref());
        let outside = address::atoms(blocks).into_iter().map(Source::Addresses);
        let everywhere = world.shards.iter().flat_map(|(name, shard)| {
            let labels = endpoints::namespace_labels(name, shard);
            let sources = pods_as_sources(world, name, shard, name.as_ref() == namespace, &labels, peers);
            sources.into_iter().map(move |source| (source, labels.clone()))
        });
        let all = everywhere
            .chain([(Source::Node, Labels::new())])
            .chain(outside.map(|source| (source, Labels::new())));
        let mut groups: BTreeMap<(Place, Vec<bool>), (Vec<Source>, Labels)> = BTreeMap::new();
        for (source, labels) in all {
            let signature = peers
                .iter()
                .map(|peer| admits(peer, namespace, &source, &labels, Reading::Least));
            let key = (place(&source, namespace), signature.collect());
            groups.entry(key).or_insert_with(|| (Vec::new(), labels)).0.push(source);
        }
        let (mut classes, mut samples) = (Vec::new(), Vec::new());
        for ((place, _), (sources, labels)) in groups {
            samples.extend(sources.first().map(|source| (source.clone(), labels)));
            classes.push(Class { place, sources });
        }
        Self { classes, samples }
    }

    /// Classes that a rule admits, in either reading.
    fn admitted(&self, namespace: &str, rule: &IngressTraffic) -> [BTreeSet<usize>; 2] {
        [Reading::Least, Reading::Most].map(|reading| {
            let admitted = |(source, labels): &(Source, Labels)| {
                rule.from.is_empty()
                    || rule
                        .from
                        .iter()
                        .any(|peer| admits(peer, namespace, source, labels, reading))
            };
            (0..self.samples.len())
                .filter(|i| admitted(&self.samples[*i]))
                .collect()
        })
    }
}

/// The pods of a namespace as sources: as one where no peer asks for their labels, else by their labels. Pods with the node's network are nodes.
fn pods_as_sources(
    world: &Snapshot,
    name: &Arc<str>,
    shard: &Shard,
    here: bool,
    labels: &Labels,
    peers: &[&Peer],
) -> Vec<Source> {
    let by_labels = peers.iter().any(|peer| {
        let selected = match &peer.namespace_selector {
            Some(selector) => selector.matches(labels),
            None => here,
        };
        selected && peer.pod_selector.as_ref().is_some_and(|selector| !selector.is_empty())
    });
    if !here && !by_labels {
        return vec![Source::AllPods {
            namespace: Arc::clone(name),
        }];
    }
    let pods = shard
        .pods
        .values()
        .filter(|pod| endpoints::has_network(pod) && pod.spec.host_network != Some(true))
        .map(|pod| &pod.metadata.labels);
    let templates = shard
        .workloads
        .values()
        .filter(|workload| workload.template.spec.host_network != Some(true) && world.is_judged(&workload.reference()))
        .map(|workload| &workload.template.labels);
    // Any other pod: one that comes without a label that a policy asks for.
    let other = Labels::new();
    let distinct: BTreeSet<&Labels> = pods.chain(templates).chain(here.then_some(&other)).collect();
    distinct
        .into_iter()
        .map(|labels| Source::Pods {
            namespace: Arc::clone(name),
            labels: labels.clone(),
        })
        .collect()
}

fn place(source: &Source, namespace: &str) -> Place {
    match source {
        Source::Pods { namespace: of, .. } | Source::AllPods { namespace: of } if of.as_ref() == namespace => {
            Place::Here
        }
        Source::Pods { .. } | Source::AllPods { .. } => Place::Elsewhere,
        Source::Node => Place::Node,
        Source::Addresses(_) => Place::Outside,
    }
}

/// Whether a peer of a policy in `namespace` admits a source whose namespace has `labels`.
fn admits(peer: &Peer, namespace: &str, source: &Source, labels: &Labels, reading: Reading) -> bool {
    if let Some(block) = &peer.ip_block {
        return match source {
            Source::Addresses(range) => address::covers(block, range),
            _ => reading == Reading::Most,
        };
    }
    let (of, pod) = match source {
        Source::Pods { namespace, labels } => (namespace, Some(labels)),
        Source::AllPods { namespace } => (namespace, None),
        Source::Node | Source::Addresses(_) => return false,
    };
    let in_namespace = match &peer.namespace_selector {
        Some(selector) => selector.matches(labels),
        // A peer without any selector is refused by the API server.
        None => peer.pod_selector.is_some() && of.as_ref() == namespace,
    };
    in_namespace
        && peer.pod_selector.as_ref().is_none_or(|selector| match pod {
            Some(labels) => selector.matches(labels),
            None => selector.is_empty(),
        })
}
