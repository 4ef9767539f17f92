//! Images as OCI layout archives, written here: one uncompressed layer, nothing pulled, nothing pushed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 512;
/// 1 January 1970: the same content makes the same image.
const EPOCH: &str = "1970-01-01T00:00:00Z";

/// What lies at a path of an image.
#[derive(Debug, Clone)]
pub(super) enum Entry {
    /// A folder with its mode.
    Folder(u32),
    /// A copy of a file, executable for all.
    Copy(PathBuf),
    /// A text, readable for all.
    Text(String),
}

/// An image in the making.
#[derive(Debug, Clone)]
pub(super) struct Image {
    pub(super) name: String,
    pub(super) user: String,
    pub(super) entrypoint: Vec<String>,
    pub(super) command: Vec<String>,
    pub(super) environment: Vec<String>,
    /// Absolute paths without the leading slash, folders before what is in them.
    pub(super) entries: Vec<(String, Entry)>,
}

/// Writes an archive with all images; equal layers are stored once. The digests of the images, in their order.
pub(super) fn write(images: &[Image], archive: &Path) -> Result<Vec<String>> {
    let file = File::create(archive).with_context(|| format!("create {}", archive.display()))?;
    let mut out = Tar::new(BufWriter::new(file));
    out.entry("oci-layout", 0o644, b'0', br#"{"imageLayoutVersion":"1.0.0"}"#)?;
    let mut stored = std::collections::BTreeSet::new();
    let (mut manifests, mut digests) = (Vec::new(), Vec::new());
    for image in images {
        let layer = layer(image)?;
        let config = json!({
            "created": EPOCH, "architecture": architecture(), "os": "linux",
            "config": {
                "User": image.user, "Entrypoint": image.entrypoint, "Cmd": image.command, "Env": image.environment,
            },
            "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
        });
        let config = serde_json::to_vec(&config)?;
        let manifest = json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": described("application/vnd.oci.image.config.v1+json", &config),
            "layers": [described("application/vnd.oci.image.layer.v1.tar", &layer)],
        });
        let manifest = serde_json::to_vec(&manifest)?;
        for blob in [&layer, &config, &manifest] {
            let digest = digest(blob);
            if stored.insert(digest.clone()) {
                out.entry(&format!("blobs/{}", digest.replace(':', "/")), 0o644, b'0', blob)?;
            }
        }
        let mut entry = described("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["annotations"] = json!({ "io.containerd.image.name": image.name });
        manifests.push(entry);
        digests.push(digest(&manifest));
    }
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": manifests,
    });
    out.entry("index.json", 0o644, b'0', &serde_json::to_vec(&index)?)?;
    out.end()?;
    Ok(digests)
}

fn layer(image: &Image) -> Result<Vec<u8>> {
    let mut tar = Tar::new(Vec::new());
    for (path, entry) in &image.entries {
        match entry {
            Entry::Folder(mode) => tar.entry(&format!("{path}/"), *mode, b'5', &[])?,
            Entry::Copy(from) => {
                let bytes = std::fs::read(from).with_context(|| format!("read {}", from.display()))?;
                tar.entry(path, 0o755, b'0', &bytes)?;
            }
            Entry::Text(text) => tar.entry(path, 0o644, b'0', text.as_bytes())?,
        }
    }
    tar.end_blocks()?;
    Ok(tar.out)
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter()
        .fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

fn described(media_type: &str, blob: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(blob), "size": blob.len() })
}

const fn architecture() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    }
}

/// The ustar format: POSIX.1-1988, as far as images need it.
struct Tar<W: Write> {
    out: W,
}

impl<W: Write> Tar<W> {
    fn new(out: W) -> Self {
        Self { out }
    }

    fn entry(&mut self, path: &str, mode: u32, kind: u8, content: &[u8]) -> Result<()> {
        if path.len() > 100 {
            bail!("{path}: longer than a ustar name");
        }
        let mut header = [0_u8; BLOCK];
        header[..path.len()].copy_from_slice(path.as_bytes());
        let mut field = |at: usize, text: String| header[at..at + text.len()].copy_from_slice(text.as_bytes());
        field(100, format!("{mode:07o}"));
        field(108, format!("{:07o}", 0)); // user
        field(116, format!("{:07o}", 0)); // group
        field(124, format!("{:011o}", content.len()));
        field(136, format!("{:011o}", 0)); // time
        field(148, " ".repeat(8)); // the checksum counts as blanks
        field(257, "ustar\u{0}00".to_owned());
        header[156] = kind;
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\u{0} ").as_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(content)?;
        let rest = content.len() % BLOCK;
        if rest > 0 {
            self.out.write_all(&[0; BLOCK][rest..])?;
        }
        Ok(())
    }

    fn end_blocks(&mut self) -> Result<()> {
        self.out.write_all(&[0; 2 * BLOCK])?;
        Ok(())
    }

    fn end(mut self) -> Result<()> {
        self.end_blocks()?;
        self.out.flush().context("write an archive")
    }
}
