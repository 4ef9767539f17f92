//! What a kubelet says it measured (`kubelet/pkg/apis/stats/v1alpha1`, `Summary`), and what is believed of it.

use std::collections::BTreeMap;

use ironside_engine::model::Pod;
use ironside_engine::model::layer::{Layer, Measured, Usage};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::ask::Refusal;

/// A pod that has run for so long is in every summary of its kubelet, and measured.
const LISTED_BY_THEN: SignedDuration = SignedDuration::from_mins(5);

/// The part of a summary that is read.
#[derive(Debug, Deserialize)]
pub(super) struct Summary {
    /// Every kubelet names its node. It is not believed, but what lacks it is no summary.
    #[serde(rename = "node")]
    _node: Node,
    #[serde(default)]
    pods: Vec<PodStats>,
}

#[derive(Debug, Deserialize)]
struct Node {
    #[serde(rename = "nodeName")]
    _name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStats {
    pod_ref: PodRef,
    #[serde(default)]
    containers: Vec<ContainerStats>,
}

#[derive(Debug, Deserialize)]
struct PodRef {
    uid: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStats {
    name: Box<str>,
    start_time: Option<Timestamp>,
    rootfs: Option<FsStats>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsStats {
    time: Option<Timestamp>,
    used_bytes: Option<u64>,
    inodes_used: Option<u64>,
}

impl Summary {
    /// Reads a summary.
    pub(super) fn decode(text: &[u8]) -> Result<Self, Refusal> {
        serde_json::from_slice(text).map_err(|_| Refusal::Malformed)
    }
}

/// What is known of a pod after its kubelet was asked; `None` where it is too early to say anything.
pub(super) fn measured(pod: &Pod, answer: Result<&Summary, &Refusal>, before: Option<&Measured>) -> Option<Measured> {
    let summary = match answer {
        Ok(summary) => summary,
        Err(refusal) => return Some(Measured::Unknown(refusal.to_string().into())),
    };
    let silent = || {
        let old = |start: Timestamp| Timestamp::now().duration_since(start) > LISTED_BY_THEN;
        let silent = pod.status.start_time.is_some_and(old);
        silent.then(|| Measured::Unknown("its kubelet does not measure it".into()))
    };
    let Some(stats) = summary.pods.iter().find(|stats| stats.pod_ref.uid == pod.metadata.uid) else {
        return silent();
    };
    let earlier = match before {
        Some(Measured::Layers(layers)) => Some(layers),
        _ => None,
    };
    let mut layers = BTreeMap::new();
    for container in &stats.containers {
        let Some(layer) = layer(container) else {
            return silent();
        };
        if was_running(pod, &container.name, layer) {
            let earlier = earlier.and_then(|layers| layers.get(&container.name));
            layers.insert(container.name.clone(), layer.after(earlier));
        }
    }
    (!layers.is_empty()).then_some(Measured::Layers(layers))
}

fn layer(container: &ContainerStats) -> Option<Layer> {
    let rootfs = container.rootfs.as_ref()?;
    let usage = Usage {
        bytes: rootfs.used_bytes?,
        inodes: rootfs.inodes_used?,
    };
    Some(Layer {
        since: container.start_time?,
        at: rootfs.time?,
        first: usage,
        last: usage,
    })
}

/// Before a container starts its layer is still being made, and until it was measured containerd says that there is nothing at all, not even its root folder.
fn was_running(pod: &Pod, name: &str, layer: Layer) -> bool {
    let status = pod.status.container_statuses.iter().find(|status| status.name == name);
    let started = status.and_then(|status| status.state.running.as_ref()?.started_at);
    layer.last.inodes > 0 && started.is_some_and(|started| layer.at > started)
}
