//! What a restart of this workload can cost, whatever the change: the risk of a plan is the highest of its controls and of this.

use jiff::{SignedDuration, Timestamp};

use super::image::is_mutable;
use super::{Application, Restart};
use crate::controls::Risk;
use crate::model::{Kind, PodSpec, Workload};
use crate::world::Snapshot;

/// How long ago a pod of the present template may have started to prove that the template still starts: image, pull secret and configuration are still there.
const RECENT_START: SignedDuration = SignedDuration::from_hours(24);

/// A pod that may take so long to end holds connections or work that a restart cuts.
const LONG_GRACE: i64 = 600;

/// What speaks against restarting a workload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RestartRisk {
    pub restart: Restart,
    /// Each reason with its risk, the highest first.
    pub reasons: Vec<(Risk, String)>,
    /// What is lost for good.
    pub irreversible: Vec<String>,
}

/// Assesses a restart now. `earlier` are our own repairs that are in place: the volumes that they added hold nothing of worth.
pub(super) fn assess(world: &Snapshot, workload: &Workload, earlier: &[Application], now: Timestamp) -> RestartRisk {
    let spec = &workload.template.spec;
    let only_in_window = restart_forbidden(workload);
    let irreversible = lost_data(workload, earlier);
    let mut reasons = Vec::new();
    let mut because = |risk: Risk, reason: Option<String>| reasons.extend(reason.map(|reason| (risk, reason)));
    because(Risk::High, interruption(workload));
    because(Risk::High, only_in_window.clone());
    for reason in &irreversible {
        because(Risk::High, Some(reason.clone()));
    }
    for (_, _, container) in spec.all_containers().filter(|(_, _, c)| is_mutable(&c.image)) {
        because(
            Risk::High,
            Some(format!(
                "image {} of container {} may be another one by now: no undo brings the present one back",
                container.image, container.name
            )),
        );
    }
    because(Risk::Medium, without_readiness(spec));
    because(Risk::Medium, no_recent_start(world, workload, now));
    RestartRisk {
        restart: Restart {
            strategy: strategy(workload),
            pods: pods(workload),
            only_in_window,
        },
        reasons,
        irreversible,
    }
}

/// Names the regular containers that count as ready as soon as they run, if there are any: verification has to look longer (story 16).
pub fn without_readiness(spec: &PodSpec) -> Option<String> {
    let unprobed: Vec<&str> = spec
        .containers
        .iter()
        .filter(|container| container.readiness_probe.is_none())
        .map(|container| container.name.as_str())
        .collect();
    (!unprobed.is_empty()).then(|| {
        format!(
            "no readiness probe in {}: a container that fails after its start counts as ready meanwhile",
            unprobed.join(", ")
        )
    })
}

fn strategy(workload: &Workload) -> &'static str {
    let spec = &workload.spec;
    let stated = spec.strategy.as_ref().or(spec.update_strategy.as_ref());
    match (workload.kind, stated.map(|strategy| strategy.kind.as_str())) {
        (Kind::CronJob, _) => "NextRun",
        (Kind::Pod | Kind::Job | Kind::ReplicaSet | Kind::ReplicationController, _) => "None",
        (_, Some("Recreate")) => "Recreate",
        (_, Some("OnDelete")) => "OnDelete",
        _ => "RollingUpdate",
    }
}

fn pods(workload: &Workload) -> u32 {
    let restarted = match strategy(workload) {
        "NextRun" | "None" => 0,
        _ => workload.desired_replicas().unwrap_or(0),
    };
    u32::try_from(restarted).unwrap_or(0)
}

/// The service is down while the only pod, or all at once, are replaced.
fn interruption(workload: &Workload) -> Option<String> {
    let claims: Vec<&str> = workload
        .template
        .spec
        .volumes
        .iter()
        .filter_map(|volume| Some(volume.persistent_volume_claim.as_ref()?.claim_name.as_str()))
        .collect();
    if strategy(workload) == "Recreate" {
        Some("strategy Recreate: all pods stop before new ones start".to_owned())
    } else if workload.kind == Kind::Deployment && workload.desired_replicas() == Some(1) {
        Some("a single replica: the restart interrupts it".to_owned())
    } else if workload.kind == Kind::Deployment && !claims.is_empty() {
        // How a claim may be mounted is not seen; a volume of one node at a time keeps new pods from starting beside old ones.
        Some(format!(
            "volume claim {}: if it is for one node at a time, new pods cannot start beside old ones",
            claims.join(", ")
        ))
    } else {
        None
    }
}

/// Marks by which authors ask that a pod is not moved.
fn restart_forbidden(workload: &Workload) -> Option<String> {
    let annotation = |key: &str| workload.template.annotations.get(key).map(String::as_str);
    let grace = workload.template.spec.termination_grace_period_seconds.unwrap_or(30);
    if annotation("cluster-autoscaler.kubernetes.io/safe-to-evict") == Some("false") {
        Some(
            "annotation cluster-autoscaler.kubernetes.io/safe-to-evict=false: its pods must not be moved at will"
                .to_owned(),
        )
    } else if annotation("karpenter.sh/do-not-disrupt") == Some("true") {
        Some("annotation karpenter.sh/do-not-disrupt=true: its pods must not be moved at will".to_owned())
    } else if grace >= LONG_GRACE {
        Some(format!(
            "its pods may take {} minutes to end: they hold work or connections that a restart cuts",
            grace / 60
        ))
    } else {
        None
    }
}

/// An emptyDir of the only pod, or of a pod with an identity, may be the only place of what is in it.
fn lost_data(workload: &Workload, earlier: &[Application]) -> Vec<String> {
    let holds_data = match workload.kind {
        Kind::StatefulSet => true,
        Kind::Deployment => workload.desired_replicas() == Some(1),
        _ => false,
    };
    let ours: Vec<&str> = earlier
        .iter()
        .flat_map(|application| &application.undo)
        .filter(|written| written.container.is_none() && written.path == "volumes[]")
        .filter_map(|written| written.wrote.get("name")?.as_str())
        .collect();
    workload
        .template
        .spec
        .volumes
        .iter()
        .filter(|volume| holds_data && volume.empty_dir.is_some() && !ours.contains(&volume.name.as_str()))
        .map(|volume| {
            format!(
                "what is in emptyDir volume {} is lost with the restart, and no undo brings it back",
                volume.name
            )
        })
        .collect()
}

/// A restart alone can fail: image deleted, pull secret expired, ConfigMap or Secret changed since the pods started; the undo then fails as well (story 11).
fn no_recent_start(world: &Snapshot, workload: &Workload, now: Timestamp) -> Option<String> {
    if matches!(strategy(workload), "None" | "NextRun") {
        return None;
    }
    if pods(workload) == 0 {
        return Some("scaled to zero: nothing proves that it starts, before or after".to_owned());
    }
    let set = world.new_replica_set(workload).map(|set| set.meta.uid.as_str());
    let proven = world.pods_of(workload).into_iter().any(|pod| {
        let of_template = pod.metadata.controller().map(|owner| owner.uid.as_str()) == set && set.is_some();
        let recent = pod
            .status
            .start_time
            .is_some_and(|start| now.duration_since(start) <= RECENT_START);
        of_template && recent && pod.is_ready()
    });
    (!proven).then(|| {
        "no pod of this template started and became ready in the last 24 hours: the restart itself may fail".to_owned()
    })
}
