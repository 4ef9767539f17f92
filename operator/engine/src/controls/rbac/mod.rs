//! Controls of roles and bindings (NSA/CISA guide, section "Authentication and authorization").

pub mod rbac_001;
pub mod rbac_002;
pub mod rbac_003;
pub mod rbac_004;
pub mod rbac_005;
pub mod rbac_006;
pub mod rbac_007;
pub mod rbac_008;
pub mod rbac_009;
pub mod rbac_010;
pub mod rbac_011;
pub mod rbac_012;
pub mod rbac_013;
pub mod rbac_014;
pub mod rbac_015;
pub(super) mod rules;
