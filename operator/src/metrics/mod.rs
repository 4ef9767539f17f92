//! Metrics for Prometheus, prefix `ironside_`.
//!
//! Gauges are computed from the latest view when somebody scrapes ([`state`]), so they cannot drift; counters exist only for things that happen
//! ([`happenings`]). Labels are closed sets or names of policies and namespaces, never names of objects, never messages. The number of series is capped
//! ([`findings`]), and what did not fit is counted.

mod audit;
pub mod definitions;
pub mod family;
pub mod findings;
pub mod happenings;
pub mod process;
mod repairs;
pub mod state;

use std::sync::Arc;

use prometheus::{Encoder as _, Registry, TextEncoder};

pub use happenings::Happenings;
pub use state::State;

/// All metrics of the process.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// Metrics of a process in this state.
    pub fn new(state: State, happenings: &Happenings) -> anyhow::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(state))?;
        happenings.register(&registry)?;
        Ok(Self { registry })
    }

    /// The text that Prometheus scrapes.
    pub fn text(&self) -> anyhow::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8(text)?)
    }

    /// Metrics of a process that has seen nothing.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        let (_, views) = crate::reconcile::Feed::new();
        let happenings = Arc::new(Happenings::new().unwrap());
        Self::new(State::for_tests(views, &happenings), &happenings).unwrap()
    }
}

/// Shared counters, as everything that makes something happen gets them.
pub type SharedHappenings = Arc<Happenings>;
