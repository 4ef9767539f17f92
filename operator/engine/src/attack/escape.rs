//! What of a pod gives its node to whoever breaks into it.
//!
//! Only what opens the node by itself counts (MITRE ATT&CK T1611, Escape to Host; NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security). A kernel
//! with a hole opens every node, and nothing here can tell.

use crate::components::{is_runtime_socket, is_sensitive, normal};
use crate::model::container::Container;
use crate::model::template::PodSpec;

/// Capabilities of Linux that are worth the node: they mount its disks, load code into its kernel, write to its memory.
const OPENING: [&str; 4] = ["ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO"];

/// What of a pod opens its node, in words; `None` if nothing does.
pub(super) fn from_pod(spec: &PodSpec) -> Option<String> {
    // Containers of Windows have none of this.
    if spec.is_windows() {
        return None;
    }
    running(spec).find_map(|container| {
        let by = by_privilege(spec, container).or_else(|| by_path(spec, container))?;
        Some(format!("container {} {by}", container.name))
    })
}

/// The containers that run as long as the pod does. An init container has ended when the program can be broken into, unless it is a sidecar.
fn running(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    let sidecars = spec
        .init_containers
        .iter()
        .filter(|container| container.restart_policy.as_deref() == Some("Always"));
    spec.containers.iter().chain(sidecars).chain(&spec.ephemeral_containers)
}

fn by_privilege(spec: &PodSpec, container: &Container) -> Option<String> {
    if container.is_privileged() {
        return Some("is privileged".to_owned());
    }
    if let Some(capability) = OPENING.into_iter().find(|capability| container.adds(capability)) {
        return Some(format!("has the capability {capability}"));
    }
    // Debugging a process of the node is being it.
    let debugs = spec.host_pid == Some(true) && container.adds("SYS_PTRACE");
    debugs.then(|| "has the capability SYS_PTRACE among the node's processes".to_owned())
}

/// A mount that root can write to; a socket takes orders through one that is read-only too. Files of the node belong to its root: who runs as another user
/// is let in only by what the node allows everybody.
fn by_path(spec: &PodSpec, container: &Container) -> Option<String> {
    if is_another_user(spec, container) {
        return None;
    }
    container.volume_mounts.iter().find_map(|mount| {
        let volume = spec.volumes.iter().find(|volume| volume.name == mount.name)?;
        let host = &volume.host_path.as_ref()?.path;
        let path = normal(host);
        if is_runtime_socket(&path) {
            return Some(format!("gives orders to the container runtime ({host})"));
        }
        let writes = mount.read_only != Some(true) && is_sensitive(&path);
        writes.then(|| format!("may write to {host} of the node"))
    })
}

/// Whether a container certainly does not start as root.
fn is_another_user(spec: &PodSpec, container: &Container) -> bool {
    let (own, pod) = (container.security(), spec.security_context.as_deref());
    let user = own.run_as_user.or_else(|| pod?.run_as_user);
    let non_root = own.run_as_non_root.or_else(|| pod?.run_as_non_root);
    user.map_or(non_root == Some(true), |user| user != 0)
}
