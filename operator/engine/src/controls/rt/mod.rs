//! Controls of the container runtime.

pub mod rt_002;
