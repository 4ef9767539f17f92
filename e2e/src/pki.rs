//! The keys and certificates of one control plane: one CA that signs everything, and the kubeconfigs that use it.
//!
//! ECDSA P-256 throughout, the service-account key too: all of it takes a few milliseconds, RSA would take half a second.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use k8s_openapi::ByteString;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;

use crate::node::Place;

/// Names and addresses that the one serving certificate is good for; 10.0.0.1 is the first service address.
const SERVING_NAMES: [&str; 7] = [
    "localhost",
    "127.0.0.1",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "10.0.0.1",
];

/// Who may sign in with a client certificate: file name, user, group.
const CLIENTS: [(&str, &str, Option<&str>); 7] = [
    ("admin", "admin", Some("system:masters")),
    ("controller-manager", "system:kube-controller-manager", None),
    ("scheduler", "system:kube-scheduler", None),
    // A user of its own, so that the audit policy can leave the simulated nodes out.
    ("kwok", "system:kwok", Some("system:masters")),
    // The real nodes' programs; kubelets are each somebody else.
    ("kube-proxy", "system:kube-proxy", None),
    ("policies", "ironside-e2e-policies", None),
    (
        "kubelet-client",
        "kube-apiserver-kubelet-client",
        Some("system:masters"),
    ),
];

/// Files of one control plane's keys, all in one folder.
#[derive(Debug, Clone)]
pub struct Pki {
    folder: PathBuf,
}

impl Pki {
    /// Makes all keys and certificates below `folder`, which is created.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn generate(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
        let pki = Self {
            folder: folder.to_owned(),
        };

        let mut authority = CertificateParams::new(Vec::new())?;
        authority.distinguished_name.push(DnType::CommonName, "ironside-e2e");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        pki.write("ca.crt", &authority.pem())?;

        let mut serving = CertificateParams::new(SERVING_NAMES.map(str::to_owned))?;
        serving.distinguished_name.push(DnType::CommonName, "kube-apiserver");
        serving.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        pki.issue("serving", &serving, &authority)?;

        for place in Place::ALL {
            let mut kubelet = CertificateParams::new([place.name(), place.address().to_string()])?;
            kubelet.distinguished_name.push(DnType::CommonName, "kubelet");
            kubelet.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            pki.issue(&serving_kubelet(place), &kubelet, &authority)?;
            let user = format!("system:node:{place}");
            pki.issue(&place.kubelet(), &client(&user, Some("system:nodes"))?, &authority)?;
        }
        for (name, user, group) in CLIENTS {
            pki.issue(name, &client(user, group)?, &authority)?;
        }

        let service_accounts = KeyPair::generate()?;
        pki.write("service-accounts.key", &service_accounts.serialize_pem())?;
        pki.write("service-accounts.pub", &service_accounts.public_key_pem())?;
        Ok(pki)
    }

    /// The CA's certificate.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// Certificate and key of every server.
    pub fn serving(&self) -> (PathBuf, PathBuf) {
        self.pair("serving")
    }

    /// Certificate and key with which the kubelet of a real node serves.
    pub fn serving_kubelet(&self, place: Place) -> (PathBuf, PathBuf) {
        self.pair(&serving_kubelet(place))
    }

    /// Certificate and key that the API server presents to kubelets.
    pub fn kubelet_client(&self) -> (PathBuf, PathBuf) {
        self.pair("kubelet-client")
    }

    /// Private and public key that sign and check service-account tokens.
    pub fn service_accounts(&self) -> (PathBuf, PathBuf) {
        (
            self.folder.join("service-accounts.key"),
            self.folder.join("service-accounts.pub"),
        )
    }

    /// Writes a kubeconfig for one of the client certificates (`admin`, `controller-manager`, `kubelet-1`, ...).
    ///
    /// # Errors
    /// No such client, or the file cannot be written.
    pub fn kubeconfig(&self, client: &str, server: &str) -> Result<PathBuf> {
        let (certificate, key) = self.pair(client);
        let user = json!({
            "client-certificate-data": encoded(&certificate)?,
            "client-key-data": encoded(&key)?,
        });
        let path = self.folder.join(format!("{client}.kubeconfig"));
        write_kubeconfig(&path, server, Some(&self.authority()), &user)?;
        Ok(path)
    }

    fn issue(
        &self,
        name: &str,
        params: &CertificateParams,
        authority: &CertifiedIssuer<'static, KeyPair>,
    ) -> Result<()> {
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, authority)?;
        self.write(&format!("{name}.crt"), &certificate.pem())?;
        self.write(&format!("{name}.key"), &key.serialize_pem())
    }

    fn pair(&self, name: &str) -> (PathBuf, PathBuf) {
        (
            self.folder.join(format!("{name}.crt")),
            self.folder.join(format!("{name}.key")),
        )
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))
    }
}

fn serving_kubelet(place: Place) -> String {
    format!("serving-{}", place.kubelet())
}

fn client(user: &str, group: Option<&str>) -> Result<CertificateParams> {
    let mut client = CertificateParams::new(Vec::new())?;
    client.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        client.distinguished_name.push(DnType::OrganizationName, group);
    }
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(client)
}

/// Writes a kubeconfig with one cluster, one user (as the file format spells it), one context.
///
/// # Errors
/// The CA cannot be read or the file not written.
pub fn write_kubeconfig(path: &Path, server: &str, authority: Option<&Path>, user: &serde_json::Value) -> Result<()> {
    let mut cluster = json!({ "server": server });
    if let Some(authority) = authority {
        cluster["certificate-authority-data"] = json!(encoded(authority)?);
    }
    // JSON is YAML, and every reader of kubeconfigs takes it.
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "ironside-e2e", "cluster": cluster }],
        "users": [{ "name": "user", "user": user }],
        "contexts": [{ "name": "ironside-e2e", "context": { "cluster": "ironside-e2e", "user": "user" } }],
        "current-context": "ironside-e2e",
    });
    // In one piece: two nodes share some of these files, and whoever started first may be reading.
    let unfinished = path.with_extension("unfinished");
    fs::write(&unfinished, serde_json::to_vec_pretty(&config)?)
        .and_then(|()| fs::rename(&unfinished, path))
        .with_context(|| format!("write {}", path.display()))
}

/// DER as PEM.
pub(crate) fn pem(label: &str, der: &[u8]) -> Result<String> {
    let encoded = serde_json::to_value(ByteString(der.to_vec()))?;
    let encoded = encoded.as_str().context("a byte string serializes to a string")?;
    let lines: Vec<&str> = encoded
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).unwrap_or_default())
        .collect();
    Ok(format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    ))
}

/// A file's content as kubeconfigs want it: base64, which is how Kubernetes' own byte strings serialize.
fn encoded(path: &Path) -> Result<ByteString> {
    Ok(ByteString(
        fs::read(path).with_context(|| format!("read {}", path.display()))?,
    ))
}
