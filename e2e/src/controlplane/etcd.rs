//! etcd: flags and readiness.

use super::layout::Layout;

/// Durability is given up (`--unsafe-no-fsync`: a killed process loses nothing, a power cut would), and the election of
/// the only member is hastened: with the usual timings it takes up to a second.
pub(super) fn arguments(layout: &Layout, port: u16, peer_port: u16) -> Vec<String> {
    let client = url(port);
    let peer = url(peer_port);
    vec![
        format!("--data-dir={}", layout.folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=warn".to_owned(),
        "--heartbeat-interval=10".to_owned(),
        "--election-timeout=100".to_owned(),
    ]
}

pub(super) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
