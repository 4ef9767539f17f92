//! Carries out the network plans of the engine: puts a default deny and its allows in place, keeps them, takes them away.
//!
//! ```text
//! View -> Look (plan_namespace, health of the workloads, gates) -> remediate::step -> job: swap the record, then dry run | apply | delete -> Place -> ...
//! ```
//!
//! The record of a namespace is the HardeningRemediation of its Namespace, which lies in the namespace itself: the team there sees and decides it. What must
//! survive a restart is in its status. One request restores an allow; nothing is read but the watches.
//!
//! Decides nothing: which policies is `ironside_engine::network`'s, whether and when is `ironside_engine::remediate`'s, and how requests are sent is
//! [`crate::apply`]'s.

mod keeper;
mod live;
mod look;
mod place;
mod shown;
mod telling;

pub use keeper::Keeper;
