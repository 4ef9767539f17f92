//! What a failing rollout looks like from outside: which symptom the pods of the new template show, who is suspected, and whether the repair can be
//! to blame at all.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::pod::{ContainerStatus, PodCondition, Terminated, Waiting};
use crate::model::{Pod, Workload};

/// Shell convention 128 + SIGSYS (31): how a process ends that a seccomp profile stops.
const EXIT_SECCOMP: i32 = 159;

/// How long a cause that may pass by itself (a node is being added, a quota is about to be freed) is waited for.
const PATIENCE: Duration = Duration::from_mins(5);

/// How long a node that does not answer is waited for. Its pods are deleted after five minutes, unless they say otherwise (Kubernetes documentation, "Taints
/// and Tolerations", taint based evictions), and then others have to start; a rollback would not be faster.
const AWAY: Duration = Duration::from_mins(10);

/// What was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Symptom {
    /// The kubelet refuses to start the container as root.
    RunAsNonRoot,
    /// The container starts and ends, again and again.
    CrashLoopBackOff,
    /// The container ended with an error more than once.
    Exited,
    /// The container was killed for its memory.
    OomKilled,
    /// The runtime cannot create the container.
    CreateContainerError,
    /// The runtime cannot start the container.
    RunContainerError,
    /// Pod Security admission refuses the pods.
    PodSecurityRefused,
    /// Pods cannot be created for another reason.
    PodsRefused,
    /// Fewer pods are available than before.
    Unavailable,
    /// The rollout did not finish in time.
    DeadlineExceeded,
    /// A ConfigMap, Secret or key that the pod names is missing.
    ConfigMissing,
    /// The image cannot be pulled.
    ImagePull,
    /// No node takes the pod.
    Unschedulable,
    /// A quota is used up.
    QuotaExceeded,
    /// The node of the pod went away, or the pod was evicted.
    NodeLost,
}

impl Symptom {
    /// Every symptom.
    pub const ALL: [Self; 15] = [
        Self::RunAsNonRoot,
        Self::CrashLoopBackOff,
        Self::Exited,
        Self::OomKilled,
        Self::CreateContainerError,
        Self::RunContainerError,
        Self::PodSecurityRefused,
        Self::PodsRefused,
        Self::Unavailable,
        Self::DeadlineExceeded,
        Self::ConfigMissing,
        Self::ImagePull,
        Self::Unschedulable,
        Self::QuotaExceeded,
        Self::NodeLost,
    ];

    /// The word in memory, status and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::RunAsNonRoot => "RunAsNonRoot",
            Self::CrashLoopBackOff => "CrashLoopBackOff",
            Self::Exited => "Exited",
            Self::OomKilled => "OomKilled",
            Self::CreateContainerError => "CreateContainerError",
            Self::RunContainerError => "RunContainerError",
            Self::PodSecurityRefused => "PodSecurityRefused",
            Self::PodsRefused => "PodsRefused",
            Self::Unavailable => "Unavailable",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::ConfigMissing => "ConfigMissing",
            Self::ImagePull => "ImagePull",
            Self::Unschedulable => "Unschedulable",
            Self::QuotaExceeded => "QuotaExceeded",
            Self::NodeLost => "NodeLost",
        }
    }

    /// Reads what [`Symptom::reason`] writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|symptom| symptom.reason() == word)
    }

    /// Whether the cause lies outside the repair: such a rollout is undone, and no control is blamed.
    pub const fn is_environmental(self) -> bool {
        matches!(
            self,
            Self::ConfigMissing | Self::ImagePull | Self::Unschedulable | Self::QuotaExceeded | Self::NodeLost
        )
    }

    /// How long it is waited for, if it may pass by itself.
    const fn patience(self) -> Option<Duration> {
        match self {
            Self::Unschedulable | Self::QuotaExceeded | Self::PodsRefused => Some(PATIENCE),
            Self::NodeLost => Some(AWAY),
            _ => None,
        }
    }

    /// The controls whose repairs are known to cause it; empty where any may be to blame.
    const fn suspects(self) -> &'static [&'static str] {
        match self {
            Self::RunAsNonRoot => &["POD-007"],
            Self::OomKilled => &["RES-001", "RES-002"],
            _ => &[],
        }
    }
}

