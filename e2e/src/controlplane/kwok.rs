//! kwok, which plays the nodes: flags, its configuration, and how its log is judged.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};

use super::layout::Layout;
use crate::nodes::{MARK, stages};

pub(super) fn arguments(layout: &Layout, port: u16, kubeconfig: &Path) -> Vec<String> {
    let (certificate, key) = layout.pki.serving();
    let mut flags = vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--config={}", layout.stages().display()),
        "--node-lease-duration-seconds=40".to_owned(),
        "--cidr=10.64.0.0/16".to_owned(),
        "--node-ip=127.0.0.1".to_owned(),
        format!("--node-port={port}"),
        format!("--server-address=127.0.0.1:{port}"),
        format!("--tls-cert-file={}", certificate.display()),
        format!("--tls-private-key-file={}", key.display()),
    ];
    if layout.options.real_nodes > 0 {
        flags.push("--manage-all-nodes=false".to_owned());
        flags.push(format!("--manage-nodes-with-annotation-selector={}={}", MARK.0, MARK.1));
    } else {
        flags.push("--manage-all-nodes=true".to_owned());
    }
    flags
}

/// Writes the file that says how simulated nodes and pods behave.
pub(super) fn write_stages(layout: &Layout) -> Result<()> {
    let mut nodes = Vec::new();
    for path in layout.binaries.node_stages() {
        nodes.push(fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?);
    }
    fs::write(layout.stages(), stages::document(&nodes)).context("write kwok's configuration")
}

/// A kwok that was killed leaves its leases of 40 s, and the next one does nothing to those nodes until they are over.
pub(super) async fn drop_leases(client: &Client) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-node-lease");
    leases
        .delete_collection(&DeleteParams::default(), &ListParams::default())
        .await
        .map(drop)
        .context("delete the leases of the simulated nodes")
}

/// The lines of kwok's log that mean that the simulation is broken.
///
/// A stage with an error in it stops all pods and says so only here. A pod that is gone before kwok gets to delete it is
/// no error.
///
/// # Errors
/// The log cannot be read.
pub fn errors_in(log: &Path) -> Result<Vec<String>> {
    let text = fs::read(log).with_context(|| format!("read {}", log.display()))?;
    let text = String::from_utf8_lossy(&text);
    let is_error = |line: &&str| line.contains(r#""level":"ERROR""#) || line.contains("level=ERROR");
    let is_harmless = |line: &str| {
        // A lease that was not renewed in time, because etcd was slow, is renewed the next time.
        line.contains("Failed to sync lease")
            || (line.contains("ailed to delete pod") && line.contains("not found"))
            // A stage that kwok plays a second time, before it has seen what it wrote the first time: the pod keeps the address that it has.
            || line.contains("may specify no more than one IP for each IP family")
    };
    Ok(text
        .lines()
        .filter(is_error)
        .filter(|line| !is_harmless(line))
        .map(str::to_owned)
        .collect())
}
