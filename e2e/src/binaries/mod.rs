//! The programs of the control plane: which ones, where they come from, where they lie.
//!
//! Owns the pinned Go module (`e2e/controlplane`), its build into a cache outside the tree, and the places of our own
//! programs. Knows nothing of how any of them is run.

mod build;
pub(crate) mod cache;
pub(crate) mod debian;
pub(crate) mod module;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

pub(crate) use self::build::FLAGS;
use self::module::{Extra, Module, Program};

/// The control plane.
const CONTROL_PLANE: Module = Module {
    prefix: "controlplane",
    what: "the control plane",
    cost: "about five minutes on two cores",
    folder: "controlplane",
    sources: &["go.mod", "go.sum"],
    flags: &FLAGS,
    programs: &[
        Program {
            name: "etcd",
            package: "go.etcd.io/etcd/server/v3",
            built_as: "server",
        },
        Program::new("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
        Program::new(
            "kube-controller-manager",
            "k8s.io/kubernetes/cmd/kube-controller-manager",
        ),
        Program::new("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
        Program::new("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
        Program::new("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    ],
    // Stage files of kwok's own module that the simulated nodes use unchanged.
    extras: &[
        Extra {
            module: "sigs.k8s.io/kwok",
            from: "kustomize/stage/node/fast/node-initialize.yaml",
            to: "node-initialize.yaml",
        },
        Extra {
            module: "sigs.k8s.io/kwok",
            from: "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
            to: "node-heartbeat-with-lease.yaml",
        },
    ],
};

/// Holds a dashboard against the schema that Grafana publishes.
const BOARD: Module = Module {
    prefix: "board",
    what: "the checker of dashboards",
    cost: "about a minute",
    folder: "board",
    sources: &["go.mod", "go.sum", "main.go"],
    flags: &FLAGS,
    programs: &[Program::new("board", ".")],
    extras: &[],
};

/// The program that reads a dashboard on standard input and says on standard error where it departs from Grafana's schema.
///
/// # Errors
/// It is not in the cache and cannot be built.
pub fn dashboard_checker() -> Result<PathBuf> {
    Ok(cache::obtain(&BOARD)?.join("board"))
}

/// A provider's part of the control plane.
const CLOUD: Module = Module {
    prefix: "cloud",
    what: "a cloud-controller-manager",
    cost: "about a minute",
    folder: "cloud",
    sources: &["go.mod", "go.sum", "main.go"],
    flags: &FLAGS,
    programs: &[Program {
        name: "cloud-controller-manager",
        package: ".",
        built_as: "cloud",
    }],
    extras: &[],
};

/// A cloud-controller-manager of a cloud that has nothing (`--cloud-provider=nowhere`).
///
/// # Errors
/// It is not in the cache and cannot be built.
pub fn cloud_controller_manager() -> Result<PathBuf> {
    Ok(cache::obtain(&CLOUD)?.join("cloud-controller-manager"))
}

/// Where the programs lie, ready to run.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
    assets: Option<PathBuf>,
}

impl Binaries {
    /// Finds the programs in the cache, or builds them there (about five minutes on two cores, once), showing progress
    /// on standard error. `KUBEBUILDER_ASSETS` replaces etcd and kube-apiserver, which are all that such a folder has.
    ///
    /// # Errors
    /// No Go toolchain and nothing in the cache, a failing build, or an assets folder without the two programs.
    pub fn obtain() -> Result<Self> {
        let folder = cache::obtain(&CONTROL_PLANE)?;
        let assets = match std::env::var_os("KUBEBUILDER_ASSETS") {
            Some(assets) if !assets.is_empty() => Some(checked_assets(PathBuf::from(assets))?),
            _ => None,
        };
        Ok(Self { folder, assets })
    }

    /// The folder that holds all programs of the pinned build.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// etcd.
    pub fn etcd(&self) -> PathBuf {
        self.assets.as_ref().unwrap_or(&self.folder).join("etcd")
    }

    /// kube-apiserver.
    pub fn apiserver(&self) -> PathBuf {
        self.assets.as_ref().unwrap_or(&self.folder).join("kube-apiserver")
    }

    /// kube-controller-manager.
    pub fn controller_manager(&self) -> PathBuf {
        self.folder.join("kube-controller-manager")
    }

    /// kube-scheduler.
    pub fn scheduler(&self) -> PathBuf {
        self.folder.join("kube-scheduler")
    }

    /// kwok, which plays the nodes.
    pub fn kwok(&self) -> PathBuf {
        self.folder.join("kwok")
    }

    /// kubectl.
    pub fn kubectl(&self) -> PathBuf {
        self.folder.join("kubectl")
    }

    /// The Stages of kwok's own module that keep simulated nodes Ready.
    pub fn node_stages(&self) -> Vec<PathBuf> {
        let extras = CONTROL_PLANE.extras.iter();
        extras.map(|extra| self.folder.join(extra.to)).collect()
    }
}

fn checked_assets(assets: PathBuf) -> Result<PathBuf> {
    for name in ["etcd", "kube-apiserver"] {
        if !assets.join(name).is_file() {
            bail!("KUBEBUILDER_ASSETS={} has no {name}", assets.display());
        }
    }
    Ok(assets)
}

/// The folder outside the checkout that keeps what is expensive to obtain.
///
/// # Errors
/// There is no home folder and neither `IRONSIDE_CACHE` nor `XDG_CACHE_HOME` is set.
pub fn cache_folder() -> Result<PathBuf> {
    cache::root()
}

/// The path of one of this workspace's own programs (`ironside-operator`, `ironside`, `ironside-e2e`): beside the
/// running program, which for a test binary is the folder above `deps`.
///
/// # Errors
/// The program has not been built.
pub fn workspace_program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("where does the running program lie?")?;
    let folder = own.parent().context("the running program has no folder")?;
    let folder = match folder.parent() {
        Some(above) if folder.ends_with("deps") => above,
        _ => folder,
    };
    let path = folder.join(name);
    if !path.is_file() {
        bail!(
            "{} is not built: run `make build` (or `cargo build --workspace --bins`)",
            path.display()
        );
    }
    Ok(path)
}
