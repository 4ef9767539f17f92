//! Controls of network separation (NSA/CISA guide, section "Network separation and hardening").

pub mod net_002;
pub mod net_003;
pub mod net_004;
pub mod net_005;
pub mod net_006;
pub mod net_007;
pub mod net_008;
pub mod net_009;
pub mod net_011;
pub mod net_012;
