//! Controls of kube-proxy.

pub mod proxy_001;
