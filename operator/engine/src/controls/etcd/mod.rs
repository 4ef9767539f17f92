//! Controls of etcd.

pub mod etcd_001;
pub mod etcd_002;
pub mod etcd_003;
pub mod etcd_004;
pub mod etcd_005;
