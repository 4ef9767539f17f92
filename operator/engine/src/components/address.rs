//! Addresses that a process listens on.

use std::net::IpAddr;

use super::Asking;

/// Whether a host is this one and no other can reach it.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Whether a host stands for every address of the node.
pub fn is_unspecified(host: &str) -> bool {
    host.is_empty() || address(host).is_some_and(|address| address.is_unspecified())
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Asks a process whether only its own node reaches its ports. Left out, the address is every one of the node.
pub fn bound_to_loopback(ask: &mut Asking<'_, '_>) {
    let process = ask.process();
    let local = process.value("bind-address").is_some_and(is_loopback);
    ask.expect("bind-address", local, "--bind-address=127.0.0.1");
    // The port without authentication of versions before 1.24.
    let closed = process.value("port").is_none_or(|port| port == "0");
    let unreachable = process.value("address").is_some_and(is_loopback);
    ask.expect("port", closed || unreachable, "--port=0");
}
