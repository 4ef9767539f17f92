//! Evidence from live pods: which user a container really runs as. Reads the snapshot only; what follows from it is each control's to say.
//!
//! Source: `status.containerStatuses[].user.linux` (SupplementalGroupsPolicy, on since Kubernetes 1.33, where the container runtime reports it).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ContainerScope, WorkloadScope};
use crate::model::{ContainerKind, Pod};

/// Which user a declared container runs as, over all pods of its workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Identity {
    /// Every pod reports a user that is not root: `(uid, gid)`, without duplicates.
    NonRoot(BTreeSet<(i64, i64)>),
    /// A pod reports uid 0: its name.
    Root(String),
    /// There is no pod, or one that does not report the container's user: why, for people.
    Unreported(String),
}

impl Identity {
    /// The identity of a container in the pods of its workload. Pods that ended or are going away do not count.
    pub(super) fn of(at: &ContainerScope<'_>, workload: &WorkloadScope<'_>) -> Self {
        let mut users = BTreeSet::new();
        let mut unreported = None;
        for pod in live_pods(workload) {
            let statuses = match at.kind {
                ContainerKind::Init => &pod.status.init_container_statuses,
                _ => &pod.status.container_statuses,
            };
            let user = statuses
                .iter()
                .find(|status| status.name == at.container.name)
                .and_then(|status| status.user.as_ref()?.linux.as_ref());
            match user {
                Some(user) if user.uid == 0 => return Self::Root(pod.metadata.name.clone()),
                Some(user) => _ = users.insert((user.uid, user.gid)),
                None => unreported = Some(&pod.metadata.name).cloned(),
            }
        }
        match unreported {
            Some(pod) => Self::Unreported(format!("pod {pod} does not report it")),
            None if users.is_empty() => Self::Unreported("no pod runs".to_owned()),
            None => Self::NonRoot(users),
        }
    }
}

/// The pods of a workload that have neither ended nor are going away.
pub(super) fn live_pods<'a>(at: &WorkloadScope<'a>) -> impl Iterator<Item = &'a Arc<Pod>> {
    at.world.pods_of(at.workload).into_iter().filter(|pod| {
        pod.metadata.deletion_timestamp.is_none()
            && !matches!(pod.status.phase.as_deref(), Some("Succeeded" | "Failed"))
    })
}
