//! What the projects say of their releases: until when they are supported, and which patches are too old. Data with a date, which is worth nothing once it is old.
//!
//! The tables are read from files beside this one; each says when it was true and where it is from.

mod calendar;
mod log_agents;
mod retired;
mod systems;
#[cfg(test)]
mod tests;

pub use calendar::{Calendar, Release, Standing, Table, containerd, kubernetes};
pub use log_agents::{LogAgents, log_agents};
pub use retired::{Program, Retired, retired};
pub use systems::{SystemRelease, SystemStanding, Systems, systems};

use jiff::Timestamp;

/// When what the tables say changes: a release ends, a table is too old.
pub fn endings() -> impl Iterator<Item = Timestamp> {
    let calendars = kubernetes().endings().chain(containerd().endings());
    calendars.chain(systems().endings())
}
