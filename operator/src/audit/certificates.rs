//! The sink's certificate and key, and the CA whose client certificates it takes. Files are read again while the process runs: a mounted Secret changes
//! under it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// Certificate chain of the sink, PEM.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Certificates of the CAs whose client certificates are taken, PEM.
    pub client_ca: PathBuf,
}

/// What the files say, as it was read last.
pub(super) struct Certificates {
    files: Files,
    read: parking_lot::Mutex<Texts>,
    config: ArcSwap<ServerConfig>,
}

#[derive(Clone, PartialEq, Eq)]
struct Texts {
    certificate: Vec<u8>,
    key: Vec<u8>,
    client_ca: Vec<u8>,
}

/// What is wrong with a file, naming the argument that names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unusable {
    argument: &'static str,
    file: PathBuf,
    why: String,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.argument, self.file.display(), self.why)
    }
}

impl std::error::Error for Unusable {}

const CERTIFICATE: &str = "--audit-certificate";
const KEY: &str = "--audit-key";
const CLIENT_CA: &str = "--audit-client-ca";

impl Certificates {
    /// Reads the files for the first time.
    pub(super) fn read(files: Files) -> Result<Self, Unusable> {
        let texts = Texts::read(&files)?;
        let config = config(&files, &texts)?;
        Ok(Self {
            files,
            read: parking_lot::Mutex::new(texts),
            config: ArcSwap::from_pointee(config),
        })
    }

    /// For the next connection.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }

    /// Reads the files again, and says whether something changed. What cannot be used changes nothing.
    pub(super) fn refresh(&self) -> Result<bool, Unusable> {
        let texts = Texts::read(&self.files)?;
        let mut read = self.read.lock();
        if *read == texts {
            return Ok(false);
        }
        self.config.store(Arc::new(config(&self.files, &texts)?));
        *read = texts;
        Ok(true)
    }
}

impl Texts {
    fn read(files: &Files) -> Result<Self, Unusable> {
        let text = |argument, file: &Path| {
            std::fs::read(file).map_err(|error| unusable(argument, file, &format_args!("cannot be read: {error}")))
        };
        Ok(Self {
            certificate: text(CERTIFICATE, &files.certificate)?,
            key: text(KEY, &files.key)?,
            client_ca: text(CLIENT_CA, &files.client_ca)?,
        })
    }
}

fn unusable(argument: &'static str, file: &Path, why: &dyn fmt::Display) -> Unusable {
    Unusable {
        argument,
        file: file.to_owned(),
        why: why.to_string(),
    }
}

fn config(files: &Files, texts: &Texts) -> Result<ServerConfig, Unusable> {
    let chain = certificates(CERTIFICATE, &files.certificate, &texts.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&texts.key)
        .map_err(|error| unusable(KEY, &files.key, &format_args!("no private key in PEM form ({error})")))?;
    let mut roots = RootCertStore::empty();
    for root in certificates(CLIENT_CA, &files.client_ca, &texts.client_ca)? {
        roots.add(root).map_err(|error| {
            unusable(
                CLIENT_CA,
                &files.client_ca,
                &format_args!("no certificate of a CA ({error})"),
            )
        })?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| unusable(CLIENT_CA, &files.client_ca, &error))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(CERTIFICATE, &files.certificate, &error))?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)
        .map_err(|error| {
            unusable(
                CERTIFICATE,
                &files.certificate,
                &format_args!("does not go with {KEY} ({error})"),
            )
        })?;
    // A connection that a replica refuses to use must end, so that the next one may reach another: HTTP/1.1 can say so with one header.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn certificates(argument: &'static str, file: &Path, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let certificates = certificates
        .map_err(|error| unusable(argument, file, &format_args!("no certificates in PEM form ({error})")))?;
    if certificates.is_empty() {
        return Err(unusable(argument, file, &"no certificate in PEM form in it"));
    }
    Ok(certificates)
}
