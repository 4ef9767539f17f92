//! The index of everything that was seen: one writer takes deltas in, readers get an immutable [`Snapshot`] and the set of what changed.

mod snapshot;

pub use snapshot::{Shard, Snapshot};
