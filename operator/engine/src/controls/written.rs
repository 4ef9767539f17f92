//! Evidence from kubelets: whether a container writes to its root file system. Reads the snapshot only; what follows from it is each control's to say.
//!
//! A runtime makes the places that it mounts into a container where the image has none, and those are in the writable layer, too: folders, and empty files.
//! What is there beyond them, the container wrote.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::live::live_pods;
use super::{ContainerScope, WorkloadScope};
use crate::model::layer::{Layer, Measured, Usage};
use crate::model::{ContainerKind, Pod};

/// Whether a declared container writes to its root file system, over all pods of its workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Nobody asks kubelets.
    Unasked,
    /// Kubelets are asked, and the one of this workload was not yet.
    NotYet,
    /// It could not be learned: why, for people.
    Unknown(String),
    /// It does: the pod in which it did.
    Seen(String),
    /// Nothing was seen, which does not prove enough: why, for people.
    Perhaps(String),
    /// It wrote nothing, in every pod, for as long as was asked for, over more than one start.
    Nothing,
}

impl Written {
    /// What a container wrote in the pods of its workload. Pods that ended or are going away do not count. `quiet` is how long nothing must have been written.
    pub(super) fn of(at: &ContainerScope<'_>, workload: &WorkloadScope<'_>, quiet: SignedDuration) -> Self {
        let layers = &workload.world.layers;
        if !layers.asked {
            return Self::Unasked;
        }
        if at.kind == ContainerKind::Init {
            return Self::Unknown("it ends before it can be measured".to_owned());
        }
        let mount_points = mount_points(at);
        let mut unknown = None;
        let (mut measured, mut pods, mut starts) = (0, 0, 0);
        let mut perhaps = None;
        for pod in live_pods(workload) {
            pods += 1;
            match layers.pods.get(&*pod.metadata.uid).map(|(_, measured)| measured) {
                None => {}
                Some(Measured::Unknown(why)) => unknown = Some(why.to_string()),
                Some(Measured::Layers(containers)) => {
                    let name = &*at.container.name;
                    let Some(layer) = containers
                        .get(name)
                        .filter(|layer| is_of_present_start(layer, pod, name))
                    else {
                        continue;
                    };
                    measured += 1;
                    starts += 1 + restarts(pod, name);
                    if layer.grew() || exceeds(layer.last, &mount_points) {
                        return Self::Seen(pod.metadata.name.clone());
                    }
                    perhaps = doubt(layer, &mount_points, quiet).or(perhaps);
                }
            }
        }
        if measured == 0 {
            return unknown.map_or(Self::NotYet, Self::Unknown);
        }
        if measured < pods {
            return Self::Perhaps(unknown.unwrap_or_else(|| "not every pod of it was measured yet".to_owned()));
        }
        match perhaps {
            Some(why) => Self::Perhaps(why),
            None if starts < 2 => Self::Perhaps("it was seen after one start only".to_owned()),
            None => Self::Nothing,
        }
    }
}

/// What a runtime may have made at most.
struct MountPoints {
    inodes: u64,
    folders: u64,
}

/// Size of a folder on the file systems that give it any: a block.
const FOLDER: u64 = 4096;

/// Folders that every container gets, the layer's own root first.
const FOLDERS: [&str; 5] = ["/", "/dev", "/etc", "/proc", "/sys"];
/// Files that the kubelet and the runtime mount into every container.
const FILES: u64 = 3; // /etc/hosts, /etc/hostname, /etc/resolv.conf
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

fn mount_points(at: &ContainerScope<'_>) -> MountPoints {
    let mounted = at.container.volume_mounts.iter().map(|mount| mount.mount_path.as_str());
    let token = (at.pod.spec().automount_service_account_token != Some(false)).then_some(TOKEN);
    let mut folders: BTreeSet<&str> = FOLDERS.into();
    for path in mounted.chain(token) {
        let path = path.trim_end_matches('/');
        let below = path.char_indices().skip(1).filter(|(_, c)| *c == '/');
        folders.extend(below.map(|(end, _)| &path[..end]));
        folders.extend(Some(path).filter(|path| !path.is_empty()));
    }
    let folders = folders.len() as u64;
    MountPoints {
        inodes: folders + FILES,
        folders,
    }
}

fn exceeds(usage: Usage, mount_points: &MountPoints) -> bool {
    usage.inodes > mount_points.inodes || usage.bytes > mount_points.folders * FOLDER
}

/// Why a layer in which nothing was seen proves nothing.
fn doubt(layer: &Layer, mount_points: &MountPoints, quiet: SignedDuration) -> Option<String> {
    if layer.last.inodes < mount_points.inodes {
        // An image that has some of the places already leaves room for files that look like them.
        Some("what it may have written at its start is not told apart from the places that are mounted".to_owned())
    } else if layer.age() < quiet {
        Some(format!("not all of its pods have run for {quiet:#} without"))
    } else {
        None
    }
}

/// A container that started after the measurement has a new layer.
fn is_of_present_start(layer: &Layer, pod: &Pod, name: &str) -> bool {
    let status = pod.status.container_statuses.iter().find(|status| status.name == name);
    let started = status.and_then(|status| status.state.running.as_ref()?.started_at);
    started.is_some_and(|started| started <= layer.at)
}

fn restarts(pod: &Pod, name: &str) -> i32 {
    let status = pod.status.container_statuses.iter().find(|status| status.name == name);
    status.map_or(0, |status| status.restart_count)
}
