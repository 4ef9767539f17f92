//! Controls of nodes, as far as their objects tell.

pub mod node_002;
pub mod node_003;
