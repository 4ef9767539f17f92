//! Controls of versions and of what is past its time.

pub mod ver_001;
