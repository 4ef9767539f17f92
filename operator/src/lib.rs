//! Ironside as a library: the operator process, and the command line.
//!
//! ```text
//! cluster (watches, lease) -> reconcile (world, verdicts, plans) -> report, metrics, http
//! kubelet (what containers write) ^
//! components (what the API server says of itself) ^
//! audit (the API server's audit events) -> what only they show
//!                                                                          -> apply (repairs); process puts all together
//! ```

pub mod apply;
pub mod audit;
pub mod cli;
pub mod cluster;
pub mod components;
#[cfg(test)]
mod corpus;
pub mod detections;
pub mod http;
mod kubelet;
pub mod metrics;
pub mod network;
pub mod process;
pub mod reconcile;
pub mod report;
pub mod yaml;
