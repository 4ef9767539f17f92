//! Who may do what: subjects, bindings and roles as one graph, and whether a subject can become more than it is.
//!
//! Source: Kubernetes documentation, "Using RBAC Authorization" and "RBAC Good Practices, privilege escalation risks". Rights only add up: there is no denial.
//! Other authorizers (node, webhooks) are not seen. This module knows objects only; what is wrong with them the controls say.

mod escalation;
mod graph;
mod identity;
mod roles;
mod rules;
#[cfg(test)]
mod tests;

pub use escalation::{Step, in_words, way_to_admin};
pub use graph::{Grant, Graph};
pub use identity::Identity;
pub use rules::{Asked, Request, allows, covers, is_built_in, is_everything};
