//! Controls of network separation (NSA/CISA guide, section "Network separation and hardening").

pub mod net_002;
