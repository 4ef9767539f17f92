//! The repairs as patches for kustomize, for manifests that come from elsewhere.

use std::path::Path;

use anyhow::Context as _;
use ironside_engine::plan::Plan;
use serde_json::{Value, json};

use crate::cli::manifest::Source;

/// Writes one JSON Patch for each plan, and a `kustomization.yaml` that is a component: add it under `components`.
pub(super) fn write(folder: &Path, plans: &[(Source, Plan)]) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    let mut patches = Vec::new();
    for (_, plan) in plans {
        let target = &plan.target;
        let parts = [target.kind.name(), &target.namespace, &target.name];
        let named: Vec<String> = parts
            .iter()
            .filter(|part| !part.is_empty())
            .map(|part| part.to_lowercase())
            .collect();
        let file = format!("{}.yaml", named.join("-"));
        put(&folder.join(&file), &serde_json::to_value(&plan.patch)?)?;
        let (group, version) = target
            .kind
            .api_version()
            .split_once('/')
            .unwrap_or(("", target.kind.api_version()));
        patches.push(json!({
            "path": file,
            "target": {"group": group, "version": version, "kind": target.kind.name(), "name": &*target.name},
        }));
    }
    put(
        &folder.join("kustomization.yaml"),
        &json!({"apiVersion": "kustomize.config.k8s.io/v1alpha1", "kind": "Component", "patches": patches}),
    )
}

fn put(file: &Path, value: &Value) -> anyhow::Result<()> {
    let text = serde_saphyr::to_string(value).context("write YAML")?;
    std::fs::write(file, text).with_context(|| format!("write {}", file.display()))
}
