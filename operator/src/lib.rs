//! Ironside as a library: the operator process, and the command line.
//!
//! ```text
//! cluster (watches, lease) -> reconcile (world, verdicts, plans) -> report, metrics, http; process puts them together
//! ```

pub mod cli;
pub mod cluster;
pub mod http;
pub mod metrics;
pub mod process;
pub mod reconcile;
pub mod report;
