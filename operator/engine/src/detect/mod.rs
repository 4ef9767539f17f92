//! Detections: what somebody does, told when it happens, beside the controls that judge what is there.
//!
//! A change can be within every policy and still be what an insider does first: a NetworkPolicy removed, a role widened, a node joined. The detections that
//! objects show compare an object with what the world knew of it; they are pure and know nothing of requests, and no user: field managers are what a client
//! says of itself. Those that only the API server's audit log shows have their rules beside the sink that receives it.
//!
//! ```text
//! Snapshot before + Delta -> change::seen -> Sightings      audit event -> Sightings
//! ```

mod admission;
mod certificates;
mod change;
mod credentials;
mod detection;
mod dns;
mod exposure;
mod loosened;
mod networks;
mod nodes;
pub mod page;
mod placement;
mod pod_security;
mod rights;
mod sighting;
#[cfg(test)]
mod tests;

pub use change::{Writer, concerns, seen};
pub use detection::{Detection, Facts, Witness};
pub use sighting::Sighting;
