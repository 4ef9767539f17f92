//! The images of the real node: the family of test images, the sandbox, cluster DNS, and Ironside itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::oci::{self, Entry, Image};
use super::programs::Programs;
use crate::binaries::workspace_program;

/// The sandbox of every pod.
pub(super) const PAUSE: &str = "ironside.local/pause:1.0.0";
/// The test image as most images are: it runs as root unless it is told otherwise.
pub const NEEDS: &str = "ironside.local/needs:1.0.0";
/// The same with `USER 101:101`.
pub const NEEDS_101: &str = "ironside.local/needs-101:1.0.0";
/// The same with `USER web`, a name that the kubelet cannot check.
pub const NEEDS_WEB: &str = "ironside.local/needs-web:1.0.0";
/// Cluster DNS.
const COREDNS: &str = "ironside.local/coredns:1.15.0";

/// Writes the archive that every node imports at its start.
pub(super) fn write_own(programs: &Programs, archive: &Path) -> Result<()> {
    let needs = |name: &str, user: &str, command: &str| Image {
        name: name.to_owned(),
        user: user.to_owned(),
        entrypoint: vec!["/needs".to_owned()],
        command: vec![command.to_owned()],
        environment: Vec::new(),
        entries: vec![
            ("needs".to_owned(), Entry::Copy(programs.needs())),
            ("etc".to_owned(), Entry::Folder(0o755)),
            ("etc/passwd".to_owned(), Entry::Text(PASSWD.to_owned())),
            ("etc/group".to_owned(), Entry::Text(GROUP.to_owned())),
            ("tmp".to_owned(), Entry::Folder(0o1777)),
            ("data".to_owned(), Entry::Folder(0o755)),
        ],
    };
    let coredns = Image {
        name: COREDNS.to_owned(),
        user: "65532:65532".to_owned(),
        entrypoint: vec!["/coredns".to_owned()],
        command: Vec::new(),
        environment: Vec::new(),
        entries: vec![("coredns".to_owned(), Entry::Copy(programs.coredns()))],
    };
    let images = [
        needs(PAUSE, "65535:65535", "pause"),
        needs(NEEDS, "", "serve"),
        needs(NEEDS_101, "101:101", "serve"),
        needs(NEEDS_WEB, "web", "serve"),
        coredns,
    ];
    oci::write(&images, archive).map(drop)
}

const PASSWD: &str = "root:x:0:0:root:/:/needs\nweb:x:101:101:web:/:/needs\n";
const GROUP: &str = "root:x:0:\nweb:x:101:\n";

/// Writes an archive with Ironside's own image under `name`, and returns its digest: the debug build of the operator with the libraries that it is
/// linked to. The image that users get is static and has the same user and entry point; `.ci/static` proves that one.
///
/// # Errors
/// The operator is not built, or a library of it is missing.
pub fn write_operator(name: &str, archive: &Path) -> Result<String> {
    let operator = workspace_program("ironside-operator")?;
    let mut entries = vec![("ironside-operator".to_owned(), Entry::Copy(operator.clone()))];
    for library in libraries(&operator)? {
        let path = library.strip_prefix("/").unwrap_or(&library);
        for folder in path.ancestors().skip(1).collect::<Vec<_>>().into_iter().rev() {
            let folder = folder.display().to_string();
            if !folder.is_empty() && !entries.iter().any(|(path, _)| *path == folder) {
                entries.push((folder, Entry::Folder(0o755)));
            }
        }
        entries.push((path.display().to_string(), Entry::Copy(library)));
    }
    let image = Image {
        name: name.to_owned(),
        user: "65532:65532".to_owned(),
        entrypoint: vec!["/ironside-operator".to_owned()],
        command: Vec::new(),
        environment: Vec::new(),
        entries,
    };
    let digests = oci::write(&[image], archive)?;
    digests.into_iter().next().context("one image was written")
}

/// The libraries that the machine's loader finds for a program, the loader included, where the program looks for them.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).output().context("run ldd")?;
    ensure!(output.status.success(), "ldd {}: {output:?}", program.display());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!text.contains("not found"), "{text}");
    Ok(text
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
        .map(PathBuf::from)
        .collect())
}
