//! Whether a workload of this kind, in this state and place, is repaired at all: before any single change is looked at.

use std::collections::BTreeSet;

use super::Held;
use super::shape::misshapen;
use crate::model::{Kind, Pod, Workload};
use crate::policy::SYSTEM_NAMESPACES;
use crate::world::{Reading, Snapshot};

/// Node labels of nodes that are no machines: fields of the pod are ignored or refused there, with rules of their own.
const VIRTUAL_NODE_LABELS: [(&str, &str); 2] = [
    ("type", "virtual-kubelet"),
    ("eks.amazonaws.com/compute-type", "fargate"),
];

/// Prefixes of names of such nodes (EKS Fargate, ACI and other virtual kubelets).
const VIRTUAL_NODES: [&str; 3] = ["fargate-", "virtual-node", "virtual-kubelet"];

/// What can be done with a workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It can be patched; it is not if any reason stands here.
    Patch(Vec<Held>),
    /// It cannot be changed, or a change would do nothing. What a person can do instead.
    NotRepairable(String),
}

/// The standing of a topmost workload.
pub(super) fn standing(world: &Snapshot, workload: &Workload) -> Standing {
    if let Some(instead) = not_repairable(workload) {
        return Standing::NotRepairable(instead);
    }
    let mut held = Vec::new();
    if SYSTEM_NAMESPACES.contains(&workload.meta.namespace.as_str()) {
        held.push(Held::SystemNamespace);
    }
    let unsafe_restarts = [
        by_kind(workload),
        node_critical(workload),
        not_rolled_out(workload),
        debugged(world, workload),
    ];
    held.extend(
        unsafe_restarts
            .into_iter()
            .flatten()
            .map(|why| Held::RestartUnsafe { why }),
    );
    let unclear = [unclear_platform(world, workload), unseen_pods(world, workload)];
    held.extend(unclear.into_iter().flatten().map(|what| Held::Unclear { what }));
    Standing::Patch(held)
}

fn not_repairable(workload: &Workload) -> Option<String> {
    if let Some(why) = invalid_template(workload) {
        return Some(why);
    }
    let owner = workload.meta.controller();
    let instead = match (workload.kind, owner) {
        (Kind::Pod, Some(owner)) if owner.kind == "Node" => static_pod(),
        (Kind::Pod, None) if workload.meta.annotations.contains_key("kubernetes.io/config.mirror") => static_pod(),
        (Kind::Pod | Kind::ReplicaSet | Kind::Job, Some(owner)) => format!(
            "it is made from {} {}, which cannot be seen or is not a workload: change that",
            owner.kind, owner.name
        ),
        (Kind::Pod, None) => {
            "the fields of a pod cannot be changed once it exists: create it anew with these values, or run it from a Deployment".to_owned()
        }
        (Kind::CustomResource, _) => {
            "its kind is not known, and its pod template was found by its shape: change it in the manifest, as its controller has it".to_owned()
        }
        (Kind::Job, None) => {
            "the pod template of a Job cannot be changed: create the Job anew with these values".to_owned()
        }
        _ => return None,
    };
    Some(instead)
}

/// What no API server accepts, but a file may hold: containers are patched and put back by name.
pub(super) fn invalid_template(workload: &Workload) -> Option<String> {
    let spec = &workload.template.spec;
    if spec.containers.is_empty() {
        return Some("its pod template has no containers, which no API server accepts".to_owned());
    }
    if workload.kind != Kind::Pod && !spec.ephemeral_containers.is_empty() {
        return Some("its pod template has ephemeral containers, which no API server accepts".to_owned());
    }
    if let Some(why) = misshapen(&workload.template.json()) {
        return Some(why);
    }
    let mut names = BTreeSet::new();
    spec.all_containers()
        .find(|(_, _, container)| !names.insert(&container.name))
        .map(|(_, _, container)| {
            format!(
                "two containers are named {:?}, which no API server accepts",
                container.name
            )
        })
}

fn static_pod() -> String {
    "a static pod comes from a file on its node: change the file (on managed control planes the provider does)"
        .to_owned()
}

