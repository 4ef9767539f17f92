//! Invariants of the repository: who may depend on whom, how long a file may get, what must never be committed.

#![allow(clippy::unwrap_used, reason = "a test that cannot read the repository has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

/// What the pure packages must not reach: a runtime, an HTTP client or server.
const IMPURE: [&str; 7] = [
    "tokio",
    "hyper",
    "hyper-util",
    "reqwest",
    "kube-client",
    "kube-runtime",
    "axum",
];

/// Which package of the workspace may depend on which other one, directly.
const ARROWS: [(&str, &[&str]); 4] = [
    ("ironside-crds", &[]),
    ("ironside-engine", &["ironside-crds"]),
    ("ironside", &["ironside-crds", "ironside-engine"]),
    ("ironside-e2e", &["ironside-crds"]),
];

/// A file beyond this is two files. Generated ones and locks are no reading matter.
const LONGEST: usize = 500;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .exec()
        .unwrap()
}

#[test]
fn the_pure_packages_reach_no_runtime_and_no_http_client() {
    let metadata = metadata();
    for pure in ["ironside-crds", "ironside-engine"] {
        let reached = reachable(&metadata, pure);
        assert!(reached.contains("serde"), "the walk works: {reached:?}");
        for impure in IMPURE {
            assert!(!reached.contains(impure), "{pure} reaches {impure}");
        }
    }
}

/// Names of everything that a package is built with. Not its dev-dependencies: tests may use what they like.
///
/// Asked of cargo with the features that the package alone asks for, as a third party would build it: in the workspace as a
/// whole others switch on features of shared dependencies.
fn reachable(metadata: &Metadata, package: &str) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "--prefix=none",
            "--edges=normal,build",
            "--format={p}",
            "--package",
            package,
        ])
        .current_dir(&metadata.workspace_root)
        .output()
        .unwrap();
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    String::from_utf8(tree.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn no_arrow_between_our_packages_turns_round() {
    let metadata = metadata();
    let ours: BTreeMap<&PackageId, &str> = metadata
        .workspace_packages()
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let expected: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        ours.values().copied().collect::<BTreeSet<_>>(),
        expected,
        "a new package needs its place in ARROWS"
    );
    for package in metadata.workspace_packages() {
        let (_, allowed) = ARROWS.iter().find(|(name, _)| *name == package.name.as_str()).unwrap();
        for dependency in &package.dependencies {
            let ours = expected.contains(dependency.name.as_str());
            let counts = dependency.kind != DependencyKind::Development;
            assert!(
                !ours || !counts || allowed.contains(&dependency.name.as_str()),
                "{} must not depend on {}",
                package.name,
                dependency.name
            );
        }
    }
}

#[test]
fn no_merge_was_left_half_done() {
    let marker = |line: &str| ["<<<<<<< ", ">>>>>>> "].iter().any(|mark| line.starts_with(mark));
    for (path, text) in tracked() {
        let left = text.lines().position(marker);
        assert!(
            left.is_none(),
            "{}: a conflict marker at line {:?}",
            path.display(),
            left.map(|it| it + 1)
        );
    }
}

#[test]
fn no_file_is_longer_than_one_can_read() {
    let generated = |path: &Path, text: &str| {
        let first = text.lines().next().unwrap_or_default();
        path.ends_with("Cargo.lock") || path.ends_with("go.sum") || first.to_lowercase().contains("generated")
    };
    let mut too_long = Vec::new();
    for (path, text) in tracked() {
        let lines = text.lines().count();
        let written = path.extension().is_some_and(|end| {
            ["rs", "sh", "yaml", "yml", "toml", "jq", "go"]
                .iter()
                .any(|it| end == *it)
        });
        if written && lines > LONGEST && !generated(&path, &text) {
            too_long.push(format!("{} ({lines} lines)", path.display()));
        }
    }
    assert!(
        too_long.is_empty(),
        "longer than {LONGEST} lines, so split them: {too_long:#?}"
    );
}

#[test]
fn no_file_names_a_path_of_the_machine_it_was_written_on() {
    // The Dockerfile's working folders are those of an image.
    let exempt = ["Dockerfile"];
    let machine = machine_paths();
    let mut found = Vec::new();
    for (path, text) in tracked() {
        if exempt.iter().any(|name| path.ends_with(name)) {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            if machine.iter().any(|needle| line.contains(needle.as_str())) && !path.ends_with("repository.rs") {
                found.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// What betrays the machine that something was written on: its working folders and somebody's home folder. Those of
/// containers are no secret.
fn machine_paths() -> Vec<String> {
    let mut paths = vec![
        root().display().to_string(),
        concat!("/wo", "rk/").to_owned(),
        "/Users/".to_owned(),
    ];
    paths.extend(
        std::env::var("HOME")
            .ok()
            .filter(|home| home.len() > 1 && home != "/root")
            .map(|home| home + "/"),
    );
    paths
}

/// Every text file that git tracks, by its path within the repository.
fn tracked() -> Vec<(PathBuf, String)> {
    let list = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let names = String::from_utf8(list.stdout).unwrap();
    let names: Vec<PathBuf> = names
        .split('\0')
        .filter(|name| !name.is_empty())
        .map(PathBuf::from)
        .collect();
    assert!(names.len() > 50, "only {} files: is this the repository?", names.len());
    // A file may be deleted and not yet staged, or be no text: neither is of interest here.
    names
        .into_iter()
        .filter_map(|name| Some((name.clone(), std::fs::read_to_string(root().join(&name)).ok()?)))
        .collect()
}
