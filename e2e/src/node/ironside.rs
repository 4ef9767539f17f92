//! Ironside on the real node, exactly as a user gets it: `kubectl apply --server-side -k` of one of the overlays in `config`, with the image pinned by
//! its digest. Namespace, account, permissions, Pod Security and probes are those of the repository.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use serde_json::json;

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
    let name = format!("docker.io/library/{}", image_name()?);
    let image = name.clone();
    let digest = tokio::task::spawn_blocking(move || images::write_operator(&image, &written)).await??;
    let repository = name
        .rsplit_once(':')
        .map_or(name.as_str(), |(repository, _)| repository);
    for node in &description.nodes {
        super::import(node, &archive).await.context("import Ironside's image")?;
        let pinned = format!("{repository}@{digest}");
        super::ctr(node, &["images", "tag", &name, &pinned]).await?;
    }
    std::fs::remove_file(&archive).context("remove the archive")?;

    let chosen = description.folder.join("ironside");
    pin(&chosen, overlay, &digest)?;
    let chosen = chosen.display().to_string();
    let kubectl = cluster.kubectl()?;
    kubectl.run(&["apply", "--server-side", "-k", &chosen]).await?;
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

/// Writes a kustomization as docs/install.md shows it: an overlay of the repository, and the image by its digest.
fn pin(folder: &Path, overlay: Overlay, digest: &str) -> Result<()> {
    let image = image_name()?;
    let name = image.split(':').next().unwrap_or(&image);
    std::fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    // Kustomize takes folders only by a path from where it is.
    let up = "../".repeat(folder.canonicalize()?.components().count() - 1);
    let repository = install::repository().canonicalize()?;
    let resource = format!("{up}{}", repository.join(overlay.path()).strip_prefix("/")?.display());
    let kustomization = json!({
        "resources": [resource],
        "images": [{ "name": name, "digest": digest }],
    });
    // JSON is YAML.
    std::fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).context("write the kustomization")
}

/// The image that `config/manager` names.
fn image_name() -> Result<String> {
    let path = install::repository().join("config/manager/deployment.yaml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("image: "));
    line.map(str::to_owned).context("the Deployment names an image")
}
