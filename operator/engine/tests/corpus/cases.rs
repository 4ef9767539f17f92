//! The corpus as it lies on disk.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use super::support;

/// Oldest and newest server that is supported: older rules of the Pod Security Standards are not compared.
const MINORS: std::ops::RangeInclusive<u32> = 33..=37;

/// One label.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) source: String,
    pub(crate) check: String,
    pub(crate) topic: String,
    pub(crate) level: Option<String>,
    pub(crate) expect: String,
    pub(crate) path: String,
    note: String,
    resource: Option<String>,
    #[serde(default)]
    pub(crate) qualifiers: Vec<String>,
    versions: Option<String>,
}

impl Case {
    /// The Kubernetes minors for which the label holds, among those that are supported; 0, the newest, where it names none.
    pub(crate) fn minors(&self) -> Vec<u32> {
        let Some(versions) = self.versions.as_deref().filter(|versions| !versions.is_empty()) else {
            return vec![0];
        };
        let mut ends = versions
            .split("v1.")
            .skip(1)
            .filter_map(|end| end.trim_end_matches('-').parse::<u32>().ok());
        let first = ends.next().unwrap_or_default();
        let last = ends.next().unwrap_or(first);
        MINORS.filter(|minor| (first..=last).contains(minor)).collect()
    }

    /// Whether the label is the outcome of one rule of the check, where it has several, and does not say which.
    pub(crate) fn is_of_one_rule(&self) -> bool {
        self.note.ends_with("/kyverno-test.yaml")
    }

    /// Whether the label is about an object, given as `Kind namespace/name`.
    pub(crate) fn is_about(&self, object: &str) -> bool {
        let Some(resource) = &self.resource else { return true };
        let mut parts = resource.split('/');
        let (kind, name) = (parts.next().unwrap_or_default(), parts.next_back().unwrap_or_default());
        object.starts_with(&format!("{kind} ")) && object.rsplit(['/', ' ']).next() == Some(name)
    }
}

/// The folder of the corpus, if there is one.
pub(crate) fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = std::env::var_os("IRONSIDE_CORPUS").map_or(beside, PathBuf::from);
    folder.join("cases.jsonl").is_file().then_some(folder)
}

/// Every label.
pub(crate) fn all(corpus: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(corpus.join("cases.jsonl")).expect("readable");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a case on each line"))
        .collect()
}

/// The objects of a case.
pub(crate) struct Manifests {
    pub(crate) objects: Vec<Value>,
    /// Whether a file is no YAML.
    pub(crate) broken: bool,
    /// Whether they are all that the cluster has: what is missing does not exist.
    pub(crate) complete: bool,
}

/// Reads a file, or a folder whose files together are the input.
pub(crate) fn manifests(path: &Path) -> Manifests {
    let input = path.join("input");
    let mut files = if path.is_dir() {
        files(if input.is_dir() { &input } else { path })
    } else {
        vec![path.to_owned()]
    };
    files.sort();
    let mut all = Manifests {
        objects: Vec::new(),
        broken: false,
        complete: input.is_dir(),
    };
    for file in files {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        match support::documents(&text) {
            Ok(objects) => all.objects.extend(objects),
            Err(_) => all.broken = true,
        }
    }
    all
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "yaml" || ending == "yml" || ending == "json")
        })
        .filter(|path| path.file_name().is_none_or(|name| name != "expected.json"))
        .collect()
}
