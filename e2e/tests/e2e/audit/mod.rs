//! The audit sink behind a real API server's webhook backend.

mod deeds;
mod detections;
mod load;
mod sink;

pub(crate) use sink::{Sink, policy_file};
