//! The programs of a real node: built from pinned Go modules, and runc and nft from PATH or Debian's packages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::binaries::debian;
use crate::binaries::module::{Module, Program};
use crate::binaries::{FLAGS, cache, cache_folder};

/// Same version, same flags and same dependencies as the control plane: Go compiles what both need once.
const KUBERNETES: Module = Module {
    prefix: "node-kubernetes",
    what: "the real node's kubelet",
    cost: "about two minutes on two cores",
    folder: "node/kubernetes",
    sources: &["go.mod", "go.sum"],
    flags: &FLAGS,
    programs: &[
        Program::new("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
        Program::new("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    ],
    extras: &[],
};

const RUNTIME: Module = Module {
    prefix: "node-runtime",
    what: "the real node's container runtime",
    cost: "about two minutes on two cores",
    folder: "node/runtime",
    sources: &["go.mod", "go.sum"],
    // Without the snapshotters that need a library or a kernel module.
    flags: &[
        FLAGS[0],
        FLAGS[1],
        FLAGS[2],
        FLAGS[3],
        FLAGS[4],
        "-tags",
        "no_btrfs,no_devmapper,no_zfs",
    ],
    programs: &[
        Program::new("containerd", "github.com/containerd/containerd/v2/cmd/containerd"),
        Program::new(
            "containerd-shim-runc-v2",
            "github.com/containerd/containerd/v2/cmd/containerd-shim-runc-v2",
        ),
        Program::new("ctr", "github.com/containerd/containerd/v2/cmd/ctr"),
        Program::new("bridge", "github.com/containernetworking/plugins/plugins/main/bridge"),
        Program::new(
            "loopback",
            "github.com/containernetworking/plugins/plugins/main/loopback",
        ),
        Program::new(
            "host-local",
            "github.com/containernetworking/plugins/plugins/ipam/host-local",
        ),
    ],
    extras: &[],
};

const COREDNS: Module = Module {
    prefix: "node-coredns",
    what: "the real node's DNS",
    cost: "about two minutes on two cores",
    folder: "node/coredns",
    sources: &["go.mod", "go.sum", "main.go"],
    flags: &FLAGS,
    programs: &[Program::new("coredns", ".")],
    extras: &[],
};

const NEEDS: Module = Module {
    prefix: "node-needs",
    what: "the program of the test images",
    cost: "a few seconds",
    folder: "node/needs",
    sources: &["go.mod", "main.go", "pointer.go", "probe.go", "sctp.go"],
    flags: &FLAGS,
    programs: &[Program::new("needs", ".")],
    extras: &[],
};

/// Where the programs lie, ready to run.
#[derive(Debug, Clone)]
pub struct Programs {
    kubernetes: PathBuf,
    runtime: PathBuf,
    coredns: PathBuf,
    needs: PathBuf,
    packages: Option<PathBuf>,
}

impl Programs {
    /// Finds them in the cache, or builds them there.
    ///
    /// # Errors
    /// No Go toolchain and nothing in the cache, or a package that cannot be had.
    pub fn obtain() -> Result<Self> {
        Ok(Self {
            kubernetes: cache::obtain(&KUBERNETES)?,
            runtime: cache::obtain(&RUNTIME)?,
            coredns: cache::obtain(&COREDNS)?,
            needs: cache::obtain(&NEEDS)?,
            packages: packages()?,
        })
    }

    /// A program of Kubernetes.
    pub fn kubernetes(&self, name: &str) -> PathBuf {
        self.kubernetes.join(name)
    }

    /// A program of the container runtime.
    pub fn runtime(&self, name: &str) -> PathBuf {
        self.runtime.join(name)
    }

    /// The folder of the network plugins.
    pub fn plugins(&self) -> &Path {
        &self.runtime
    }

    /// CoreDNS.
    pub fn coredns(&self) -> PathBuf {
        self.coredns.join("coredns")
    }

    /// The program of the test images.
    pub fn needs(&self) -> PathBuf {
        self.needs.join("needs")
    }

    /// Unpacked packages whose `usr` is to be laid over the machine's, inside the node alone.
    pub fn packages(&self) -> Option<&Path> {
        self.packages.as_deref()
    }
}

fn packages() -> Result<Option<PathBuf>> {
    let missing: Vec<&str> = [("runc", "runc"), ("nft", "nftables")]
        .into_iter()
        .filter(|(program, _)| debian::on_path(program).is_none())
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(None);
    }
    let folder = cache_folder()?.join(format!("packages-{}", missing.join("-")));
    if !folder.is_dir() {
        debian::unpack(&missing, &folder).with_context(|| {
            format!(
                "no {} on PATH and Debian's packages cannot be had: install them",
                missing.join(", ")
            )
        })?;
    }
    Ok(Some(folder))
}
