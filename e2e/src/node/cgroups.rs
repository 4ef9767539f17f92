//! The folders that a node leaves in the machine's cgroup hierarchies: they survive its processes and have to be removed.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use crate::wait;

/// Where the hierarchies are mounted.
pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// Removes the node's folders from all hierarchies. Processes that were killed a moment ago may still be in them.
pub(super) async fn remove(cgroup: &str) -> Result<()> {
    wait::until_within(
        Duration::from_secs(20),
        "the node's cgroup folders are removed",
        async || of(cgroup).iter().try_for_each(|folder| remove_tree(folder)),
    )
    .await
}

/// The same for a node whose owner was killed, as far as it goes.
pub(super) fn sweep(cgroup: &str) {
    for folder in of(cgroup) {
        let _ = remove_tree(&folder);
    }
}

/// The node's folders, one in each hierarchy.
pub(super) fn of(cgroup: &str) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir(ROOT).into_iter().flatten().flatten();
    hierarchies
        .map(|entry| entry.path().join(cgroup))
        .filter(|folder| folder.is_dir())
        .collect()
}

/// Only folders can be removed in a cgroup hierarchy; the files in them go with them.
fn remove_tree(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)?.flatten() {
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        }
    }
    Ok(fs::remove_dir(folder)?)
}
