//! The pure engine of Ironside: what is wrong, what would be changed, and what to do next.
//!
//! Operator and command line share it, so both give the same verdict on the same objects. Nothing here performs I/O, reads a clock, or draws
//! random numbers: time, limits and observations are arguments.
//!
//! ```text
//! objects -> model -> world -> controls/evaluate -> plan -> remediate::step -> effects
//! ```

pub mod attack;
pub mod components;
pub mod controls;
pub mod detect;
pub mod evaluate;
pub mod model;
pub mod network;
pub mod plan;
pub mod policy;
pub mod rbac;
pub mod releases;
pub mod remediate;
#[cfg(test)]
mod testing;
pub mod world;
