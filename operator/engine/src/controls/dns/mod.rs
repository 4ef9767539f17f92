//! Controls of the cluster DNS.

pub mod dns_001;
