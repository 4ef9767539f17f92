//! Controls of the API server.

pub mod api_001;
pub mod api_002;
pub mod api_003;
pub mod api_004;
pub mod api_005;
pub mod api_006;
pub mod api_007;
pub mod api_008;
pub mod api_009;
pub mod api_010;
pub mod api_011;
pub mod api_012;
pub mod api_013;
