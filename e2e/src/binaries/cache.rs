//! The folder that keeps built programs between runs: its place, its key, and the lock while one process fills it.
//!
//! The key covers everything that decides what the programs are: the module's files, the flags and the Go version.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use nix::fcntl::{Flock, FlockArg};
use sha2::{Digest as _, Sha256};

use super::build;
use super::module::Module;
use crate::progress::say;

/// The folder with a module's programs, building them first if need be.
pub(crate) fn obtain(module: &Module) -> Result<PathBuf> {
    let root = root()?;
    let prefix = format!("{}-{}", module.prefix, key(module)?);
    let Some(go) = go_version(&module.folder())? else {
        return without_go(module, &root, &prefix);
    };
    let folder = root.join(format!("{prefix}-{go}"));
    if is_complete(module, &folder) {
        return Ok(folder);
    }
    fs::create_dir_all(&root).with_context(|| format!("create the cache folder {}", root.display()))?;
    let _lock = lock(&root.join(format!("{prefix}-{go}.lock")), module.what)?;
    if !is_complete(module, &folder) {
        drop_unfinished(&root, module.prefix);
        let unfinished = root.join(format!("{prefix}-{go}.{}.unfinished", std::process::id()));
        build::build(module, &unfinished)?;
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("remove the incomplete {}", folder.display()))?;
        }
        fs::rename(&unfinished, &folder).with_context(|| format!("move the build to {}", folder.display()))?;
    }
    Ok(folder)
}

/// Builds that were interrupted leave a folder of some hundred megabytes; whoever holds the lock may remove it.
fn drop_unfinished(root: &Path, prefix: &str) {
    for path in fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
    {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with(prefix) && name.ends_with(".unfinished") {
            // Best effort: it costs space and nothing else.
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// `IRONSIDE_CACHE`, else `XDG_CACHE_HOME/ironside`, else `~/.cache/ironside`.
pub(super) fn root() -> Result<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("IRONSIDE_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|path| path.join("ironside")))
        .or_else(|| set("HOME").map(|path| path.join(".cache/ironside")))
        .context("none of IRONSIDE_CACHE, XDG_CACHE_HOME and HOME is set: where may built programs be kept?")
}

fn key(module: &Module) -> Result<String> {
    let mut hash = Sha256::new();
    for name in module.sources {
        let path = module.folder().join(name);
        hash.update(fs::read(&path).with_context(|| format!("read {}", path.display()))?);
    }
    for word in module.flags {
        hash.update(word);
        hash.update([0]);
    }
    for program in module.programs {
        hash.update(program.package);
        hash.update([0]);
    }
    let digest = hash.finalize();
    Ok(digest
        .iter()
        .take(6)
        .fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
}

/// Version, system and architecture that this module would be built with, as one word; nothing if there is no Go.
fn go_version(module: &Path) -> Result<Option<String>> {
    let output = Command::new("go")
        .args(["env", "GOVERSION", "GOOS", "GOARCH"])
        .current_dir(module)
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.context("run `go env`")?,
    };
    if !output.status.success() {
        bail!("`go env` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let words: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(str::to_owned)
        .collect();
    Ok(Some(words.join("-")))
}

/// Without Go an earlier build of the very same module will do, whichever Go version made it.
fn without_go(module: &Module, root: &Path, prefix: &str) -> Result<PathBuf> {
    let found = fs::read_dir(root)
        .ok()
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let fits = |path: &PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.is_some_and(|name| name.starts_with(prefix)) && is_complete(module, path)
    };
    found.filter(fits).min().with_context(|| {
        format!(
            "no Go toolchain on PATH, and the programs of {} are not built yet: \
             install Go 1.26 or newer (https://go.dev/dl/) and run again",
            module.what
        )
    })
}

/// A folder gets its final name only when the build is done, so this guards against hand-deleted files alone.
fn is_complete(module: &Module, folder: &Path) -> bool {
    let programs = module.programs.iter().map(|program| program.name);
    let mut names = programs.chain(module.extras.iter().map(|extra| extra.to));
    names.all(|name| folder.join(name).is_file())
}

/// Holds a file of the cache for one process, and one thread, at a time.
pub(super) fn lock(path: &Path, what: &str) -> Result<Flock<File>> {
    let open = || File::create(path).with_context(|| format!("create the lock {}", path.display()));
    if let Ok(lock) = Flock::lock(open()?, FlockArg::LockExclusiveNonblock) {
        Ok(lock)
    } else {
        say(&format!("{what} is being made ready elsewhere; waiting for it"));
        Flock::lock(open()?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| errno)
            .with_context(|| format!("lock {}", path.display()))
    }
}
