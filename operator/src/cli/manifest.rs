//! Reads Kubernetes manifests from files, folders and standard input.
//!
//! One bad document never hides the others: each file and each document fails on its own, with line and column, and the rest is read.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ironside_engine::model::{Node, Shape};
use serde::Deserialize as _;
use serde_json::Value;

use super::document::{self, Content};
use crate::yaml::{self, Part};

/// Largest file that is read, in bytes. The API server takes no object above 3 MiB; a file this big is not a manifest.
const LARGEST_FILE: u64 = 64 * 1024 * 1024;

/// File name endings that are read inside a folder. A file that is named on the command line is read whatever its name.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

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
    /// Files that were opened.
    pub files: usize,
    /// What standard input said, if it was read: it cannot be read again to find where something stands.
    pub stdin: Option<String>,
}

/// Something to read.
#[derive(Debug)]
pub(super) enum Input {
    /// A file, as it was named or found.
    File(PathBuf),
    /// What standard input said.
    Stdin(Vec<u8>),
    /// What cannot be read.
    Problem(Problem),
}

impl Input {
    /// Everything below some paths, in order; `-` is standard input, which is read at once.
    pub(super) fn below(paths: &[PathBuf], stdin: &mut dyn Read) -> Vec<Self> {
        let mut found = Vec::new();
        for path in paths {
            if path == Path::new("-") {
                found.push(match read_whole("-", stdin) {
                    Ok(bytes) => Self::Stdin(bytes),
                    Err(problem) => Self::Problem(problem),
                });
                continue;
            }
            match std::fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => Self::folder(path, &mut found),
                Ok(_) => found.push(Self::File(path.clone())),
                Err(error) => found.push(Self::unreadable(path, &error)),
            }
        }
        found
    }

    fn folder(folder: &Path, found: &mut Vec<Self>) {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return found.push(Self::unreadable(folder, &error)),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push((entry.path(), entry.file_type())),
                Err(error) => found.push(Self::unreadable(folder, &error)),
            }
        }
        paths.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (path, kind) in paths {
            let hidden = path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with('.'));
            let wanted = path
                .extension()
                .is_some_and(|e| ENDINGS.iter().any(|known| e.eq_ignore_ascii_case(known)));
            // A link to a folder could lead in circles; a link to a file is read.
            let is_link = kind.as_ref().is_ok_and(std::fs::FileType::is_symlink);
            // Most entries are no links, and what they are was said with their names.
            let leads_to = match kind {
                Ok(kind) if !kind.is_symlink() => Ok(kind),
                _ => std::fs::metadata(&path).map(|metadata| metadata.file_type()),
            };
            match leads_to {
                _ if hidden => {}
                Ok(kind) if kind.is_dir() && !is_link => Self::folder(&path, found),
                Ok(kind) if kind.is_file() && wanted => found.push(Self::File(path)),
                // A link that leads nowhere: somebody believes that there is a manifest.
                Err(error) if wanted => found.push(Self::unreadable(&path, &error)),
                _ => {}
            }
        }
    }

    fn unreadable(path: &Path, error: &io::Error) -> Self {
        Self::Problem(Problem {
            at: path.display().to_string(),
            message: describe(error),
        })
    }
}

/// Everything that a file says, unless it says too much.
fn read_whole(at: &str, from: &mut dyn Read) -> Result<Vec<u8>, Problem> {
    let problem = |message| Problem {
        at: at.to_owned(),
        message,
    };
    let mut bytes = Vec::new();
    let limited = from.take(LARGEST_FILE + 1).read_to_end(&mut bytes);
    limited.map_err(|error| problem(describe(&error)))?;
    if bytes.len() as u64 > LARGEST_FILE {
        let limit = LARGEST_FILE / 1024 / 1024;
        return Err(problem(format!("more than {limit} MiB: give it in parts")));
    }
    Ok(bytes)
}

impl<D> Default for Manifests<D> {
    fn default() -> Self {
        Self {
            documents: Vec::new(),
            problems: Vec::new(),
            files: 0,
            stdin: None,
        }
    }
}

impl Manifests {
    /// Reads files and folders; `-` is standard input.
    pub fn read(paths: &[PathBuf], stdin: &mut dyn Read) -> Self {
        let mut found = Self::default();
        for input in Input::below(paths, stdin) {
            found.take_in(&input, &());
        }
        found
    }
}

impl<D: Reading> Manifests<D> {
    /// What one input says.
    pub(super) fn of(input: &Input, by: &D::By) -> Self {
        let mut found = Self::default();
        found.take_in(input, by);
        found
    }

    fn take_in(&mut self, input: &Input, by: &D::By) {
        match input {
            Input::File(path) => {
                self.files += 1;
                let at = path.display().to_string();
                let read = File::open(path).map_err(|error| Problem {
                    at: at.clone(),
                    message: describe(&error),
                });
                match read.and_then(|mut file| read_whole(&at, &mut file)) {
                    Ok(bytes) => self.read_bytes(&at, &bytes, by),
                    Err(problem) => self.problems.push(problem),
                }
            }
            Input::Stdin(bytes) => {
                self.files += 1;
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
            let message = "not a Kubernetes object: apiVersion and kind are missing".to_owned();
            return self.problem(&source.to_string(), message);
        }
        let Some(Shape::List(items)) = object.get("items").map(N::shape) else {
            return self.documents.push(D::of(source, object, by));
        };
        for (index, item) in items.into_iter().enumerate() {
            let mut source = source.clone();
            let _ = write!(source.within, "/items/{index}");
            self.take(source, item, by);
        }
    }

    fn problem(&mut self, at: &str, message: String) {
        self.problems.push(Problem {
            at: at.to_owned(),
            message,
        });
    }
}

/// Blank lines and comments before the first content; `None` where there is none.
fn leading_blank_lines(part: &str) -> Option<usize> {
    part.lines()
        .position(|line| !line.trim_start().is_empty() && !line.trim_start().starts_with('#'))
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
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
    fn lists_are_taken_apart_and_strangers_refused() {
        let found = read(
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- {apiVersion: v1, kind: Service}\n---\nfoo: bar\n",
        );
        assert_eq!(found.documents.len(), 2);
        assert!(found.problems[0].message.contains("apiVersion and kind"));
    }
}
