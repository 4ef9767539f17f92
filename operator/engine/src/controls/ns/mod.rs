//! Controls of namespaces and admission (NSA/CISA guide, section "Pod security enforcement").

pub mod ns_001;
