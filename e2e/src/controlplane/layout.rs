//! The folder of one control plane: who made it, what lies where in it, and what dead processes left behind.

use std::fs::{self, DirBuilder};
use std::hash::{BuildHasher as _, RandomState};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Component;
use super::options::Options;
use crate::binaries::Binaries;
use crate::node;
use crate::pki::Pki;

/// Every folder's name begins so; the id of the process that owns it follows.
const PREFIX: &str = "ironside-e2e-";

/// Everything that the processes of one control plane share.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) folder: PathBuf,
    pub(super) pki: Pki,
    pub(super) binaries: Binaries,
    pub(super) options: Options,
}

impl Layout {
    /// A new folder in the system's temporary one, readable by its owner alone: it holds an administrator's keys.
    pub(super) fn create(binaries: Binaries, options: Options) -> Result<Self> {
        sweep();
        let random = RandomState::new().hash_one(std::process::id());
        let folder = std::env::temp_dir().join(format!("{PREFIX}{}-{random:016x}", std::process::id()));
        DirBuilder::new()
            .mode(0o700)
            .create(&folder)
            .with_context(|| format!("create {}", folder.display()))?;
        let pki = Pki::generate(&folder.join("pki"))?;
        let layout = Self {
            folder,
            pki,
            binaries,
            options,
        };
        fs::create_dir(layout.logs()).context("create the folder of logs")?;
        fs::write(layout.egress(), super::apiserver::egress(&layout)).context("write the egress selector")?;
        fs::write(layout.audit_policy(), layout.options.audit.policy()).context("write the audit policy")?;
        Ok(layout)
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.folder.join("logs")
    }

    pub(super) fn log(&self, component: Component) -> PathBuf {
        self.logs().join(format!("{component}.log"))
    }

    /// A name that no other control plane on this machine has.
    pub(super) fn name(&self) -> String {
        self.folder
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    pub(super) fn egress(&self) -> PathBuf {
        self.folder.join("egress.yaml")
    }

    pub(super) fn audit_policy(&self) -> PathBuf {
        self.folder.join("audit-policy.yaml")
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    pub(super) fn stages(&self) -> PathBuf {
        self.folder.join("stages.yaml")
    }

    pub(super) fn emulated_version_flag(&self) -> Option<String> {
        self.options
            .emulated_version
            .as_ref()
            .map(|version| format!("--emulated-version={version}"))
    }
}

/// Ends and removes what supervisors that were themselves killed left behind. Best effort: it is a courtesy to the
/// machine, not something that this run depends on.
fn sweep() {
    let Ok(entries) = fs::read_dir(std::env::temp_dir()) else {
        return;
    };
    for folder in entries.flatten().map(|entry| entry.path()) {
        if owner(&folder).is_some_and(|owner| kill(Pid::from_raw(owner), None).is_err()) {
            for process in processes_naming(&folder) {
                let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
            }
            if let Some(name) = folder.file_name() {
                node::sweep(&name.to_string_lossy());
            }
            let _ = fs::remove_dir_all(&folder);
        }
    }
}

fn owner(folder: &Path) -> Option<i32> {
    let name = folder.file_name()?.to_str()?.strip_prefix(PREFIX)?;
    name.split_once('-')?.0.parse().ok()
}

/// Processes whose command line names the folder: every program of a control plane is given files in it.
fn processes_naming(folder: &Path) -> Vec<i32> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let needle = folder.display().to_string();
    let is_ours = |id: &i32| {
        fs::read(format!("/proc/{id}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&needle))
    };
    let ids = processes
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(is_ours).collect()
}
