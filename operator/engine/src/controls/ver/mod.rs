//! Controls of versions and of what is past its time.

pub mod ver_001;
pub mod ver_002;
pub mod ver_003;
pub mod ver_005;
