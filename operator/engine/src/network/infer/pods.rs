//! Needs that pods state themselves: among the pods of one workload, ports of the node, scraping, and the solver pods of certificates.

use std::collections::{BTreeMap, BTreeSet};

use super::services::{is_metrics, scraped};
use super::{Around, From, Need, Port, Ports};
use crate::model::network::Protocol;
use crate::model::{Kind, LabelSelector, Labels, ObjectRef, Workload};
use crate::network::endpoints::{self, Endpoint};
use crate::network::ports::PortRange;

/// Label of the pods by which cert-manager answers HTTP-01 challenges: they live for seconds, every 60 days, beside an Ingress.
const ACME_SOLVER: &str = "acme.cert-manager.io/http01-solver";
/// Port of those pods.
const ACME_PORT: u16 = 8089;

pub(super) fn needs(around: &Around<'_>) -> Vec<Need> {
    let mut needs: Vec<Need> = groups(around)
        .into_iter()
        .flat_map(|group| of_group(&group, around))
        .collect();
    if !around.shard.ingresses.is_empty() {
        needs.push(Need {
            to: LabelSelector::of_labels(&Labels::from([(ACME_SOLVER, "true")])),
            from: From::Anyone,
            ports: Ports::These([Port::Numbers(PortRange::one(Protocol::Tcp, ACME_PORT))].into()),
            why: "ACME challenges of the namespace's Ingresses".to_owned(),
        });
    }
    needs
}

/// Selects the pods of a workload, those of later rollouts included; `None` where no label lasts.
pub(crate) fn lasting_selector(workload: &Workload) -> Option<LabelSelector> {
    let lasting = |labels: &Labels| {
        let lasting = labels.iter().filter(|(key, _)| !endpoints::is_volatile(key));
        lasting.collect::<Labels>()
    };
    let selector = match (workload.kind, &workload.spec.selector) {
        (Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet | Kind::ReplicaSet, Some(selector)) => LabelSelector {
            match_labels: lasting(&selector.match_labels),
            match_expressions: selector
                .match_expressions
                .iter()
                .filter(|requirement| !endpoints::is_volatile(&requirement.key))
                .cloned()
                .collect(),
        },
        // The Job controller gives its pods this label; the name is the only thing that lasts.
        (Kind::Job, _) => {
            let name = workload.meta.name.as_str();
            LabelSelector::of_labels(&Labels::from([("batch.kubernetes.io/job-name", name)]))
        }
        _ => LabelSelector::of_labels(&lasting(&workload.template.labels)),
    };
    (!selector.is_empty()).then_some(selector)
}

/// Pods that belong together: of one workload, or of one custom resource.
struct Group {
    /// In words.
    name: String,
    to: LabelSelector,
    /// Whether they may talk to each other on ports that nothing declares.
    peers: bool,
    members: BTreeSet<ObjectRef>,
}

fn groups(around: &Around<'_>) -> Vec<Group> {
    let judged = || {
        around
            .shard
            .workloads
            .values()
            .filter(|workload| around.world.is_judged(&workload.reference()))
    };
    let mut groups: Vec<Group> = judged()
        .filter(|workload| workload.kind != Kind::Pod)
        .filter_map(|workload| {
            let declares = || endpoints_of(around, &workload.reference()).any(|endpoint| !endpoint.ports.is_empty());
            Some(Group {
                name: format!("{} {}", workload.kind, workload.meta.name),
                to: lasting_selector(workload)?,
                // Tasks come and go by the hundred; those that listen say so.
                peers: !matches!(workload.kind, Kind::Job | Kind::CronJob) || declares(),
                members: [workload.reference()].into(),
            })
        })
        .collect();
    let mut of_owner: BTreeMap<String, Vec<&Workload>> = BTreeMap::new();
    for pod in judged().filter(|workload| workload.kind == Kind::Pod) {
        match pod.meta.controller() {
            Some(owner) => of_owner
                .entry(format!("{} {}", owner.kind, owner.name))
                .or_default()
                .push(pod),
            None => groups.extend(lasting_selector(pod).map(|to| Group {
                name: format!("Pod {}", pod.meta.name),
                to,
                // A pod always reaches itself.
                peers: false,
                members: [pod.reference()].into(),
            })),
        }
    }
    groups.extend(of_owner.into_iter().filter_map(|(name, pods)| {
        let to = LabelSelector::of_labels(&common_labels(&pods));
        (!to.is_empty()).then(|| Group {
            name,
            to,
            peers: true,
            members: pods.iter().map(|pod| pod.reference()).collect(),
        })
    }));
    groups
}

