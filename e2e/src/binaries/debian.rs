//! Programs from Debian's packages, taken apart into the cache: nothing is installed on the machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use super::cache;

/// A program on PATH, or in the folders of administrators, which are not on everybody's.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// Downloads packages with whatever they need that the machine lacks, and unpacks them below `folder`. Whoever comes meanwhile, a thread or
/// a process, waits and finds them there.
///
/// # Errors
/// This is no Debian, or its archive cannot be reached.
pub(crate) fn unpack(packages: &[&str], folder: &Path) -> Result<()> {
    let parent = folder.parent().context("a folder of the cache has a parent")?;
    std::fs::create_dir_all(parent).with_context(|| format!("create the cache folder {}", parent.display()))?;
    let _lock = cache::lock(&folder.with_extension("lock"), &packages.join(", "))?;
    if folder.is_dir() {
        return Ok(());
    }
    let download = folder.with_extension(format!("{}.unfinished", std::process::id()));
    let archives = download.join("archives");
    // apt wants a folder for what is half there.
    std::fs::create_dir_all(archives.join("partial")).with_context(|| format!("create {}", archives.display()))?;
    let fetch = || {
        run(Command::new("apt-get")
            .args(["install", "--download-only", "--no-install-recommends", "-y", "-q"])
            // Nothing is installed, so whoever holds the lock is not disturbed.
            .args(["-o", "Debug::NoLocking=1", "-o"])
            .arg(format!("Dir::Cache::archives={}", archives.display()))
            .args(packages))
    };
    // A machine that never updated its lists knows no package.
    if fetch().is_err() {
        run(Command::new("apt-get").args(["update", "-qq"]))?;
        fetch()?;
    }
    let root = download.join("root");
    let files = std::fs::read_dir(&archives)?.filter_map(|entry| Some(entry.ok()?.path()));
    for package in files.filter(|path| path.extension().is_some_and(|ending| ending == "deb")) {
        run(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
    }
    std::fs::rename(&root, folder).with_context(|| format!("move the packages to {}", folder.display()))?;
    std::fs::remove_dir_all(&download).context("remove the downloads")
}

fn run(command: &mut Command) -> Result<()> {
    let output = command
        .output()
        .with_context(|| format!("run {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}
