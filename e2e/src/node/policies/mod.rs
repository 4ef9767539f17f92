//! NetworkPolicies that bite: an enforcer for the real node, written after the API reference alone and without Ironside's engine,
//! so that one can judge the other.
//!
//! ```text
//! watches -> World -> Intent (who may reach whom) -> nftables, loaded in one piece -> Enforced, a file that says so
//! ```
//!
//! Each address of a pod stands for the pod: selectors mean all of them, blocks those of their family. What pods could say to each other over link-local
//! addresses is dropped.

mod enforce;
mod intent;
mod ruleset;
#[cfg(test)]
mod tests;
mod world;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

pub use self::enforce::serve;
pub use self::intent::{Direction, Intent};
pub use self::world::{Block, Transport, World};

/// What the kernel enforces at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforced {
    /// Resource version of each policy, by `namespace/name`.
    pub policies: BTreeMap<String, String>,
    /// Labels of the pods that are known, by address.
    pub pods: BTreeMap<IpAddr, BTreeMap<String, String>>,
    /// Labels of the namespaces.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

impl Enforced {
    /// Reads what an enforcer wrote.
    ///
    /// # Errors
    /// It has loaded nothing yet.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read(file).with_context(|| format!("{}: nothing is loaded yet", file.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("read {}", file.display()))
    }

    /// In one piece, so that no reader sees half of it.
    fn write(&self, file: &Path) -> Result<()> {
        let unfinished = file.with_extension("unfinished");
        std::fs::write(&unfinished, serde_json::to_vec(self)?).context("write what is enforced")?;
        std::fs::rename(&unfinished, file).context("publish what is enforced")
    }
}