/// One failure that was seen on pods of the new template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// What.
    pub symptom: Symptom,
    /// For people: container and what the kubelet says, without pod names, so that it is stable.
    pub message: String,
    /// Controls that are suspected; empty for all of the attempt.
    pub suspects: &'static [&'static str],
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
}

impl Signature {
    pub(super) fn new(symptom: Symptom, message: impl Into<String>) -> Self {
        Self {
            symptom,
            message: message.into(),
            suspects: symptom.suspects(),
            since: None,
        }
    }

    /// A failure that is no pod's but the rollout's.
    pub(super) fn of_rollout(symptom: Symptom, message: &str) -> Self {
        Self::new(symptom, message)
    }

    /// When it counts: at once, or after a while where it may pass by itself. `None` if that cannot be told: then it only explains why a rollout takes long.
    pub fn counts_from(&self) -> Option<Timestamp> {
        match self.symptom.patience() {
            Some(patience) => self.since.map(|since| super::after(since, patience)),
            None => Some(self.since.unwrap_or(Timestamp::MIN)),
        }
    }

    /// The controls of an attempt that are to blame.
    pub fn blamed(&self, controls: &BTreeSet<String>) -> BTreeSet<String> {
        let suspected: BTreeSet<String> = controls
            .iter()
            .filter(|control| self.suspects.contains(&control.as_str()))
            .cloned()
            .collect();
        if suspected.is_empty() {
            controls.clone()
        } else {
            suspected
        }
    }
}

/// The failures that a pod of the new template shows. `usual_restarts`: whether the workload's containers restarted now and then before the repair,
/// so that a single exit proves nothing.
pub(super) fn of_pod(pod: &Pod, usual_restarts: bool) -> Vec<Signature> {
    let mut found = Vec::new();
    if let Some(lost) = lost_node(pod) {
        found.push(lost);
    }
    if let Some(condition) = pod
        .status
        .conditions
        .iter()
        .find(|c| c.kind == "PodScheduled" && c.status == "False" && c.reason == "Unschedulable")
    {
        let mut unschedulable = Signature::new(Symptom::Unschedulable, "no node takes the pod");
        unschedulable.since = condition.last_transition_time;
        found.push(unschedulable);
    }
    found.extend(refused_by_node(pod));
    let containers = pod.status.init_container_statuses.iter();
    for status in containers.chain(&pod.status.container_statuses) {
        found.extend(of_container(status, usual_restarts));
    }
    found
}

/// The failures that keep a workload's controller from creating pods at all.
pub(super) fn of_controller(workload: &Workload) -> Option<Signature> {
    let condition = workload.condition("ReplicaFailure").filter(|c| c.status == "True")?;
    let text = &condition.message;
    let symptom = if text.contains("exceeded quota") || text.contains("must specify") {
        Symptom::QuotaExceeded
    } else if text.contains("violates PodSecurity") {
        Symptom::PodSecurityRefused
    } else {
        Symptom::PodsRefused
    };
    let mut signature = Signature::new(symptom, format!("pods are refused: {}", without_pod_names(text)));
    signature.since = condition.last_transition_time;
    Some(signature)
}

fn of_container(status: &ContainerStatus, usual_restarts: bool) -> Option<Signature> {
    if let Some(waiting) = &status.state.waiting
        && let Some(signature) = of_waiting(status, waiting)
    {
        return Some(signature);
    }
    // One exit happens to healthy containers: something they need was not there yet. The second is a habit that they did not have.
    let ended = status
        .state
        .terminated
        .as_ref()
        .or(status.last_state.terminated.as_ref())?;
    let again = status.restart_count >= 2 && ended.exit_code != 0;
    (again && !usual_restarts).then(|| of_exit(Symptom::Exited, status, ended))
}

