//! What policies and exceptions say about an object, parsed once from the custom resources.
//!
//! This module knows which control is judged where, with which parameters and in which mode, and what bounds a repair there. It must not know verdicts or
//! plans. All time comes from arguments.
//!
//! ```text
//! custom resources -> PolicySet, ExceptionSet (compiled once per change)
//! PolicySet + namespace -> InNamespace: votes per control, limits, delegation
//! ```

mod delegation;
mod detections;
mod exception;
mod in_namespace;
mod limits;
mod mode;
mod parse;
mod pause;
mod profile;
mod scope;
mod set;
#[cfg(test)]
mod tests;
mod window;

pub use exception::{Effect, Exception, ExceptionId, ExceptionSet, ExceptionState};
pub use in_namespace::{InNamespace, Vote};
pub use limits::{AutoApprove, Limits, OwnerRoutes, Route, StopAfter};
pub use mode::{Mode, PolicyId, Problem};
pub use parse::{Ballot, Policy};
pub use pause::{Pause, PausedBy};
pub use scope::SYSTEM_NAMESPACES;
pub use set::{PolicySet, Telling};
pub use window::{Window, Windows};
