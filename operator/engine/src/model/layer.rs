//! What containers wrote over their images: the size of their writable layers, as kubelets measure it (`/stats/summary`, `containers[].rootfs`). No object of
//! the API server says so; whoever asks the kubelets hands it in.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::ObjectRef;

/// Size of a writable layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on disk; a directory counts as the file system counts it.
    pub bytes: u64,
    /// Files and directories.
    pub inodes: u64,
}

/// The writable layer of one running container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// When the container was created. A container that starts again gets a new layer.
    pub since: Timestamp,
    /// When it was measured last.
    pub at: Timestamp,
    /// As it was measured first.
    pub first: Usage,
    /// As it was measured last.
    pub last: Usage,
}

/// What is known of the containers of one pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measured {
    /// By container.
    Layers(BTreeMap<Box<str>, Layer>),
    /// The kubelet could not be asked, or what it said could not be used: why, for people.
    Unknown(Arc<str>),
}

/// What is known of all pods, by UID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Whether kubelets are asked at all. A pod that is not here has not been asked about yet then.
    pub asked: bool,
    /// Which pod it is, and its layers.
    pub pods: BTreeMap<Box<str>, (ObjectRef, Measured)>,
}

impl Layer {
    /// The same layer, measured once more; a layer of its own if the container started again in between.
    #[must_use]
    pub fn after(self, earlier: Option<&Self>) -> Self {
        let same = earlier.filter(|earlier| earlier.since == self.since);
        Self {
            first: same.map_or(self.first, |earlier| earlier.first),
            ..self
        }
    }

    /// Whether it became larger while we looked.
    pub fn grew(&self) -> bool {
        self.last.bytes > self.first.bytes || self.last.inodes > self.first.inodes
    }

    /// How long the container had run when it was measured last.
    pub fn age(&self) -> SignedDuration {
        self.at.duration_since(self.since)
    }
}

impl Layers {
    /// The pods about which this says something else than `earlier` did, in a way that a plan may rest on. Age alone counts by hours, and by its doublings
    /// before: a plan must not be made anew with every measurement.
    pub(crate) fn news<'a>(&'a self, earlier: &'a Self) -> impl Iterator<Item = &'a ObjectRef> {
        self.pods
            .iter()
            .filter(|(uid, (_, new))| earlier.pods.get(*uid).is_none_or(|(_, old)| gist(old) != gist(new)))
            .map(|(_, (pod, _))| pod)
    }
}

fn gist(measured: &Measured) -> Result<Vec<(&str, bool, Usage, i64)>, &str> {
    match measured {
        Measured::Unknown(why) => Err(why),
        Measured::Layers(layers) => Ok(layers
            .iter()
            .map(|(name, layer)| {
                let seconds = layer.age().as_secs().max(1);
                let hours = seconds / 3600;
                let step = if hours > 0 {
                    64 + hours
                } else {
                    i64::from(seconds.ilog2())
                };
                (&**name, layer.grew(), layer.last, step)
            })
            .collect()),
    }
}
