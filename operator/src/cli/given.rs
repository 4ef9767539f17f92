//! What a verb looks at: files, or what runs in a cluster.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::input::Input;
use super::judge::Scanned;
use super::{ClusterArgs, kubeconfig, listing};
use crate::components::Asker;

#[derive(Debug, Args)]
pub(super) struct GivenArgs {
    /// Files and folders of manifests; `-` reads standard input.
    paths: Vec<PathBuf>,
    /// Look at what runs in the cluster instead of files.
    #[arg(long, conflicts_with = "paths")]
    cluster: bool,
    #[command(flatten)]
    target: ClusterArgs,
}

impl GivenArgs {
    /// Takes all of it in, to be judged and not to be repaired.
    pub(super) async fn read_into(&self, scanned: &mut Scanned) -> anyhow::Result<()> {
        if self.cluster {
            let connection = kubeconfig::connect(&self.target).await?;
            listing::read(&connection.client, self.target.namespace.as_deref(), scanned).await;
            // The components are no namespace's.
            if self.target.namespace.is_none() {
                let asker = Asker::new(connection.client, &connection.config);
                scanned.observe(asker.ask().await);
            }
            return Ok(());
        }
        if self.paths.is_empty() {
            bail!("nothing to look at: give files or folders, `-` for standard input, or --cluster");
        }
        let inputs = Input::below(&self.paths, &mut std::io::stdin().lock());
        if inputs.is_empty() {
            let paths: Vec<String> = self.paths.iter().map(|path| path.display().to_string()).collect();
            bail!("no .yaml, .yml or .json file in {}", paths.join(", "));
        }
        scanned.add_files(&inputs);
        // Nothing found would be nothing wrong.
        if let Some(first) = scanned.only_stranger() {
            bail!("no Kubernetes object: {first}, like every other document, says neither apiVersion nor kind");
        }
        Ok(())
    }
}
