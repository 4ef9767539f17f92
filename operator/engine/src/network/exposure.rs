//! What a change of policies means for each workload, in words: who still reaches which ports, and who does not any more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::endpoints::Endpoint;
use super::ports::PortSet;
use super::reach::{Place, Reach, Source, Universe};
use crate::model::ObjectRef;

/// Ports of one workload that stay open, by source, and whether anything is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposure {
    /// The workload.
    pub workload: ObjectRef,
    /// Ports that everyone reaches.
    pub everyone: PortSet,
    /// Ports that every other pod of the namespace reaches.
    pub namespace: PortSet,
    /// Ports that its own pods reach.
    pub itself: PortSet,
    /// Ports that single sources reach beyond that: other workloads and namespaces, addresses.
    pub others: Vec<(String, PortSet)>,
    /// Sources that lose something, the wider first.
    pub loses: Vec<Place>,
    /// Sources that lose nothing, because they have all that they had.
    pub spared: Vec<Place>,
}

/// What becomes of each workload; workloads for which nothing changes are left out.
pub fn exposures(universe: &Universe, before: &Reach, after: &Reach) -> Vec<Exposure> {
    let loses = |target: &usize| universe.beyond_at(before, after, *target).next().is_some();
    let mut by_workload: BTreeMap<&ObjectRef, usize> = BTreeMap::new();
    for target in (0..universe.targets.len()).filter(loses) {
        // Pods of one workload differ in labels of the rollout only; the first stands for all.
        by_workload.entry(&universe.targets[target].workload).or_insert(target);
    }
    by_workload
        .into_iter()
        .map(|(workload, target)| exposure(universe, workload, target, before, after))
        .collect()
}

fn exposure(universe: &Universe, workload: &ObjectRef, target: usize, before: &Reach, after: &Reach) -> Exposure {
    let classes = || universe.classes.iter().enumerate();
    let own = &universe.targets[target];
    let (mut everyone, mut namespace, mut itself) = (None, None, None);
    for (i, class) in classes() {
        let open = universe.ports_of(after, target, i);
        let is_own = class.sources.iter().any(|source| is_pod_of(source, own));
        if is_own {
            keep(&mut itself, &open);
        } else if class.place == Place::Here {
            keep(&mut namespace, &open);
        }
        if !is_own {
            keep(&mut everyone, &open);
        }
    }
    let everyone = everyone.unwrap_or_default();
    let namespace = namespace.unwrap_or_else(|| everyone.clone());
    let itself = itself.unwrap_or_default();
    let others = classes()
        .filter(|(_, class)| !class.sources.iter().any(|source| is_pod_of(source, own)))
        .filter_map(|(i, class)| {
            let known = if class.place == Place::Here {
                &namespace
            } else {
                &everyone
            };
            let beyond: PortSet = universe.ports_of(after, target, i).without(known);
            (!beyond.is_empty()).then(|| {
                (
                    class.sources.first().map(ToString::to_string).unwrap_or_default(),
                    beyond,
                )
            })
        })
        .collect();
    let is_other = |class: usize| {
        !universe.classes[class]
            .sources
            .iter()
            .any(|source| is_pod_of(source, own))
    };
    let places = [Place::Outside, Place::Node, Place::Elsewhere, Place::Here].into_iter();
    let there = places.filter(|place| classes().any(|(i, class)| class.place == *place && is_other(i)));
    let cut_for: BTreeSet<Place> = universe
        .beyond_at(before, after, target)
        .map(|(class, _)| universe.classes[class].place)
        .collect();
    let (loses, spared) = there.partition(|place| cut_for.contains(place));
    Exposure {
        workload: workload.clone(),
        everyone,
        namespace,
        itself,
        others,
        loses,
        spared,
    }
}

fn keep(common: &mut Option<PortSet>, open: &PortSet) {
    *common = Some(match common.take() {
        Some(common) => common.both(open),
        None => open.clone(),
    });
}

fn is_pod_of(source: &Source, endpoint: &Endpoint) -> bool {
    matches!(source, Source::Pods { namespace, labels }
        if **namespace == *endpoint.workload.namespace && *labels == endpoint.labels)
}

impl fmt::Display for Exposure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.workload.kind, self.workload.name)?;
        let mut open = Vec::new();
        if !self.everyone.is_empty() {
            open.push(format!("{} for everyone", self.everyone));
        }
        let namespace = self.namespace.without(&self.everyone);
        if !namespace.is_empty() {
            open.push(format!("{namespace} for pods of the namespace"));
        }
        let itself = self.itself.without(&self.everyone).without(&self.namespace);
        if !itself.is_empty() {
            let rest = if self.itself.is_everything() {
                "all ports".to_owned()
            } else {
                itself.to_string()
            };
            open.push(format!("{rest} among its own pods"));
        }
        open.extend(
            self.others
                .iter()
                .map(|(source, ports)| format!("{ports} for {source}")),
        );
        match open.as_slice() {
            [] => f.write_str("nothing stays open")?,
            open => write!(f, "stays open: {}", open.join("; "))?,
        }
        if self.spared.is_empty() {
            return f.write_str(". Everything else is cut");
        }
        let loses: Vec<&str> = self.loses.iter().map(|place| place.as_str()).collect();
        write!(f, ". Everything else is cut for {}", loses.join(", "))
    }
}
