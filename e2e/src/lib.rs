//! End-to-end harness of Ironside: a real control plane, simulated and real nodes, faults, and the operator as a process.
//!
//! A test is a function that calls [`scenario::scenario`] with an async closure; the closure gets a cluster, a client and a
//! namespace of its own. When it fails, logs, the audit log and dumps lie in `e2e-artifacts/<test>`.
//!
//! Knows Ironside only from outside: its custom resource types and its programs.

pub mod audit;
pub mod bench;
pub mod binaries;
pub mod chance;
pub mod cloud;
pub mod cluster;
pub mod controlplane;
pub mod demo;
pub mod dump;
pub mod install;
pub mod kubectl;
pub mod node;
pub mod nodes;
pub mod operator;
pub mod pki;
pub mod progress;
pub mod prometheus;
pub mod proxy;
pub mod scenario;
pub mod tether;
pub mod wait;
pub mod workloads;

pub use cluster::Cluster;
pub use scenario::{Scenario, scenario};
