//! Controls of pod templates (NSA/CISA guide, section "Kubernetes Pod security").

pub mod pod_001;
pub mod pod_002;
pub mod pod_003;
pub mod pod_004;
pub mod pod_005;
pub mod pod_006;
pub mod pod_007;
pub mod pod_008;
pub mod pod_009;
pub mod pod_010;
pub mod pod_011;
pub mod pod_012;
pub mod pod_013;
pub mod pod_014;
pub mod pod_015;
pub mod pod_016;
pub mod pod_017;
pub mod pod_018;
pub mod pod_019;
