//! The pods of a namespace as network policies see them: labels, declared ports, and whether they use the node's network. Pods that no policy can tell
//! apart are one endpoint. Templates count beside live pods, so that what is scaled to zero or runs at night is not forgotten.

use std::collections::BTreeSet;

use crate::model::pod::DeclaredPort;
use crate::model::{Kind, Labels, ObjectRef, Pod, PodSpec};
use crate::world::{Shard, Snapshot};

/// Label that the API server gives every namespace: its name.
pub const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Labels that controllers add to the pods they make, with a value that changes with every rollout or pod: no selector that is to last may use them.
const VOLATILE: [&str; 8] = [
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-uid",
    "batch.kubernetes.io/controller-uid",
];

/// Whether a label's value changes with every rollout or pod.
pub fn is_volatile(label: &str) -> bool {
    VOLATILE.contains(&label)
}

/// Pods of one workload that no policy can tell apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// The topmost workload, or the pod itself.
    pub workload: ObjectRef,
    /// Labels.
    pub labels: Labels,
    /// Ports that the containers declare.
    pub ports: BTreeSet<DeclaredPort>,
    /// Whether the pods use the node's network: no policy covers them, and none can name them as a source.
    pub host_network: bool,
}

/// Endpoints of a namespace, sorted.
pub fn of_namespace(world: &Snapshot, shard: &Shard) -> Vec<Endpoint> {
    let live = shard.pods.values().filter(|pod| has_network(pod)).map(|pod| Endpoint {
        workload: world.topmost_owner(&ObjectRef::new(Kind::Pod, &pod.metadata.namespace, &pod.metadata.name)),
        labels: pod.metadata.labels.clone(),
        ports: pod.spec.ports.iter().chain(&pod.spec.sidecar_ports).cloned().collect(),
        host_network: pod.spec.host_network == Some(true),
    });
    let templates = shard
        .workloads
        .values()
        .filter(|workload| workload.kind != Kind::Pod && world.is_judged(&workload.reference()))
        .map(|workload| Endpoint {
            workload: workload.reference(),
            labels: workload.template.labels.clone(),
            ports: declared(&workload.template.spec),
            host_network: workload.template.spec.host_network == Some(true),
        });
    let all: BTreeSet<Endpoint> = live.chain(templates).collect();
    all.into_iter().collect()
}

/// Whether a pod still has an address: pods that ended do not.
pub fn has_network(pod: &Pod) -> bool {
    !matches!(pod.status.phase.as_deref(), Some("Succeeded" | "Failed"))
}

/// Ports that the containers of a template declare, those of init containers that keep running included.
fn declared(spec: &PodSpec) -> BTreeSet<DeclaredPort> {
    let sidecars = spec
        .init_containers
        .iter()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"));
    spec.containers
        .iter()
        .chain(sidecars)
        .flat_map(|container| DeclaredPort::of(&container.ports))
        .collect()
}

/// Labels of a namespace, with the one that the API server adds.
pub fn namespace_labels(name: &str, shard: &Shard) -> Labels {
    let labels = shard.namespace.as_ref().map(|namespace| &namespace.metadata.labels);
    labels.cloned().unwrap_or_default().with(NAMESPACE_NAME, name)
}
