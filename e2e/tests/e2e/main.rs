//! The end-to-end tests: one program, so that it is linked once and its tests share one control plane.

mod admission;
mod audit;
mod crash;
mod crds;
mod decisions;
mod detections;
mod diff;
mod fights;
mod fixes;
mod harness;
mod network;
mod numbers;
mod observability;
mod operator;
mod own_policy;
mod pod_security;
mod posture;
mod promises;
mod real_node;
mod repair;
mod reports;
mod rights;
mod scan;
mod stories;
