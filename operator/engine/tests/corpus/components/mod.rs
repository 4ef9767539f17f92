//! Checks of the cluster's own components: which of our controls, and which of their flags, they ask about.

mod apiserver;
mod controllers;
mod node;

use crate::questions::Ask;

/// Which source, which check (a `*` at the end stands for any ending), what it asks.
pub(crate) fn checks() -> impl Iterator<Item = &'static (&'static str, &'static str, Ask)> {
    apiserver::CHECKS.iter().chain(controllers::CHECKS).chain(node::CHECKS)
}
