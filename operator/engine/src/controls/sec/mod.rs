//! Controls of secrets (NSA/CISA guide, section "Network separation and hardening", Secrets).

pub mod sec_001;
pub mod sec_002;
pub mod sec_003;
pub mod sec_004;
pub mod sec_005;
pub mod sec_006;
