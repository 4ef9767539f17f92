//! Reads Kubernetes manifests from files, folders and standard input.
//!
//! One bad document never hides the others: each file and each document fails on its own, with line and column, and the rest is read.

use std::fmt::{self, Write as _};
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use ironside_engine::model::{Node, Shape};
use serde::Deserialize as _;
use serde_json::Value;

use super::document::{self, Content};
use super::input::{self, Input};
use crate::yaml::{self, Part};

/// Where a document stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Source {
    /// File as it was named; `-` for standard input.
    pub file: Arc<str>,
    /// First line of the document, from 1.
    pub line: usize,
    /// JSON pointer of the object inside the document: empty, or an item of a `List`.
    pub within: String,
}

impl Source {
    /// An object that runs, and stands in no file.
    pub fn cluster() -> Self {
        Self {
            file: "cluster".into(),
            line: 0,
            within: String::new(),
        }
    }

    /// Whether the object runs in a cluster.
    pub fn is_cluster(&self) -> bool {
        self.line == 0
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_cluster() {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// One object of a manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it stands.
    pub source: Source,
    /// The object.
    pub object: Value,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// File, with line and column where they are known.
    pub at: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.message)
    }
}

/// What becomes of an object as it is read.
pub trait Reading: Sized {
    /// What it takes for that.
    type By: ?Sized;

    /// Makes it.
    fn of<'de>(source: Source, object: impl Node<'de>, by: &Self::By) -> Self;
}

impl Reading for Document {
    type By = ();

    fn of<'de>(source: Source, object: impl Node<'de>, (): &()) -> Self {
        // Any node is a value: both have the same shapes.
        let object = Value::deserialize(object).unwrap_or_default();
        Self { source, object }
    }
}

/// Everything that was found under some paths.
#[derive(Clone, Debug)]
pub struct Manifests<D = Document> {
    /// Objects in the order they were read; `List`s are taken apart.
    pub documents: Vec<D>,
    /// What could not be read.
    pub problems: Vec<Problem>,
    /// Places of documents of found files that are no objects and do not say that they are.
    pub(super) strangers: Vec<String>,
    /// Files that were opened.
    pub files: usize,
    /// Whether the file that is being read was found in a folder, and not named.
    pub(super) found: bool,
    /// What standard input said, if it was read: it cannot be read again to find where something stands.
    pub stdin: Option<String>,
}

impl<D> Default for Manifests<D> {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            problems: Vec::new(),
            strangers: Vec::new(),
            files: 0,
            found: false,
            stdin: None,
        }
    }
}

impl Manifests {
    /// Reads files and folders; `-` is standard input.
    pub fn read(paths: &[PathBuf], stdin: &mut dyn Read) -> Self {
        Self::of(&Input::below(paths, stdin), &(), &mut Vec::new())
    }
}

impl<D: Reading> Manifests<D> {
    /// What some inputs say. `room` is where files are read into.
    pub(super) fn of(inputs: &[Input], by: &D::By, room: &mut Vec<u8>) -> Self {
        let mut found = Self::default();
        for input in inputs {
            found.take_in(input, by, room);
        }
        found
    }

    fn take_in(&mut self, input: &Input, by: &D::By, room: &mut Vec<u8>) {
        match input {
            Input::File(path) | Input::Found(path) => {
                self.files += 1;
                self.found = matches!(input, Input::Found(_));
                let at = path.display().to_string();
                match input::read_file(path, room) {
                    Ok(()) => self.read_bytes(&at, room, by),
                    Err(problem) => self.problems.push(problem),
                }
            }
            Input::Stdin(bytes) => {
                self.files += 1;
                self.found = false;
                self.read_bytes("-", bytes, by);
            }
            Input::Problem(problem) => self.problems.push(problem.clone()),
        }
    }

    fn read_bytes(&mut self, file: &str, bytes: &[u8], by: &D::By) {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return self.problem(file, "UTF-16: save it as UTF-8".to_owned());
        }
        if bytes.contains(&0) {
            return self.problem(file, "binary data, not a manifest".to_owned());
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                let text = text.trim_start_matches('\u{feff}');
                self.read_text(file, text, by);
                if file == "-" {
                    self.stdin = Some(text.to_owned());
                }
            }
            Err(error) => {
                let line = String::from_utf8_lossy(&bytes[..error.valid_up_to()])
                    .split('\n')
                    .count();
                self.problem(&format!("{file}:{line}"), "not UTF-8 text".to_owned());
            }
        }
    }

    fn read_text(&mut self, file: &str, text: &str, by: &D::By) {
        let named: Arc<str> = file.into();
        for Part { text: part, line, .. } in yaml::parts(text) {
            let Some(blank) = leading_blank_lines(part) else {
                continue;
            };
            let source = Source {
                file: Arc::clone(&named),
                line: line + blank,
                within: String::new(),
            };
            match document::read(part) {
                Ok(Content::Tree(tree)) => self.take(source, tree.root(part), by),
                Ok(Content::Value(value)) => self.take(source, &value, by),
                Err(complaint) => {
                    let at = complaint.at.map_or_else(
                        || source.to_string(),
                        |(below, column)| format!("{file}:{}:{column}", line + below.saturating_sub(1)),
                    );
                    self.problem(&at, complaint.message);
                }
            }
        }
    }

    fn take<'de, N: Node<'de>>(&mut self, source: Source, object: N, by: &D::By) {
        let says = |key| object.get(key).and_then(N::as_str).is_some();
        if object.is_null() {
            return;
        }
        if !says("apiVersion") || !says("kind") {
            if self.found && source.within.is_empty() && is_stranger(object) {
                return self.strangers.push(source.to_string());
            }
            let message = "not a Kubernetes object: apiVersion and kind are missing".to_owned();
            return self.problem(&source.to_string(), message);
        }
        let Some(Shape::List(items)) = object.get("items").map(N::shape) else {
            return self.documents.push(D::of(source, object, by));
        };
        for (index, item) in items.into_iter().enumerate() {
            let mut source = source.clone();
            let _ = write!(source.within, "/items/{index}");
            match typed(object, item) {
                Some(item) => self.take(source, &item, by),
                None => self.take(source, item, by),
            }
        }
    }

    fn problem(&mut self, at: &str, message: String) {
        self.problems.push(Problem {
            at: at.to_owned(),
            message,
        });
    }
}

