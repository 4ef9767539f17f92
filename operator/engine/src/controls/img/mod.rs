//! Controls of images (NSA/CISA guide, section "Kubernetes Pod security").

pub mod img_001;
pub mod img_002;
pub mod img_003;
pub mod img_006;
