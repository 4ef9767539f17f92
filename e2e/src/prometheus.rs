//! A real Prometheus: found on PATH, else taken from Debian's package into the cache, and run for one test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use http::Request;
use kube::Client;
use kube::config::Config;
use serde_json::Value;

use crate::binaries::{self, debian};
use crate::controlplane::ports;
use crate::tether::Tethered;
use crate::wait;

/// The two programs of the package.
#[derive(Debug, Clone)]
pub struct Programs {
    /// The server.
    pub prometheus: PathBuf,
    /// The checker of rules.
    pub promtool: PathBuf,
}

impl Programs {
    /// Finds both on PATH or obtains them.
    ///
    /// # Errors
    /// Neither is possible here; the message says what to install.
    pub fn obtain() -> Result<Self> {
        if let (Some(prometheus), Some(promtool)) = (debian::on_path("prometheus"), debian::on_path("promtool")) {
            return Ok(Self { prometheus, promtool });
        }
        let folder = binaries::cache_folder()?.join("prometheus");
        let found = Self {
            prometheus: folder.join("usr/bin/prometheus"),
            promtool: folder.join("usr/bin/promtool"),
        };
        if !(found.prometheus.is_file() && found.promtool.is_file()) {
            debian::unpack(&["prometheus"], &folder)
                .context("no prometheus on PATH and Debian's package cannot be had: install prometheus")?;
        }
        Ok(found)
    }

    /// Runs promtool and returns what it says.
    ///
    /// # Errors
    /// It finds something wrong.
    pub fn check(&self, folder: &Path, arguments: &[&str]) -> Result<String> {
        run(Command::new(&self.promtool).args(arguments).current_dir(folder))
    }
}

fn run(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("run {}", command.get_program().display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        bail!(
            "{}: {} {}",
            command.get_program().display(),
            text(&output.stdout),
            text(&output.stderr)
        )
    }
}

/// A running server. It ends when this is dropped.
pub struct Prometheus {
    address: String,
    _process: Tethered,
}

impl Prometheus {
    /// Starts a server that scrapes `target` (`host:port`) every second.
    ///
    /// # Errors
    /// It does not become ready.
    pub async fn scrape(programs: &Programs, folder: &Path, target: &str) -> Result<Self> {
        let config = folder.join("prometheus.yaml");
        let scrape = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs:\n- job_name: ironside\n  static_configs: [{{targets: ['{target}']}}]\n"
        );
        std::fs::write(&config, scrape).with_context(|| format!("write {}", config.display()))?;
        let port = ports::free()?;
        let arguments = [
            format!("--config.file={}", config.display()),
            format!("--storage.tsdb.path={}", folder.join("prometheus").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            "--log.level=warn".to_owned(),
        ];
        let process = Tethered::start(&programs.prometheus, &arguments, &[], &folder.join("prometheus.log"))?;
        let server = Self {
            address: format!("http://127.0.0.1:{port}"),
            _process: process,
        };
        wait::until("Prometheus is ready", async || server.get("/-/ready").await).await?;
        Ok(server)
    }

    /// The present result of a query: a list of series with their values.
    ///
    /// # Errors
    /// The query is wrong.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>> {
        let encoded: String = query.bytes().map(encoded).collect();
        let answer: Value = serde_json::from_str(&self.get(&format!("/api/v1/query?query={encoded}")).await?)?;
        if answer["status"] != "success" {
            bail!("{query}: {answer}");
        }
        answer["data"]["result"]
            .as_array()
            .cloned()
            .with_context(|| format!("{query}: no vector"))
    }

    /// Waits until a query has a result.
    ///
    /// # Errors
    /// It stays empty.
    pub async fn until_data(&self, query: &str) -> Result<Vec<Value>> {
        wait::until_within(
            Duration::from_secs(20),
            &format!("`{query}` returns data"),
            async || {
                let series = self.query(query).await?;
                if series.is_empty() {
                    bail!("no data")
                }
                Ok(series)
            },
        )
        .await
    }

    async fn get(&self, path: &str) -> Result<String> {
        let mut config = Config::new(self.address.parse()?);
        config.default_retry = false;
        let client = Client::try_from(config)?;
        client
            .request_text(Request::get(path).body(Vec::new())?)
            .await
            .with_context(|| format!("GET {path}"))
    }
}

fn encoded(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}
