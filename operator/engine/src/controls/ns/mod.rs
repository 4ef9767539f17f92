//! Controls of namespaces and admission (NSA/CISA guide, section "Pod security enforcement").

pub mod ns_001;
pub mod ns_002;
pub mod ns_003;
pub mod ns_004;
