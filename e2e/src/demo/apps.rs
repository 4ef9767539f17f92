//! The applications of the demo: the shop, or any folder of manifests.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use kube::{Api, Client};

use super::voice::Voice;
use crate::cluster::Cluster;
use crate::wait;

/// Applications that run in the cluster.
pub(super) struct Apps {
    /// Namespaces that they live in, sorted.
    pub(super) namespaces: Vec<String>,
    /// Whether it is the shop, whose story is known.
    pub(super) is_shop: bool,
}

/// Namespaces that are the cluster's own.
const SYSTEM: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "ironside-system"];

/// Applies them and waits until the Deployments that can become available are.
pub(super) async fn apply(cluster: &Cluster, client: &Client, apps: Option<&Path>, voice: &Voice) -> Result<Apps> {
    let shop = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("demo/shop");
    let folder = apps.unwrap_or(&shop);
    if !folder.exists() {
        bail!(
            "APPS: {} does not exist; give a file or a folder of manifests",
            folder.display()
        );
    }
    let kubectl = cluster.kubectl()?;
    let path = folder.to_str().context("the path of the manifests is not UTF-8")?;
    // Twice: objects can stand before the namespace or the CustomResourceDefinition that they need.
    // Client-side, as people do: what is applied on the server side is stated by its source, and Ironside would only propose.
    let apply = ["apply", "--recursive", "-f", path];
    let outcome = match kubectl.run(&apply).await {
        Ok(output) => Ok(output),
        Err(error) => {
            for namespace in missing_namespaces(&format!("{error:#}")) {
                kubectl.run(&["create", "namespace", &namespace]).await?;
                voice.say(&format!(
                    "namespace {namespace} created: the manifests live in it and do not make it"
                ));
            }
            kubectl.run(&apply).await
        }
    };
    match outcome {
        Ok(output) => voice.say(&format!(
            "{} objects applied from {}",
            output.lines().count(),
            shown(folder)
        )),
        Err(error) if apps.is_some() => {
            voice.warn("Some objects were refused; the demo goes on with the others:");
            voice.quote(&first_lines(&format!("{error:#}"), 5));
        }
        Err(error) => return Err(error),
    }
    let deployments: Api<Deployment> = Api::all(client.clone());
    let settled = wait::until("the applications to become available", async || {
        let all = deployments.list(&kube::api::ListParams::default()).await?.items;
        let waiting: Vec<String> = all
            .iter()
            .filter(|d| !is_available(d))
            .map(kube::ResourceExt::name_any)
            .collect();
        if waiting.is_empty() {
            Ok(all)
        } else {
            bail!("{} not available: {}", waiting.len(), waiting.join(", "))
        }
    })
    .await;
    let all = match settled {
        Ok(all) => all,
        Err(error) if apps.is_some() => {
            voice.warn(&format!("{error:#}"));
            deployments.list(&kube::api::ListParams::default()).await?.items
        }
        Err(error) => return Err(error),
    };
    let namespaces: BTreeSet<String> = all
        .iter()
        .filter_map(|d| d.metadata.namespace.clone())
        .filter(|namespace| !SYSTEM.contains(&namespace.as_str()))
        .collect();
    if namespaces.is_empty() {
        bail!("{} holds no Deployment that Ironside could look at", folder.display());
    }
    let namespaces: Vec<String> = namespaces.into_iter().collect();
    let count = all.iter().filter(|d| is_available(d)).count();
    let deployments = if count == 1 { "Deployment" } else { "Deployments" };
    voice.say(&format!("{count} {deployments} available in {}", namespaces.join(", ")));
    Ok(Apps {
        namespaces,
        is_shop: apps.is_none(),
    })
}

/// Namespaces that the API server says objects were meant for, and that are still not there after everything was applied once.
fn missing_namespaces(error: &str) -> BTreeSet<String> {
    let missing = error
        .split("namespaces \"")
        .skip(1)
        .filter_map(|rest| rest.split_once("\" not found"));
    missing
        .map(|(name, _)| name.to_owned())
        .filter(|name| !name.contains('"'))
        .collect()
}

fn is_available(deployment: &Deployment) -> bool {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    let status = deployment.status.clone().unwrap_or_default();
    status.observed_generation == deployment.metadata.generation && status.available_replicas.unwrap_or(0) >= wanted
}

fn shown(folder: &Path) -> String {
    folder
        .components()
        .rev()
        .take(2)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect::<PathBuf>()
        .display()
        .to_string()
}

fn first_lines(text: &str, count: usize) -> String {
    text.lines().take(count).collect::<Vec<_>>().join("\n")
}
