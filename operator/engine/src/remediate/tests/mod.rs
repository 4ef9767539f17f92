//! The state machine against a simulated cluster: each row of the table in `product.md`, then random interleavings.

mod cluster;
mod finishing;
mod gates;
mod health;
mod interleavings;
mod isolation;
mod isolation_crashes;
mod namespace;
mod process;
mod scene;
mod shortage;
mod signatures;
mod starting;
