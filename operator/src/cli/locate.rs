//! Where in the files a finding stands, looked up when it is written: most files have none, and no text is kept in memory.

use super::manifest::Source;
use crate::yaml::{self, Node, Position};

/// Finds fields in files. Keeps the last file, so look them up in the order of the files.
#[derive(Debug, Default)]
pub(super) struct Locator<'a> {
    stdin: Option<&'a str>,
    file: Option<String>,
    /// First line of each document, and what is in it.
    documents: Vec<(usize, Option<Node>)>,
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
        if self.file.as_ref() != Some(&source.file) {
            self.open(&source.file);
        }
        let (line, document) = self.documents.iter().rev().find(|(line, _)| *line <= source.line)?;
        let position = yaml::position_of(document.as_ref()?, &format!("{}{pointer}", source.within));
        Some(Position {
            line: line + position.line - 1,
            column: position.column,
        })
    }

    fn open(&mut self, file: &str) {
        self.file = Some(file.to_owned());
        let text = match self.stdin {
            Some(stdin) if file == "-" => Some(stdin.to_owned()),
            _ => std::fs::read_to_string(file).ok(),
        };
        let text = text.unwrap_or_default();
        let parts = yaml::parts(text.trim_start_matches('\u{feff}'));
        self.documents = parts
            .into_iter()
            .map(|part| (part.line, yaml::parse(part.text).ok().flatten()))
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_the_top_of_the_file() {
        let text = "a: 1\n---\n# two\nkind: List\nitems:\n- spec:\n    x: 1\n";
        let source = Source {
            file: "-".to_owned(),
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
            file: "/nonexistent/x.yaml".to_owned(),
            line: 1,
            within: String::new(),
        };
        assert_eq!(Locator::new(None).position(&source, "/spec"), None);
    }
}
