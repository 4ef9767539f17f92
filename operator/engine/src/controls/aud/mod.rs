//! Controls of the audit log.

pub mod aud_001;
pub mod aud_003;
pub mod aud_004;
pub mod aud_005;
