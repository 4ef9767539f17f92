//! What the components of a cluster say of themselves when they are asked, beside what objects show of them.
//!
//! Who asks hands it in: nothing here reaches a server. Whatever could not be had is a gap with its reason, never an empty answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::controls::{Gap, Responsibility};
use crate::model::Configuration;

use super::{Counters, Distribution, Flags, Version};

/// Everything that was asked. Equal answers are equal values, so that asking again makes nothing dirty: counts are kept as what they prove.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// Whose Kubernetes it is, by what the API server says of its version.
    pub distribution: Distribution,
    /// The version of the API server (`/version`); `None` where it did not say, or nothing that is one.
    pub version: Option<Version>,
    /// The flags that the API server runs with (`/flagz`).
    pub flags: Answer<Flags>,
    /// What the API server has counted (`/metrics`).
    pub counters: Answer<Counters>,
    /// How the API server answers a request without credentials.
    pub anonymous: Answer<Anonymous>,
    /// What kubelets run with (`/configz`).
    pub kubelets: Answer<Kubelets>,
}

/// The running configuration of kubelets, by node. Equal ones are one.
pub type Kubelets = BTreeMap<Arc<str>, Answer<Arc<Configuration>>>;

/// What came of a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer<T> {
    /// This was answered.
    Said(T),
    /// It could not be had: why.
    Silent(Gap),
}

/// How a request without credentials for something that says nothing about health was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// 401: whoever has no credentials is nobody.
    Refused,
    /// It was taken in as `system:anonymous`, with this status.
    Served(u16),
}

impl<T> Answer<T> {
    /// The answer, if there is one.
    pub const fn said(&self) -> Option<&T> {
        match self {
            Self::Said(answer) => Some(answer),
            Self::Silent(_) => None,
        }
    }

    /// Why there is none.
    pub const fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Said(_) => None,
            Self::Silent(gap) => Some(gap),
        }
    }
}

/// Nobody asked.
impl<T> Default for Answer<T> {
    fn default() -> Self {
        Self::Silent(Gap {
            reason: "NotAsked",
            message: "nobody asked: the operator asks the API server with config/overlays/posture, and kubelets, too, with config/overlays/evidence"
                .to_owned(),
            responsibility: Responsibility::SelfManaged,
        })
    }
}
