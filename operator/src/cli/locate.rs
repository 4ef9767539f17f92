//! Where in the files a finding stands, looked up when it is written: most files have none, and no text is kept in memory.

use std::borrow::Cow;
use std::path::Path;

use super::input;
use super::manifest::Source;
use crate::yaml::fast::{self, Lines, Tree};
use crate::yaml::{self, Node, Position};

/// Finds fields in files. Keeps the last file, so look them up in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Locator<'a> {
    stdin: Option<&'a str>,
    file: Option<String>,
    text: String,
    documents: Vec<Document>,
}

/// A document of the file.
#[derive(Debug)]
struct Document {
    /// Its first line.
    line: usize,
    /// Where it stands in the text, in bytes.
    within: std::ops::Range<usize>,
    /// What is in it, once somebody asked.
    read: Option<Read>,
}

/// A document with the places of its fields.
#[derive(Debug)]
enum Read {
    Plain(Tree, Lines),
    Any(Node),
    Broken,
}

impl Read {
    fn of(text: &str) -> Self {
        match fast::read(text) {
            Some(tree) => Self::Plain(tree, Lines::of(text)),
            None => yaml::parse(text).ok().flatten().map_or(Self::Broken, Self::Any),
        }
    }
}

impl<'a> Locator<'a> {
    /// A locator; standard input has to be given, it cannot be read twice.
    pub(super) fn new(stdin: Option<&'a str>) -> Self {
        Self {
            stdin,
            ..Self::default()
        }
    }

    /// Where the field of an object stands, or its nearest parent that is there. `None` for objects of a cluster, and for files that changed meanwhile.
    pub(super) fn position(&mut self, source: &Source, pointer: &str) -> Option<Position> {
        if self.file.as_deref() != Some(&*source.file) {
            self.open(&source.file);
        }
        let after = self.documents.partition_point(|document| document.line <= source.line);
        let document = self.documents.get_mut(after.checked_sub(1)?)?;
        let text = self.text.get(document.within.clone())?;
        let pointer = match source.within.as_str() {
            "" => Cow::Borrowed(pointer),
            within => Cow::Owned(format!("{within}{pointer}")),
        };
        let position = match document.read.get_or_insert_with(|| Read::of(text)) {
            Read::Plain(tree, lines) => tree.position_of(text, lines, &pointer),
            Read::Any(node) => yaml::position_of(node, &pointer),
            Read::Broken => return None,
        };
        Some(Position {
            line: document.line + position.line - 1,
            column: position.column,
        })
    }

    fn open(&mut self, file: &str) {
        self.file = Some(file.to_owned());
        self.documents.clear();
        self.text = match self.stdin {
            Some(stdin) if file == "-" => stdin.to_owned(),
            _ => {
                let mut bytes = std::mem::take(&mut self.text).into_bytes();
                let read = input::read_file(Path::new(file), &mut bytes).is_ok();
                String::from_utf8(if read { bytes } else { Vec::new() }).unwrap_or_default()
            }
        };
        let marks = self.text.len() - self.text.trim_start_matches('\u{feff}').len();
        self.text.drain(..marks);
        self.documents
            .extend(yaml::parts(&self.text).into_iter().map(|part| Document {
                line: part.line,
                within: part.offset..part.offset + part.text.len(),
                read: None,
            }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_the_top_of_the_file() {
        let text = "a: 1\n---\n# two\nkind: List\nitems:\n- spec:\n    x: 1\n";
        let source = Source {
            file: "-".into(),
            line: 4,
            within: "/items/0".to_owned(),
        };
        let mut locator = Locator::new(Some(text));
        let position = locator.position(&source, "/spec/x").unwrap();
        assert_eq!((position.line, position.column), (7, 5));
    }

    #[test]
    fn a_file_that_is_gone_has_no_positions() {
        let source = Source {
            file: "/nonexistent/x.yaml".into(),
            line: 1,
            within: String::new(),
        };
        assert_eq!(Locator::new(None).position(&source, "/spec"), None);
    }
}