fn of_waiting(status: &ContainerStatus, waiting: &Waiting) -> Option<Signature> {
    let text = waiting.message.to_lowercase();
    let symptom = match waiting.reason.as_str() {
        // The three texts of the kubelet's verifyRunAsNonRoot.
        "CreateContainerConfigError" if text.contains("runasnonroot") || text.contains("non-root policy") => {
            Symptom::RunAsNonRoot
        }
        "CreateContainerConfigError" if text.contains("not found") || text.contains("couldn't find key") => {
            Symptom::ConfigMissing
        }
        "CreateContainerConfigError" | "CreateContainerError" => Symptom::CreateContainerError,
        "RunContainerError" | "StartError" => Symptom::RunContainerError,
        // ErrImagePull alternates with it and is the first of possibly one try.
        "ImagePullBackOff" | "InvalidImageName" | "ErrImageNeverPull" => Symptom::ImagePull,
        "CrashLoopBackOff" => {
            return Some(match &status.last_state.terminated {
                Some(ended) => of_exit(Symptom::CrashLoopBackOff, status, ended),
                None => Signature::new(
                    Symptom::CrashLoopBackOff,
                    format!("container {} keeps ending", status.name),
                ),
            });
        }
        _ => return None,
    };
    let said = without_pod_names(&waiting.message);
    let message = if said.is_empty() {
        format!("container {}: {}", status.name, waiting.reason)
    } else {
        format!("container {}: {said}", status.name)
    };
    Some(Signature::new(symptom, message))
}

fn of_exit(symptom: Symptom, status: &ContainerStatus, ended: &Terminated) -> Signature {
    if ended.reason == "OOMKilled" {
        return Signature::new(
            Symptom::OomKilled,
            format!("container {} was killed for its memory", status.name),
        );
    }
    let mut signature = Signature::new(
        symptom,
        format!("container {} ended with exit code {}", status.name, ended.exit_code),
    );
    if ended.exit_code == EXIT_SECCOMP {
        signature.suspects = &["POD-013"];
        signature.message.push_str(" (a system call that seccomp stops)");
    }
    signature.since = ended.finished_at;
    signature
}

/// Kubernetes documentation, "Disruptions", pod disruption conditions; and the kubelet's own reasons. A pod that ended because of it has been replaced.
pub(super) fn lost_node(pod: &Pod) -> Option<Signature> {
    let disrupted = pod
        .status
        .conditions
        .iter()
        .find(|c| c.kind == "DisruptionTarget" && c.status == "True");
    let reason = pod.status.reason.as_deref().unwrap_or_default();
    let evicted = ["Evicted", "NodeLost", "NodeShutdown", "Terminated", "Shutdown"].contains(&reason);
    let away = node_away(pod);
    (disrupted.is_some() || evicted || away.is_some()).then(|| {
        let mut lost = Signature::new(Symptom::NodeLost, "a pod was evicted or its node went away");
        let since = disrupted.or(away).and_then(|condition| condition.last_transition_time);
        lost.since = since.or(pod.status.start_time).filter(|_| !pod.has_ended());
        lost
    })
}

/// A kubelet takes readiness from a pod only together with one of its containers, or says that it is about a readiness gate. Of a node that does not answer,
/// the node lifecycle controller marks all pods unready and leaves what their kubelet said last (`MarkPodsNotReady` in `pkg/controller/util/node`).
fn node_away(pod: &Pod) -> Option<&PodCondition> {
    let statuses = &pod.status.container_statuses;
    let all_ready = !statuses.is_empty() && statuses.iter().all(|status| status.ready);
    pod.status
        .conditions
        .iter()
        .find(|c| c.kind == "Ready" && c.status == "False" && c.reason != "ReadinessGatesNotReady")
        .filter(|_| all_ready)
}

/// A pod that its node would not take: the kubelet's own admission ends it (`pkg/kubelet/lifecycle`), and its controller makes another. No repair writes
/// what these are about.
fn refused_by_node(pod: &Pod) -> Option<Signature> {
    const REASONS: [&str; 9] = [
        "AppArmor",
        "NodeAffinity",
        "NodePorts",
        "OutOfcpu",
        "OutOfmemory",
        "OutOfpods",
        "PodOSNotSupported",
        "Preempting",
        "UnexpectedAdmissionError",
    ];
    let reason = pod.status.reason.as_deref()?;
    (pod.status.phase.as_deref() == Some("Failed") && REASONS.contains(&reason)).then(|| {
        let mut refused = Signature::new(Symptom::Unschedulable, format!("the node refuses the pod: {reason}"));
        refused.since = pod.status.start_time;
        refused
    })
}

/// The kubelet appends `(pod: "name_ns(uid)", container: c)`, and others quote names of pods: not stable, and of no use to anybody.
fn without_pod_names(text: &str) -> String {
    let head = text.split(" (pod: ").next().unwrap_or_default();
    let head = head.split_once("is forbidden: ").map_or(head, |(_, why)| why);
    head.chars().take(200).collect()
}
