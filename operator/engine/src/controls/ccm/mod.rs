//! Controls of the cloud controller manager.

pub mod ccm_001;
pub mod ccm_002;
