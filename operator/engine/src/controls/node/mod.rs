//! Controls of nodes, as far as their objects tell.

pub mod node_003;
