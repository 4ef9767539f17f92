//! What the command line says about who reaches whom, to be held against packets.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::Scenario;
use ironside_e2e::binaries::workspace_program;
use serde_json::Value;

/// What `ironside reach` says about the cluster.
pub(super) struct Said(BTreeMap<(String, String), Value>);

impl Said {
    pub(super) async fn ask(test: &Scenario<'_>) -> Result<Self> {
        let output = tokio::process::Command::new(workspace_program("ironside")?)
            .args(["reach", "--cluster", "-o", "json"])
            .env("KUBECONFIG", test.cluster.kubeconfig())
            .output()
            .await?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "ironside reach: {complaint}");
        let list: Value = serde_json::from_slice(&output.stdout).context("a list")?;
        let items = list["items"].as_array().context("items")?;
        Ok(Self(
            items
                .iter()
                .map(|it| ((name(&it["from"]), name(&it["to"])), it.clone()))
                .collect(),
        ))
    }

    /// Whether a connection surely passes, and whether it may.
    pub(super) fn lets(&self, from: &str, to: &str, protocol: &str, port: u16) -> Result<(bool, bool)> {
        let row = self.0.get(&(from.to_owned(), to.to_owned()));
        let row = row.with_context(|| format!("nothing is said about {from} to {to}"))?;
        let has = |field: &str| {
            let ranges = row[field].as_array().into_iter().flatten();
            ranges.into_iter().any(|range| {
                let edge = |key: &str| range[key].as_u64().unwrap_or_default();
                range["protocol"] == protocol && (edge("first")..=edge("last")).contains(&u64::from(port))
            })
        };
        Ok((has("ports"), has("ports") || has("perhaps")))
    }
}

fn name(end: &Value) -> String {
    let word = |key: &str| end[key].as_str().unwrap_or_default();
    format!("{} {}/{}", word("kind"), word("namespace"), word("name"))
}
