//! The evidence of one component of a cluster: what objects show of it, and what it says itself.

use std::sync::Arc;

use super::distribution::is_control_plane;
use super::scope::{Document, Zonefile, corefile, documents};
use super::{Answer, Arguments, Distribution, Kubelets, Observed, processes};
use crate::controls::{Component, Gap, Responsibility};
use crate::model::literal::escape;
use crate::model::{Configuration, Kind, ObjectRef};
use crate::world::{Reading, Snapshot};

/// Namespaces in which distributions run the components of a cluster. What runs a component elsewhere is somebody's own: the etcd of an application, the API
/// server of a cluster within the cluster.
const HOMES: [&str; 8] = [
    "kube-system",
    "openshift-kube-apiserver",
    "openshift-etcd",
    "openshift-kube-scheduler",
    "openshift-kube-controller-manager",
    "openshift-cloud-controller-manager",
    "openshift-dns",
    "openshift-sdn",
];

/// Whether components of the cluster run in a namespace.
pub fn is_home(namespace: &str) -> bool {
    HOMES.contains(&namespace)
}

/// Whether an object is evidence of a component of a cluster, which is judged as a whole.
pub fn is_evidence(world: &Snapshot, target: &ObjectRef) -> bool {
    world.observed.is_some() && (is_home(&target.namespace) || target.kind == Kind::Node)
}

/// What shows something of some components.
pub(super) struct Seen<'a> {
    pub(super) processes: Vec<Arguments<'a>>,
    pub(super) documents: Vec<Document<'a>>,
    pub(super) corefiles: Vec<Zonefile<'a>>,
}

/// Everything that shows something of these components.
pub(super) fn seen<'a>(world: &'a Snapshot, observed: &'a Observed, components: &[Component]) -> Seen<'a> {
    let mut seen = Seen {
        processes: Vec::new(),
        documents: Vec::new(),
        corefiles: Vec::new(),
    };
    if components.contains(&Component::KubeApiserver)
        && let Answer::Said(flags) = &observed.flags
    {
        seen.processes.push(Arguments::running(Component::KubeApiserver, flags));
    }
    let kubelets = observed
        .kubelets
        .said()
        .filter(|_| components.contains(&Component::Kubelet));
    seen.documents.extend(kubelets.into_iter().flat_map(running));
    for home in HOMES {
        let Some(shard) = world.shard(home) else { continue };
        for workload in shard.workloads.values() {
            let reference = workload.reference();
            if !world.is_judged(&reference) {
                continue;
            }
            let of_these = processes(&workload.template.spec).filter(|it| components.contains(&it.component));
            seen.processes.extend(of_these.map(|mut process| {
                process.pointer = format!("{}{}", place(&reference), process.pointer);
                process.container = None;
                process.of_workload(workload)
            }));
        }
        for (name, _) in shard.resources_of(Kind::ConfigMap) {
            let reference = ObjectRef::new(Kind::ConfigMap, home, name);
            let of_these = documents(world, &reference).into_iter().filter(|document| {
                let configures = document.kind.configures();
                // What kubelets run with outweighs what they were given when they joined.
                let is_outweighed = kubelets.is_some() && configures == Some(Component::Kubelet);
                !is_outweighed && configures.is_some_and(|component| components.contains(&component))
            });
            seen.documents.extend(of_these.map(|document| Document {
                pointer: format!("{}{}", place(&reference), document.pointer),
                ..document
            }));
            let of_dns = corefile(world, &reference).filter(|_| components.contains(&Component::ClusterDns));
            let placed = of_dns.map(|(pointer, corefile)| (format!("{}{pointer}", place(&reference)), corefile));
            seen.corefiles.extend(placed);
        }
    }
    seen
}

/// What kubelets run with, once for all nodes that have the same.
fn running(kubelets: &Kubelets) -> Vec<Document<'_>> {
    let mut groups: Vec<(&str, usize, &Arc<Configuration>)> = Vec::new();
    for (node, answer) in kubelets {
        let Some(configuration) = answer.said() else { continue };
        match groups.iter_mut().find(|(.., other)| Arc::ptr_eq(other, configuration)) {
            Some((_, more, _)) => *more += 1,
            None => groups.push((node, 0, configuration)),
        }
    }
    let groups = groups.into_iter().map(|(node, more, configuration)| Document {
        kind: Kind::KubeletConfiguration,
        pointer: match more {
            0 => format!("/nodes/{}/configz", escape(node)),
            more => format!("/nodes/{} and {more} more/configz", escape(node)),
        },
        configuration,
    });
    groups.collect()
}

/// The kubelets that do not say what they run with, if some do: why, and which.
pub(super) fn silent(kubelets: &Kubelets) -> Option<Gap> {
    let mut silent = kubelets.iter().filter_map(|(node, answer)| Some((node, answer.gap()?)));
    let (node, gap) = silent.next()?;
    let more = match silent.count() {
        0 => String::new(),
        more => format!("; {more} more nodes are not known either"),
    };
    Some(Gap {
        message: format!("node {node}: {}{more}", gap.message),
        ..gap.clone()
    })
}

/// Where an object stands in the evidence of a component, as a JSON pointer.
pub fn place(reference: &ObjectRef) -> String {
    format!(
        "/objects/{}/{}/{}",
        reference.kind,
        reference.namespace,
        escape(&reference.name)
    )
}

/// Why nothing, or not enough, can be seen of a component.
pub(super) fn unseen(world: &Snapshot, observed: &Observed, component: Component) -> Gap {
    let distribution = Distribution::of_cluster(observed.distribution, world);
    let is_control_plane = is_control_plane(component);
    let name = component
        .target()
        .map_or_else(String::new, |target| target.name.to_string());
    let withheld = match world.reading(Kind::Pod, HOMES[0]) {
        Reading::Unavailable(gap) if component != Component::ContainerRuntime => Some(gap),
        _ => None,
    };
    let objects = if component == Component::ContainerRuntime {
        "the configuration of container runtimes and what they listen on are on the nodes, where nobody looks"
            .to_owned()
    } else if let Some(gap) = withheld {
        gap.message.clone()
    } else {
        format!("nothing that runs {name} is to be seen in {}", HOMES[0])
    };
    let own = match component {
        Component::KubeApiserver => observed.flags.gap(),
        Component::Kubelet => observed.kubelets.gap(),
        _ => None,
    };
    // Nothing is there only for whoever may look.
    let (reason, responsibility) = match own.or(withheld) {
        _ if is_control_plane && distribution.hides_control_plane() => ("NotObservable", Responsibility::Provider),
        Some(gap) => (gap.reason, gap.responsibility),
        None => ("NotObservable", Responsibility::SelfManaged),
    };
    let mut message = objects;
    if let Some(gap) = own {
        message = format!("{message}, and of itself: {}", gap.message);
    } else if is_control_plane && distribution.is_one_process() {
        message.push_str("; it is a part of the one process of this distribution");
    }
    Gap {
        reason,
        message,
        responsibility,
    }
}
