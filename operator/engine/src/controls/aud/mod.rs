//! Controls of the audit log.

pub mod aud_001;