/// Kinds that no plan restarts by itself yet: their rollback cannot be proven, or nothing shows whether it is needed.
fn by_kind(workload: &Workload) -> Option<String> {
    let why = match workload.kind {
        Kind::ReplicaSet | Kind::ReplicationController => {
            "it does not replace running pods when its template changes: use a Deployment"
        }
        Kind::DaemonSet => "a DaemonSet restarts on every node, and what runs there serves the node",
        Kind::StatefulSet => {
            "a StatefulSet that fails does not come back by itself after an undo (kubernetes#67250), and can lose its quorum"
        }
        Kind::CronJob => "nothing shows whether the repair works before the next run",
        _ => return None,
    };
    Some(why.to_owned())
}

/// Agents that the node or the cluster lives on (CNI, CSI, proxies), wherever they run: told by what they are, not by the name of their namespace.
fn node_critical(workload: &Workload) -> Option<String> {
    let spec = &workload.template.spec;
    if let Some(class) = spec
        .priority_class_name
        .as_deref()
        .filter(|class| class.starts_with("system-"))
    {
        return Some(format!("priority class {class}: the node or the cluster depends on it"));
    }
    if workload.kind != Kind::DaemonSet {
        return None;
    }
    let host = [
        (spec.host_network == Some(true), "the node's network"),
        (spec.host_pid == Some(true), "the node's processes"),
        (spec.host_ipc == Some(true), "the node's IPC"),
        (
            spec.volumes.iter().any(|volume| volume.host_path.is_some()),
            "the node's files",
        ),
        (
            spec.all_containers().any(|(_, _, container)| container.is_privileged()),
            "the node's devices",
        ),
    ];
    let used: Vec<&str> = host.iter().filter(|(uses, _)| *uses).map(|(_, what)| *what).collect();
    (!used.is_empty()).then(|| format!("a node agent: it uses {}", used.join(", ")))
}

/// Updates that reach no pod now and all of them some day.
fn not_rolled_out(workload: &Workload) -> Option<String> {
    let spec = &workload.spec;
    let strategy = spec.strategy.as_ref().or(spec.update_strategy.as_ref());
    let partition = strategy.and_then(|strategy| strategy.rolling_update.as_ref()?.partition);
    if spec.paused {
        Some("its rollout is paused: the change would wait for whoever resumes it".to_owned())
    } else if strategy.is_some_and(|strategy| strategy.kind == "OnDelete") {
        Some("its update strategy is OnDelete: the change would wait for the next deleted pod".to_owned())
    } else if partition.is_some_and(|partition| partition > 0) {
        Some("its update strategy has a partition: the change would reach some pods only".to_owned())
    } else {
        None
    }
}

/// A rollout ends the session of whoever debugs one of its pods.
fn debugged(world: &Snapshot, workload: &Workload) -> Option<String> {
    world
        .pods_of(workload)
        .into_iter()
        .find(|pod| is_debugged(pod))
        .map(|pod| {
            format!(
                "an ephemeral container runs in pod {}: somebody debugs it",
                pod.metadata.name
            )
        })
}

/// Ephemeral containers stay in the pod spec for ever; one counts as ended only where its status says so.
fn is_debugged(pod: &Pod) -> bool {
    let statuses = &pod.status.ephemeral_container_statuses;
    let ended = statuses
        .iter()
        .filter(|status| status.state.terminated.is_some())
        .count();
    pod.spec.ephemeral_containers.len() > ended
}

fn unclear_platform(world: &Snapshot, workload: &Workload) -> Option<String> {
    let spec = &workload.template.spec;
    if spec.is_windows()
        || spec
            .runtime_class_name
            .as_deref()
            .is_some_and(|name| name.contains("windows"))
    {
        return Some("Windows pods refuse or ignore most of these fields".to_owned());
    }
    let selected = VIRTUAL_NODE_LABELS
        .iter()
        .any(|(key, value)| spec.node_selector.has(key, value));
    let node = world
        .pods_of(workload)
        .into_iter()
        .filter_map(|pod| pod.spec.node_name.as_deref())
        .find(|node| VIRTUAL_NODES.iter().any(|prefix| node.starts_with(prefix)));
    match node {
        Some(node) => Some(format!("its pods run on the virtual node {node}")),
        None => selected.then(|| "its pods run on virtual nodes".to_owned()),
    }
}

/// Without its pods nothing shows whether a repair works, or whether somebody debugs one of them.
fn unseen_pods(world: &Snapshot, workload: &Workload) -> Option<String> {
    match world.reading(Kind::Pod, &workload.meta.namespace) {
        Reading::Unavailable(gap) => Some(format!("its pods cannot be seen ({})", gap.message)),
        Reading::Complete | Reading::Partial => None,
    }
}
