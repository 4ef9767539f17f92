//! Carries out the network plans of the engine: puts a default deny and its allows in place, keeps them, takes them away.
//!
//! ```text
//! View -> plan_namespace -> standing (where it stands, may it go on) -> status of the HardeningRemediation -> steps
//! ```
//!
//! The record of a namespace is the HardeningRemediation of its Namespace, which lies in the namespace itself: the team there sees and decides it. What must
//! survive a restart is in its status. One request restores an allow; nothing is read but the watches.
//!
//! Decides nothing about policies: that is `ironside_engine::network`'s.

mod keeper;
mod live;
mod place;
mod record;
mod standing;
mod steps;

pub use keeper::Keeper;
