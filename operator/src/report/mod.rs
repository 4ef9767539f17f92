//! What the cluster is told: status of policies and exceptions, and events. The only place that writes them, always as `ironside/status`.
//!
//! Status is a pure function of the view ([`policy_status`], [`exception_status`]); [`writer`] sends it, only on change and at most so often. Nothing here
//! decides what is right or what is repaired.

pub mod community;
pub mod community_writer;
mod due;
pub mod event;
pub mod event_writer;
pub mod exception_status;
pub mod facts;
pub mod patch;
mod policy_conditions;
pub mod policy_status;
pub mod rights;
pub mod stops;
pub mod writer;

pub use community_writer::CommunityWriter;
pub use event::{Event, EventReason, Reporter};
pub use patch::{WriteError, write_status};
pub use stops::Stops;
pub use writer::StatusWriter;

/// An exception that ends within this time is about to expire: metrics and an event say so.
pub const EXPIRING_WITHIN: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// Field manager of everything written here. Never renamed: a renamed manager orphans its fields for ever.
pub const FIELD_MANAGER: &str = "ironside/status";
