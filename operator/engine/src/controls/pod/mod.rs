//! Controls of pod templates (NSA/CISA guide, section "Kubernetes Pod security").

pub mod pod_001;
pub mod pod_002;
pub mod pod_003;
pub mod pod_005;
pub mod pod_007;
pub mod pod_009;
pub mod pod_010;
pub mod pod_011;
pub mod pod_012;
pub mod pod_013;
