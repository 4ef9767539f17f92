//! Ironside on the real node, exactly as a user gets it: `kubectl apply -k` of one of the overlays in `config`, and the image that the
//! Deployment there names. Namespace, account, permissions, Pod Security and probes are those of the repository.

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;

use super::images;
use crate::cluster::Cluster;
use crate::{install, wait};

/// Which of the overlays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// Repairs.
    Remediate,
    /// Repairs, and asks kubelets before.
    Evidence,
}

impl Overlay {
    const fn path(self) -> &'static str {
        match self {
            Self::Remediate => "config/overlays/remediate",
            Self::Evidence => "config/overlays/evidence",
        }
    }
}

/// Installs it and waits until every replica is ready.
///
/// # Errors
/// There is no real node, the API server refuses something, or the pods do not become ready.
pub async fn install(cluster: &Cluster, overlay: Overlay) -> Result<()> {
    let description = cluster.description()?;
    ensure!(!description.nodes.is_empty(), "this cluster has no real node");
    let archive = description.folder.join("ironside.tar");
    let written = archive.clone();
    tokio::task::spawn_blocking(move || images::write_operator(&image_name()?, &written)).await??;
    for node in &description.nodes {
        super::import(node, &archive).await.context("import Ironside's image")?;
    }
    std::fs::remove_file(&archive).context("remove the archive")?;

    let overlay = install::repository().join(overlay.path());
    let overlay = overlay.display().to_string();
    let kubectl = cluster.kubectl()?;
    kubectl.run(&["apply", "--server-side", "-k", &overlay]).await?;
    let client = cluster.client().await?;
    let deployments: Api<Deployment> = Api::namespaced(client, install::SYSTEM_NAMESPACE);
    wait::until("the operator's pods are ready", async || {
        let deployment = deployments.get("ironside").await?;
        let wanted = deployment.spec.replicas.unwrap_or(1);
        let ready = deployment.status.unwrap_or_default().ready_replicas.unwrap_or(0);
        ensure!(ready == wanted, "{ready} of {wanted}");
        Ok(())
    })
    .await
}

/// The image that `config/manager` names, as the container runtime spells it.
fn image_name() -> Result<String> {
    let path = install::repository().join("config/manager/deployment.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("image: "));
    let name = line.context("the Deployment names an image")?;
    Ok(if name.contains('/') {
        name.to_owned()
    } else {
        format!("docker.io/library/{name}")
    })
}
