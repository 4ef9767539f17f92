//! A registry in a node's network: Debian's docker-registry on loopback, where container runtimes ask without TLS. It keeps what is pushed in a folder, and
//! ends with the node at the latest.

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::programs::Programs;
use super::{Description, namespaces, relay, run, text};
use crate::binaries::cache_folder;
use crate::binaries::debian;
use crate::controlplane::process::Process;
use crate::wait;

/// Where it listens, inside.
pub const ADDRESS: &str = "127.0.0.1:5000";

const PACKAGE: &str = "docker-registry";

/// A running registry.
#[derive(Debug)]
pub struct Registry {
    node: Description,
    programs: Programs,
    process: Process,
}

impl Registry {
    /// Starts one that keeps its images below `folder`, and waits until it answers.
    ///
    /// # Errors
    /// The package cannot be had, or the registry does not start.
    pub async fn start(node: &Description, folder: &Path) -> Result<Self> {
        let (packages, programs) = tokio::task::spawn_blocking(|| {
            let packages = cache_folder()?.join(format!("packages-{PACKAGE}"));
            if !packages.is_dir() {
                debian::unpack(&[PACKAGE], &packages).with_context(|| format!("no {PACKAGE} in Debian's archive"))?;
            }
            anyhow::Ok((packages, Programs::obtain()?))
        })
        .await??;
        let configuration = folder.join("registry.yml");
        let settings = json!({
            "version": "0.1", "log": { "level": "warn" },
            "storage": { "filesystem": { "rootdirectory": text(&folder.join("registry")) }, "delete": { "enabled": true } },
            "http": { "addr": ADDRESS },
        });
        // JSON is YAML.
        std::fs::write(&configuration, settings.to_string()).context("write the registry's settings")?;
        let program = packages.join("usr/bin").join(PACKAGE);
        let arguments = vec!["serve".to_owned(), text(&configuration)];
        let (nsenter, arguments) = namespaces::entering(node.namespaces, &program, arguments);
        let mut process = Process::new(nsenter, arguments, folder.join("registry.log")).entering();
        process.start()?;
        let mut registry = Self {
            node: node.clone(),
            programs,
            process,
        };
        let answers = wait::until("the registry answers", async || {
            let (status, body) = relay::get(&registry.node.dial, ADDRESS, "/v2/").await?;
            ensure!(status == 200, "{status} {body}");
            Ok(())
        });
        if let Err(error) = answers.await {
            registry.process.kill().await?;
            bail!("{error:#}; the end of its log:\n{}", registry.process.last_words());
        }
        Ok(registry)
    }

    /// Pushes an image that the node has under `image`, and forgets the name there: from then on it has to be pulled. The name to pull it by.
    ///
    /// # Errors
    /// The runtime or the registry refuses it.
    pub async fn push(&self, image: &str, repository: &str, tag: &str) -> Result<String> {
        let name = format!("{ADDRESS}/{repository}:{tag}");
        self.ctr(&["tag", image, &name]).await?;
        self.ctr(&["push", "--plain-http", &name]).await?;
        self.ctr(&["rm", "--sync", &name]).await?;
        Ok(name)
    }

    /// The tags that it has of a repository.
    ///
    /// # Errors
    /// It does not answer as a registry does.
    pub async fn tags(&self, repository: &str) -> Result<Value> {
        let path = format!("/v2/{repository}/tags/list");
        let (status, body) = relay::get(&self.node.dial, ADDRESS, &path).await?;
        ensure!(status == 200, "{status} {body}");
        let listed: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        Ok(listed["tags"].clone())
    }

    /// Ends it: nothing can be pulled any more.
    ///
    /// # Errors
    /// It does not end.
    pub async fn stop(mut self) -> Result<()> {
        self.process.kill().await
    }

    async fn ctr(&self, arguments: &[&str]) -> Result<()> {
        let runtime = text(&self.node.runtime);
        let global = ["--address", &runtime, "-n", "k8s.io", "images"];
        let arguments = [&global, arguments].concat().into_iter().map(str::to_owned).collect();
        let (nsenter, arguments) = namespaces::entering(self.node.namespaces, &self.programs.runtime("ctr"), arguments);
        run(tokio::process::Command::new(nsenter).args(arguments)).await
    }
}
