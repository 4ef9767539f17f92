//! A real cloud-controller-manager of a cloud that has nothing (`e2e/cloud`), as a process for one test.

use std::path::Path;

use anyhow::{Context as _, Result};
use http::Request;
use kube::Client;

use crate::binaries;
use crate::cluster::Cluster;
use crate::controlplane::{self, ports};
use crate::tether::Tethered;
use crate::wait;

/// A running one. It ends when this is dropped.
pub struct CloudControllerManager {
    command: Vec<String>,
    client: Client,
    _process: Tethered,
}

impl CloudControllerManager {
    /// Starts one that signs in with `kubeconfig`, with these flags beside the necessary ones, and waits until its controllers run.
    ///
    /// # Errors
    /// It cannot be built or does not become healthy.
    pub async fn start(cluster: &Cluster, kubeconfig: &Path, folder: &Path, flags: &[&str]) -> Result<Self> {
        let program = tokio::task::spawn_blocking(binaries::cloud_controller_manager).await??;
        let description = cluster.description()?;
        let file = |name: &str| description.authority.with_file_name(name);
        let port = ports::free()?;
        let own = kubeconfig.display();
        let mut arguments = vec![
            "--cloud-provider=nowhere".to_owned(),
            format!("--kubeconfig={own}"),
            format!("--authentication-kubeconfig={own}"),
            format!("--authorization-kubeconfig={own}"),
            "--leader-elect=false".to_owned(),
            "--configure-cloud-routes=false".to_owned(),
            format!("--secure-port={port}"),
            format!("--tls-cert-file={}", file("serving.crt").display()),
            format!("--tls-private-key-file={}", file("serving.key").display()),
        ];
        arguments.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let log = folder.join("cloud-controller-manager.log");
        let process = Tethered::start(&program, &arguments, &[], &log)?;
        let address = format!("https://127.0.0.1:{port}");
        let ready = wait::until("the cloud-controller-manager knows the administrator", async || {
            // A new connection each time: on one that was there before the server knew whom to ask for a certificate nobody is known.
            let client = controlplane::client_of(cluster.kubeconfig(), &address).await?;
            get(&client, "/healthz").await?;
            get(&client, "/metrics").await?;
            Ok(client)
        });
        let client = ready
            .await
            .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
        Ok(Self {
            command: [vec![program.display().to_string()], arguments].concat(),
            client,
            _process: process,
        })
    }

    /// What it was started with, the program first.
    pub fn command(&self) -> &[String] {
        &self.command
    }

    /// Asks it as the administrator.
    ///
    /// # Errors
    /// It answers with another status than 200, or not.
    pub async fn get(&self, path: &str) -> Result<String> {
        get(&self.client, path).await
    }
}

async fn get(client: &Client, path: &str) -> Result<String> {
    let request = Request::get(path).body(Vec::new())?;
    Ok(client.request_text(request).await?)
}