fn endpoints_of<'a>(around: &Around<'a>, workload: &ObjectRef) -> impl Iterator<Item = &'a Endpoint> {
    around
        .endpoints
        .iter()
        .filter(move |endpoint| endpoint.workload == *workload)
}

/// Labels that all of them have and that last.
fn common_labels(pods: &[&Workload]) -> Labels {
    let of_first = pods.iter().take(1).flat_map(|pod| pod.template.labels.iter());
    let common = of_first.filter(|(key, value)| {
        !endpoints::is_volatile(key) && pods.iter().all(|pod| pod.template.labels.has(key, value))
    });
    common.collect()
}

fn of_group(group: &Group, around: &Around<'_>) -> Vec<Need> {
    let need = |from, ports, why| Need {
        to: group.to.clone(),
        from,
        ports,
        why,
    };
    let name = &group.name;
    let mut needs = Vec::new();
    if group.peers {
        let from = From::Pods(group.to.clone());
        needs.push(need(from, Ports::All, format!("{name} among its own pods")));
    }
    let endpoints: Vec<&Endpoint> = group
        .members
        .iter()
        .flat_map(|member| endpoints_of(around, member))
        .collect();
    let declared = || {
        endpoints
            .iter()
            .filter(|endpoint| !endpoint.host_network)
            .flat_map(|endpoint| &endpoint.ports)
    };
    let on_host = declared()
        .filter(|port| port.on_host)
        .map(|port| Port::Numbers(PortRange::one(port.protocol, port.port)));
    needs.extend(Ports::of(on_host).map(|ports| need(From::Anyone, ports, format!("hostPort of {name}"))));
    let metrics = declared()
        .filter(|port| port.name.as_deref().is_some_and(is_metrics))
        .flat_map(|port| {
            let named = port
                .name
                .as_deref()
                .map(|name| Port::Named(port.protocol, name.to_owned()));
            named
                .into_iter()
                .chain([Port::Numbers(PortRange::one(port.protocol, port.port))])
        });
    needs.extend(Ports::of(metrics).map(|ports| need(From::Anyone, ports, format!("metrics port of {name}"))));
    for port in scraped_ports(group, around) {
        // Without a port Prometheus' usual configuration scrapes every declared one.
        let ports = port.map_or_else(
            || {
                let declared = declared().filter(|port| port.protocol == Protocol::Tcp);
                Ports::of(declared.map(|port| Port::Numbers(PortRange::one(port.protocol, port.port))))
            },
            |port| Some(scraped(port)),
        );
        needs.extend(ports.map(|ports| need(From::Anyone, ports, format!("scrape annotation of {name}"))));
    }
    needs
}

/// The ports that scrape annotations of the templates or of live pods (injectors rewrite them) name; `None` for an annotation without a port.
fn scraped_ports(group: &Group, around: &Around<'_>) -> BTreeSet<Option<u16>> {
    let templates = group
        .members
        .iter()
        .filter_map(|member| around.world.workload(member))
        .map(|workload| &workload.template.annotations);
    let pods = around
        .shard
        .pods
        .values()
        .filter(|pod| endpoints::has_network(pod) && group.to.matches(&pod.metadata.labels))
        .map(|pod| &pod.metadata.annotations);
    templates
        .chain(pods)
        .filter(|annotations| annotations.get("prometheus.io/scrape").map(String::as_str) == Some("true"))
        .map(|annotations| annotations.get("prometheus.io/port").and_then(|port| port.parse().ok()))
        .collect()
}
