//! The pinned Go modules that programs are built from: which programs, with which flags, under which name in the cache.

use std::path::{Path, PathBuf};

/// One program of a module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Program {
    /// File name that the rest of the harness expects.
    pub(crate) name: &'static str,
    /// Go import path of its main package; `.` is the module itself.
    pub(crate) package: &'static str,
    /// File name that `go build` gives it (the last element of the import path, or the module's name before `/v3`).
    pub(crate) built_as: &'static str,
}

impl Program {
    /// A program that `go build` already names as we do.
    pub(crate) const fn new(name: &'static str, package: &'static str) -> Self {
        Self {
            name,
            package,
            built_as: name,
        }
    }
}

/// A file of a dependency's own module that is kept beside the programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extra {
    /// The dependency.
    pub(crate) module: &'static str,
    /// Path inside it.
    pub(crate) from: &'static str,
    /// File name in the cache.
    pub(crate) to: &'static str,
}

/// A Go module of this package and what is built from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module {
    /// First part of the folder's name in the cache.
    pub(crate) prefix: &'static str,
    /// What a person calls all of it.
    pub(crate) what: &'static str,
    /// What it costs to build, for the person who waits.
    pub(crate) cost: &'static str,
    /// Its folder below this package's sources.
    pub(crate) folder: &'static str,
    /// Files that decide what is built: `go.mod`, `go.sum`, and sources that are our own.
    pub(crate) sources: &'static [&'static str],
    /// Everything between `go build` and the packages.
    pub(crate) flags: &'static [&'static str],
    /// What is built.
    pub(crate) programs: &'static [Program],
    /// What is copied.
    pub(crate) extras: &'static [Extra],
}

impl Module {
    /// The folder of its `go.mod`.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.folder)
    }
}
