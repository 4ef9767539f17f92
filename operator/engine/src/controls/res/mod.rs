//! Controls of resource limits (NSA/CISA guide, section "Network separation and hardening", resource policies).

mod compute;
pub mod res_001;
pub mod res_002;
pub mod res_003;
pub mod res_004;
pub mod res_005;
