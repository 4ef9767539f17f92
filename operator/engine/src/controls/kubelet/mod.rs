//! Controls of kubelets.

pub mod kubelet_001;
pub mod kubelet_002;
pub mod kubelet_003;
pub mod kubelet_004;
pub mod kubelet_005;
pub mod kubelet_006;
pub mod kubelet_007;
pub mod kubelet_008;
pub mod kubelet_009;
