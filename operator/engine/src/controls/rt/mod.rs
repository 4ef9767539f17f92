//! Controls of the container runtime.

pub mod rt_001;
pub mod rt_002;
