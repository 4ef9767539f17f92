//! The connection from the proxy to the API server: TLS, checked against the cluster's CA, HTTP/1.1, one for each
//! connection of the client, so that what breaks on one side breaks on the other and nothing else does.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use kube::config::{Config, KubeConfigOptions, Kubeconfig};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Where the API server is and how to know it.
#[derive(Clone)]
pub(super) struct Upstream {
    address: String,
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl Upstream {
    /// Takes server and CA from a kubeconfig, and nothing else: whoever talks through the proxy brings their own token.
    pub(super) async fn of(kubeconfig: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig).with_context(|| format!("read {}", kubeconfig.display()))?;
        let config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        let mut roots = RootCertStore::empty();
        for certificate in config.root_cert.context("the kubeconfig names no CA")? {
            roots
                .add(CertificateDer::from(certificate))
                .context("the cluster's CA")?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let host = config
            .cluster_url
            .host()
            .context("the server's address has no host")?
            .to_owned();
        let port = config.cluster_url.port_u16().unwrap_or(443);
        let name = config.tls_server_name.unwrap_or_else(|| host.clone());
        Ok(Self {
            address: format!("{host}:{port}"),
            name: ServerName::try_from(name).context("the server's name")?,
            tls: TlsConnector::from(Arc::new(tls)),
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.address)
            .await
            .with_context(|| format!("connect to {}", self.address))?;
        stream.set_nodelay(true).context("set TCP_NODELAY")?;
        let stream = self
            .tls
            .connect(self.name.clone(), stream)
            .await
            .context("TLS with the API server")?;
        let (sender, connection) = handshake(TokioIo::new(stream))
            .await
            .context("HTTP with the API server")?;
        // Ends when the sender is dropped or the server closes; either is noticed by the next request.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// One client connection's way to the server; connects when it is first needed and again when the server has closed.
#[derive(Default)]
pub(super) struct Lane(Option<SendRequest<Full<Bytes>>>);

impl Lane {
    pub(super) async fn send(&mut self, to: &Upstream, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        let mut usable = None;
        if let Some(mut sender) = self.0.take()
            && sender.ready().await.is_ok()
        {
            usable = Some(sender);
        }
        let mut sender = match usable {
            Some(sender) => sender,
            None => to.connect().await?,
        };
        let response = sender.send_request(request).await.context("ask the API server")?;
        self.0 = Some(sender);
        Ok(response)
    }
}
