//! For tests: manifests of other projects. They are no part of the repository: `IRONSIDE_CORPUS` says where they are, else `../shared/corpus` beside it.

#![allow(clippy::print_stdout, clippy::unwrap_used)] // who reads the tests has to know that one was skipped

use std::path::{Path, PathBuf};

/// Every manifest of the corpus, in order. `None`, and a line that says so, where there is no corpus.
pub(crate) fn manifests() -> Option<Vec<PathBuf>> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let folder = std::env::var_os("IRONSIDE_CORPUS").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no corpus at IRONSIDE_CORPUS or ../shared/corpus");
        return None;
    }
    let mut found = Vec::new();
    below(&folder, &mut found);
    found.sort();
    Some(found)
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            below(&path, found);
        } else if path
            .extension()
            .is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending == *known))
        {
            found.push(path);
        }
    }
}
