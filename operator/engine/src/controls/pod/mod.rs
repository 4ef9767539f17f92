//! Controls of pod templates (NSA/CISA guide, section "Kubernetes Pod security").

pub mod pod_009;
