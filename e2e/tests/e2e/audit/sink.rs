//! An operator's sink, and an API server that sends its audit events there.

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ironside_e2e::cluster::Options;
use ironside_e2e::install::repository;
use ironside_e2e::operator::Start;
use ironside_e2e::{Scenario, wait};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use serde_json::json;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

/// Certificates and the address of a sink: both are fixed before the API server starts.
pub(crate) struct Sink {
    folder: PathBuf,
    port: u16,
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The policy that users are given.
pub(crate) fn policy_file() -> PathBuf {
    repository().join("config/overlays/audit/policy.yaml")
}

impl Sink {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("ironside-audit-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).context("a folder for certificates")?;
        // Free when it is given up, and asked for at once by nobody else: the kernel hands out others first.
        let port = free_port()?;
        let sink = Self { folder, port };
        let servers = authority("audit servers")?;
        let clients = authority("audit clients")?;
        sink.issue("tls", &servers, ExtendedKeyUsagePurpose::ServerAuth)?;
        sink.issue("client", &clients, ExtendedKeyUsagePurpose::ClientAuth)?;
        sink.write("ca.crt", &servers.pem())?;
        sink.write("clients.crt", &clients.pem())?;
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "audit",
            "clusters": [{"name": "ironside", "cluster": {
                "server": format!("https://127.0.0.1:{port}/"),
                "tls-server-name": "ironside-audit.ironside-system.svc",
                "certificate-authority": sink.file("ca.crt"),
            }}],
            "users": [{"name": "kube-apiserver", "user": {
                "client-certificate": sink.file("client.crt"), "client-key": sink.file("client.key"),
            }}],
            "contexts": [{"name": "audit", "context": {"cluster": "ironside", "user": "kube-apiserver"}}],
        });
        sink.write("webhook.yaml", &config.to_string())?;
        Ok(sink)
    }

    /// A control plane whose API server sends what a policy says to this sink, soon, and tries again soon.
    pub(crate) fn options(&self, policy: &Path) -> Options {
        let flags = [
            format!("--audit-policy-file={}", policy.display()),
            format!("--audit-webhook-config-file={}", self.file("webhook.yaml").display()),
            "--audit-webhook-batch-max-wait=500ms".to_owned(),
            "--audit-webhook-initial-backoff=2s".to_owned(),
        ];
        Options {
            apiserver_flags: flags.to_vec(),
            ..Options::default()
        }
    }

    /// An operator of the whole cluster that takes events.
    pub(crate) fn operator<'a>(&self, test: &'a Scenario<'a>) -> Start<'a> {
        self.operator_at(self.port, test)
    }

    /// One that takes them at another port; who leads there is [`Sink::share`]'s business.
    pub(crate) fn operator_at<'a>(&self, port: u16, test: &'a Scenario<'a>) -> Start<'a> {
        let file = |argument: &str, name: &str| format!("{argument}={}", self.file(name).display());
        Start::new(test)
            .watch_everything()
            .flag(&format!("--audit-sink=127.0.0.1:{port}"))
            .flag(&file("--audit-certificate", "tls.crt"))
            .flag(&file("--audit-key", "tls.key"))
            .flag(&file("--audit-client-ca", "clients.crt"))
    }

    /// Stands for a Service: each connection goes to the next of several ports, to one that is open.
    pub(crate) async fn share(&self, ports: Vec<u16>) -> Result<JoinHandle<()>> {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", self.port)).await?;
        Ok(tokio::spawn(async move {
            let mut turn = ports.iter().copied().cycle();
            while let Ok((mut client, _)) = listener.accept().await {
                for port in turn.by_ref().take(ports.len()) {
                    if let Ok(mut sink) = TcpStream::connect(("127.0.0.1", port)).await {
                        tokio::spawn(async move { copy_bidirectional(&mut client, &mut sink).await });
                        break;
                    }
                }
            }
        }))
    }

    /// A file of the sink's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.file(name);
        std::fs::write(&file, text).with_context(|| format!("write {}", file.display()))?;
        Ok(file)
    }

    fn issue(&self, name: &str, authority: &Authority, usage: ExtendedKeyUsagePurpose) -> Result<()> {
        let mut params = CertificateParams::new(["ironside-audit.ironside-system.svc".to_owned()])?;
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, authority)?;
        self.write(&format!("{name}.crt"), &certificate.pem())?;
        self.write(&format!("{name}.key"), &key.serialize_pem()).map(drop)
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Result<Authority> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Ok(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?)
}

/// Waits until a counter of the API server or the operator is there.
pub(crate) async fn until<T>(what: &str, probe: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    // Batches are held back, and come again only after a pause.
    wait::until_within(wait::LIMIT * 2, what, probe).await
}
