//! Who reads the logs of a node to take them elsewhere, as far as workloads show it. An agent that the node itself starts no object shows.

use std::collections::{BTreeMap, BTreeSet};

use super::{normal, processes};
use crate::controls::Gap;
use crate::model::{Kind, PodSpec, Workload};
use crate::releases::log_agents;
use crate::world::{Reading, Snapshot};

/// Where the kubelet has the logs of containers, of which the second links to the first; and where Docker writes what the first links to.
const OF_CONTAINERS: [&str; 3] = ["/var/log/pods", "/var/log/containers", "/var/lib/docker/containers"];

/// Whether a folder of a node is one with the logs of containers, or holds it.
pub fn holds_container_logs(folder: &str) -> bool {
    OF_CONTAINERS.iter().any(|logs| holds(folder, logs))
}

/// Whether a path lies in a folder, or is it.
pub fn holds(folder: &str, path: &str) -> bool {
    let folder = normal(folder);
    let path = normal(path);
    let rest = path.strip_prefix(folder.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether what stands in this template may read logs of its node: a known agent with some folder, or anything with those of containers.
pub fn may_read_logs(spec: &PodSpec) -> bool {
    let mut folders = host_paths(spec).peekable();
    folders.peek().is_some() && (is_log_agent(spec) || folders.any(holds_container_logs))
}

fn is_log_agent(spec: &PodSpec) -> bool {
    spec.all_containers()
        .any(|(.., container)| log_agents().of_image(&container.image).is_some())
}

fn host_paths(spec: &PodSpec) -> impl Iterator<Item = &str> {
    let paths = spec.volumes.iter().filter_map(|volume| volume.host_path.as_ref());
    paths.map(|host_path| host_path.path.as_str())
}

/// Who reads some file or folder of nodes.
#[derive(Debug, Default)]
pub struct LogReaders<'a> {
    /// Nodes on which a known agent is ready.
    agents: BTreeSet<&'a str>,
    /// Nodes on which something else is ready that has the folder too.
    others: BTreeMap<&'a str, &'a Workload>,
    /// Whether there is a known agent at all, ready or not.
    pub has_agent: bool,
}

/// Who reads it on one node.
#[derive(Clone, Copy, Debug)]
pub enum ReadBy<'a> {
    /// A known agent, which is ready.
    Agent,
    /// Something that is not known to take logs elsewhere.
    Another(&'a Workload),
    /// Nobody who can be seen.
    Nobody,
}

impl<'a> LogReaders<'a> {
    /// The workloads whose pods have a folder that `is_wanted`. The components themselves write logs and are none of them.
    pub fn of(world: &'a Snapshot, is_wanted: impl Fn(&str) -> bool) -> Self {
        let mut found = Self::default();
        for workload in world.workloads() {
            let spec = &workload.template.spec;
            if !host_paths(spec).any(&is_wanted) {
                continue;
            }
            let is_agent = is_log_agent(spec);
            found.has_agent |= is_agent;
            if !is_agent && processes(spec).next().is_some() {
                continue;
            }
            for pod in world.pods_of(workload).into_iter().filter(|pod| pod.is_ready()) {
                let Some(node) = pod.spec.node_name.as_deref() else {
                    continue;
                };
                if is_agent {
                    found.agents.insert(node);
                } else {
                    found.others.insert(node, workload);
                }
            }
        }
        found
    }

    /// Who reads it on a node.
    pub fn on(&self, node: &str) -> ReadBy<'a> {
        match self.others.get(node) {
            _ if self.agents.contains(node) => ReadBy::Agent,
            Some(workload) => ReadBy::Another(workload),
            None => ReadBy::Nobody,
        }
    }
}

/// Why it cannot be said that nobody reads logs: something was not read whole.
pub fn unread(world: &Snapshot) -> Option<Gap> {
    [Kind::Node, Kind::Pod, Kind::DaemonSet]
        .into_iter()
        .find_map(|kind| match world.reading(kind, "") {
            Reading::Complete => None,
            Reading::Unavailable(gap) => Some(gap.clone()),
            Reading::Partial => Some(Gap {
                reason: "NotSeen",
                message: format!("not every {kind} of the cluster was looked at"),
                responsibility: crate::controls::Responsibility::SelfManaged,
            }),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_what_lies_below_it() {
        for folder in [
            "/",
            "/var/log",
            "/var/log/",
            "/var//log/kubernetes",
            "/var/log/kubernetes/audit.log",
        ] {
            assert!(holds(folder, "/var/log/kubernetes/audit.log"), "{folder}");
        }
        for folder in ["/var/log/kube", "/var/lib", "/var/log/kubernetes/audit.log/x", ""] {
            let is_root = folder.is_empty();
            assert_eq!(holds(folder, "/var/log/kubernetes/audit.log"), is_root, "{folder}");
        }
        assert!(holds_container_logs("/var/log") && !holds_container_logs("/var/log/calico"));
    }
}
