//! Sources of connections, grouped into classes that no policy of a question tells apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::address;
use super::endpoints;
use super::reach::{Class, Place, Reading, Source};
use crate::model::Labels;
use crate::model::network::{IngressTraffic, Peer};
use crate::world::{Shard, Snapshot};

/// The sources of a question and what selectors need to know about them.
pub(super) struct Sources {
    pub(super) classes: Vec<Class>,
    /// One source of each class, with the labels of its namespace.
    samples: Vec<(Source, Labels)>,
}

impl Sources {
    pub(super) fn of(world: &Snapshot, namespace: &str, peers: &[&Peer]) -> Self {
        let blocks = peers.iter().filter_map(|peer| peer.ip_block.as_ref());
        let outside = address::atoms(blocks).into_iter().map(Source::Addresses);
        let everywhere = world.shards.iter().flat_map(|(name, shard)| {
            let labels = endpoints::namespace_labels(name, shard);
            let sources = pods_as_sources(world, name, shard, name.as_ref() == namespace, &labels, peers);
            sources.into_iter().map(move |source| (source, labels.clone()))
        });
        let all = everywhere
            .chain([(Source::Node, Labels::default())])
            .chain(outside.map(|source| (source, Labels::default())));
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
    pub(super) fn admitted(&self, namespace: &str, rule: &IngressTraffic) -> [Vec<usize>; 2] {
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
    let other = Labels::default();
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
pub(super) fn admits(peer: &Peer, namespace: &str, source: &Source, labels: &Labels, reading: Reading) -> bool {
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
