//! Controls of the controller manager.

pub mod kcm_001;
pub mod kcm_002;
