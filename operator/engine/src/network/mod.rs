//! Who may talk to whom: inference of needed connections, generated NetworkPolicies, and the reachability change that they bring.
//!
//! ```text
//! Snapshot -> infer (needs) -> narrow -> generate (allows, deny) -> order (safe writes) -> NetworkPlan
//!                                          |                          |
//!                                          +-----> reach (exact) <----+----> exposure (words)
//! ```
//!
//! Two promises rest here: a generated set adds no connection that was not there, and cuts none that is known to be needed, at no point of its being put in
//! place or taken away.

pub mod address;
mod bits;
pub mod connectivity;
pub mod diff;
pub mod endpoints;
pub mod exposure;
pub mod generate;
pub mod infer;
pub mod narrow;
pub mod order;
pub mod plan;
pub mod ports;
pub mod reach;
pub mod restore;
pub mod settings;
mod sources;
#[cfg(test)]
pub(crate) mod tests;

pub use generate::{Generated, Role};
pub use infer::ExtraAllow;
pub use order::Step;
pub use plan::{Inputs, NetworkPlan, Start, denies_by_default, plan_inputs, plan_namespace};
pub use restore::{Decision, Memory};
pub use settings::Settings;
