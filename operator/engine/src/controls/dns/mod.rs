//! Controls of the cluster DNS.

pub mod dns_001;
pub mod dns_002;
pub mod dns_003;
