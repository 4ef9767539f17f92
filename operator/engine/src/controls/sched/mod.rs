//! Controls of the scheduler.

pub mod sched_001;