/// An item that leaves its kind to the list that it is in, as the API server answers: what `kubectl get --raw` and many dumps are.
fn typed<'de, N: Node<'de>>(list: N, item: N) -> Option<Value> {
    let text = |key| list.get(key).and_then(N::as_str);
    let kind = text("kind")?.strip_suffix("List").filter(|kind| !kind.is_empty())?;
    if item.get("kind").is_some() || item.get("apiVersion").is_some() {
        return None;
    }
    let mut item = Value::deserialize(item).ok().filter(Value::is_object)?;
    item["kind"] = kind.into();
    item["apiVersion"] = text("apiVersion")?.into();
    Some(item)
}

/// Whether a document means to be something else than an object of Kubernetes: folders hold values of charts, kustomizations, dashboards, playbooks. One that
/// says half of what an object says, or nothing but a word, is a mistake.
fn is_stranger<'de, N: Node<'de>>(document: N) -> bool {
    match document.shape() {
        Shape::Fields(_) => document.get("apiVersion").is_none() && document.get("kind").is_none(),
        Shape::List(_) => true,
        _ => false,
    }
}

/// Blank lines and comments before the first content; `None` where there is none.
fn leading_blank_lines(part: &str) -> Option<usize> {
    part.lines()
        .position(|line| !line.trim_start().is_empty() && !line.trim_start().starts_with('#'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Manifests {
        Manifests::read(&[PathBuf::from("-")], &mut text.as_bytes())
    }

    #[test]
    fn documents_keep_the_line_they_start_on() {
        let found =
            read("# first\napiVersion: v1\nkind: A\n---\n\napiVersion: v1\nkind: B\n--- {apiVersion: v1, kind: C}\n");
        let lines: Vec<_> = found
            .documents
            .iter()
            .map(|d| (d.object["kind"].as_str().unwrap(), d.source.line))
            .collect();
        assert_eq!(lines, [("A", 2), ("B", 6), ("C", 8)]);
        assert!(found.problems.is_empty());
    }

    #[test]
    fn a_broken_document_is_reported_at_its_line_and_the_rest_is_read() {
        let found = read("apiVersion: v1\nkind: A\n---\napiVersion: v1\nkind: [B\n---\napiVersion: v1\nkind: C\n");
        assert_eq!(found.documents.len(), 2);
        assert_eq!(found.problems.len(), 1);
        assert!(
            found.problems[0].at.starts_with("-:5") || found.problems[0].at.starts_with("-:6"),
            "{}",
            found.problems[0]
        );
    }

    #[test]
    fn templates_are_named_as_such() {
        let found = read("apiVersion: v1\nkind: A\nmetadata: {{ include \"x\" . }}\n");
        assert!(
            found.problems[0].message.starts_with("a template"),
            "{}",
            found.problems[0]
        );
    }

    #[test]
    fn binary_data_and_missing_files_are_problems_of_their_own() {
        let found = Manifests::read(
            &[PathBuf::from("-"), PathBuf::from("/nonexistent/x.yaml")],
            &mut &b"\x7fELF\0\0"[..],
        );
        assert_eq!(found.problems[0].message, "binary data, not a manifest");
        assert_eq!(found.problems[1].message, "no such file or folder");
    }

    #[test]
    fn items_without_a_kind_are_of_that_of_their_list() {
        let found = read("apiVersion: apps/v1\nkind: DeploymentList\nitems:\n- metadata: {name: a}\n- {kind: Pod}\n");
        let first = &found.documents[0].object;
        assert_eq!(
            (&first["kind"], &first["apiVersion"]),
            (&"Deployment".into(), &"apps/v1".into())
        );
        assert_eq!(found.documents.len(), 1);
        assert_eq!(found.problems.len(), 1, "half of what an object says is a mistake");
    }

    #[test]
    fn lists_are_taken_apart_and_strangers_refused() {
        let found = read(
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Service}\n---\nfoo: bar\n",
        );
        assert_eq!(found.documents.len(), 2);
        assert!(found.problems[0].message.contains("apiVersion and kind"));
    }
}
