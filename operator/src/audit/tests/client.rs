//! Certificates, a sink whose judging the test does itself, and clients that are not always polite.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::super::certificates::{Certificates, Files};
use super::super::listener::Listener;
use super::super::server::{Delivery, Intake, Standing, router};
use crate::metrics::Happenings;

pub(super) type Authority = CertifiedIssuer<'static, KeyPair>;

pub(super) fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key in PEM form.
pub(super) fn issued(authority: &Authority, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// A folder of certificates that goes with the test.
pub(super) struct Folder {
    path: PathBuf,
    pub(super) servers: Authority,
    pub(super) clients: Authority,
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

impl Folder {
    pub(super) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ironside-audit-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let folder = Self {
            path,
            servers: authority("servers"),
            clients: authority("clients"),
        };
        let (certificate, key) = issued(&folder.servers, ExtendedKeyUsagePurpose::ServerAuth);
        folder.write("tls.crt", &certificate);
        folder.write("tls.key", &key);
        folder.write("ca.crt", &folder.clients.pem());
        folder
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.file(file), text).unwrap();
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        Path::join(&self.path, name)
    }

    pub(super) fn files(&self) -> Files {
        Files {
            certificate: self.file("tls.crt"),
            key: self.file("tls.key"),
            client_ca: self.file("ca.crt"),
        }
    }
}

/// A sink without its judging.
pub(super) struct Running {
    pub(super) folder: Folder,
    pub(super) address: SocketAddr,
    pub(super) certificates: Arc<Certificates>,
    pub(super) happenings: Arc<Happenings>,
    pub(super) standing: Arc<Mutex<Standing>>,
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    pub(super) stop: CancellationToken,
    pub(super) serving: JoinHandle<()>,
}

impl Running {
    pub(super) async fn start(name: &str) -> Self {
        Self::with_idle(name, Duration::from_mins(5)).await
    }

    pub(super) async fn with_idle(name: &str, idle: Duration) -> Self {
        let folder = Folder::new(name);
        let certificates = Arc::new(Certificates::read(folder.files()).unwrap());
        let happenings = Arc::new(Happenings::new().unwrap());
        let standing = Arc::new(Mutex::new(Standing::Takes));
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let listener = Listener::start(
            listener,
            Arc::clone(&certificates),
            Arc::clone(&happenings),
            idle,
            stop.clone(),
        );
        let now = Arc::clone(&standing);
        let (intake, deliveries) = Intake::new(Arc::new(move || *now.lock()), Arc::clone(&happenings));
        let graceful =
            axum::serve(listener.unwrap(), router(intake)).with_graceful_shutdown(stop.clone().cancelled_owned());
        Self {
            folder,
            address,
            certificates,
            happenings,
            standing,
            deliveries,
            stop,
            serving: tokio::spawn(async { graceful.await.unwrap() }),
        }
    }

    /// A client with a certificate of the right CA.
    pub(super) fn client(&self) -> Client {
        Client::new(self, Some(&self.folder.clients))
    }

    /// Counts of one metric's label.
    pub(super) fn count(&self, metric: &str, label: &str) -> u64 {
        let registry = prometheus::Registry::new();
        self.happenings.register(&registry).unwrap();
        let families = registry.gather();
        let family = families.iter().find(|family| family.name() == metric).unwrap();
        let of_label = family
            .get_metric()
            .iter()
            .find(|it| it.get_label().iter().any(|it| it.value() == label));
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small counts
        of_label.map_or(0, |metric| metric.get_counter().get_value() as u64)
    }
}

/// Who sends.
#[derive(Clone)]
pub(super) struct Client {
    connector: TlsConnector,
    address: SocketAddr,
}

impl Client {
    pub(super) fn new(sink: &Running, certificate_of: Option<&Authority>) -> Self {
        Self::with_usage(sink, certificate_of, ExtendedKeyUsagePurpose::ClientAuth)
    }

    pub(super) fn with_usage(
        sink: &Running,
        certificate_of: Option<&Authority>,
        usage: ExtendedKeyUsagePurpose,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(sink.folder.servers.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match certificate_of {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut params = CertificateParams::new(Vec::new()).unwrap();
                params.extended_key_usages = vec![usage];
                let key = KeyPair::generate().unwrap();
                let certificate = params.signed_by(&key, authority).unwrap();
                let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
                config
                    .with_client_auth_cert(vec![certificate.der().clone()], key)
                    .unwrap()
            }
        };
        Self {
            connector: TlsConnector::from(Arc::new(config)),
            address: sink.address,
        }
    }

    pub(super) async fn connect(&self) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        self.connector
            .connect(ServerName::try_from("localhost").unwrap(), stream)
            .await
    }

    /// Sends a request as it is, and returns the whole answer.
    pub(super) async fn raw(&self, request: &str) -> std::io::Result<String> {
        let mut stream = self.connect().await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8(answer).unwrap())
    }

    /// Posts a body and returns the answer.
    pub(super) async fn post(&self, body: &str) -> std::io::Result<String> {
        let length = body.len();
        self.raw(&format!(
            "POST /audit HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
        .await
    }
}

/// A list of so many events, each with an id of its own.
pub(super) fn list(ids: impl IntoIterator<Item = usize>) -> String {
    let event = |id: usize| {
        serde_json::json!({"auditID": format!("{id}"), "stage": "ResponseComplete", "verb": "get", "user": {"username": "eve"},
            "requestReceivedTimestamp": "2026-11-29T10:00:00.000000Z", "objectRef": {"resource": "secrets", "namespace": "shop", "name": "db"},
            "responseStatus": {"code": 200}})
    };
    let items: Vec<_> = ids.into_iter().map(event).collect();
    serde_json::json!({"kind": "EventList", "apiVersion": "audit.k8s.io/v1", "metadata": {}, "items": items})
        .to_string()
}
