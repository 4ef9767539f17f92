//! Controls of ServiceAccounts and their tokens (NSA/CISA guide, sections "Protecting Pod service account tokens" and "Authentication and authorization").

pub mod sa_001;
pub mod sa_002;
pub mod sa_003;
pub mod sa_004;
pub mod sa_005;
