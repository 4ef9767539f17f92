//! What policies and exceptions say about an object, parsed once from the custom resources.
//!
//! This module knows which control is judged where, with which parameters and in which mode, and what bounds a repair there. It must not know verdicts or
//! plans. All time comes from arguments.

mod limits;
mod mode;
mod pause;
mod window;

pub use limits::{AutoApprove, Limits, OwnerRoutes, Route, StopAfter};
pub use mode::{Mode, PolicyId, Problem};
pub use pause::Pause;
pub use window::{Window, Windows};
