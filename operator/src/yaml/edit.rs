//! A JSON Patch done to text: comments, quotes, order and line ends stay as they are.
//!
//! Each step changes the fewest bytes. In the end the text is read again and compared with the patch done to the parsed original: what cannot be proven equal
//! is refused, never written.

use json_patch::{Patch, PatchOperation};
use serde_json::Value;

use super::render::{Manner, block, flow, item, json, scalar};
use super::tree::{Content, Entry, Node, parse, steps};

/// Why a document is left alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The field is written once and used in several places.
    #[error("{pointer} stands behind an alias: change the anchor by hand")]
    Alias {
        /// The field.
        pointer: String,
    },
    /// A parent of the field is not there, or is not what the patch takes it for.
    #[error("{pointer} has no place in this document")]
    NoPlace {
        /// The field.
        pointer: String,
    },
    /// An operation that repairs do not use.
    #[error("{operation} is not supported on text")]
    Operation {
        /// Name of the operation.
        operation: &'static str,
    },
    /// The document cannot be read.
    #[error("{0}")]
    Broken(String),
    /// The edited text does not say what the patch says.
    #[error(
        "the change cannot be proven equal to the repair (an anchor, a merge key or a duplicate key is in the way): change it by hand"
    )]
    NotEqual,
}

/// Does a patch to a document (the text of one, without its marker) and proves it.
///
/// # Errors
/// It cannot be done, or not be proven. The text is as it was.
pub fn apply(text: &str, patch: &Patch) -> Result<String, Refusal> {
    let mut wanted: Value = read(text)?;
    json_patch::patch(&mut wanted, patch).map_err(|error| Refusal::NoPlace {
        pointer: error.path.to_string(),
    })?;
    let mut edited = text.to_owned();
    for operation in &patch.0 {
        edited = match operation {
            PatchOperation::Test(_) => continue,
            PatchOperation::Add(add) => set(&edited, add.path.as_str(), &add.value)?,
            PatchOperation::Replace(replace) => set(&edited, replace.path.as_str(), &replace.value)?,
            PatchOperation::Remove(_) => return Err(Refusal::Operation { operation: "remove" }),
            PatchOperation::Move(_) => return Err(Refusal::Operation { operation: "move" }),
            PatchOperation::Copy(_) => return Err(Refusal::Operation { operation: "copy" }),
        };
    }
    if read(&edited).ok().as_ref() == Some(&wanted) {
        Ok(edited)
    } else {
        Err(Refusal::NotEqual)
    }
}

fn read(text: &str) -> Result<Value, Refusal> {
    serde_saphyr::from_str(text).map_err(|error| Refusal::Broken(error.without_snippet().to_string()))
}

/// Sets the value at a pointer: replaces what is there, or adds it to its parent.
fn set(text: &str, pointer: &str, value: &Value) -> Result<String, Refusal> {
    let no_place = || Refusal::NoPlace {
        pointer: pointer.to_owned(),
    };
    let document = parse(text)
        .map_err(|error| Refusal::Broken(error.to_string()))?
        .ok_or_else(no_place)?;
    let (parent, step) = pointer.rsplit_once('/').ok_or_else(no_place)?;
    let parent = walk(&document, parent)?.ok_or_else(no_place)?;
    let step = format!("/{step}");
    let step = steps(&step).next().ok_or_else(no_place)?;
    let page = Page {
        text,
        manner: manner(text, &document),
    };
    let change = match (parent.child(&step), &parent.content) {
        (Some(child), _) => page.replace(child, value),
        (None, Content::Mapping { flow: true, entries }) => page.add_in_flow(
            parent,
            entries
                .last()
                .map(|entry| (entry.at.start, entry.value.end.max(entry.at.end))),
            &|json_style, indent| page.entry_in_flow(&step, value, json_style, indent),
            entries.iter().any(|entry| entry.quoted),
        ),
        (None, Content::Mapping { flow: false, entries }) => page.add_entry(entries, &step, value),
        (None, Content::Sequence { flow: true, items }) => page.add_in_flow(
            parent,
            items.last().map(|item| (item.start, item.end)),
            &|json_style, indent| page.value_in_flow(value, json_style, indent),
            page.byte(parent.start) == Some(b'[') && is_json(&document),
        ),
        (None, Content::Sequence { flow: false, items }) => page.add_item(items, value),
        (None, Content::Alias) => {
            return Err(Refusal::Alias {
                pointer: pointer.to_owned(),
            });
        }
        (None, Content::Scalar | Content::BlockScalar) => None,
    };
    let Change { at, until, with } = change.ok_or_else(no_place)?;
    let (before, after) = (
        text.get(..at).ok_or_else(no_place)?,
        text.get(until..).ok_or_else(no_place)?,
    );
    Ok(format!("{before}{with}{after}"))
}

/// The node at a pointer; an alias on the way cannot be edited.
fn walk<'a>(document: &'a Node, pointer: &str) -> Result<Option<&'a Node>, Refusal> {
    let mut node = document;
    for step in steps(pointer) {
        if node.content == Content::Alias {
            return Err(Refusal::Alias {
                pointer: pointer.to_owned(),
            });
        }
        match node.child(&step) {
            Some(child) => node = child,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

fn is_json(document: &Node) -> bool {
    matches!(&document.content, Content::Mapping { flow: true, entries } if entries.iter().any(|entry| entry.quoted))
}

/// How the document is written: its line ends, and how far it indents sequences.
fn manner(text: &str, document: &Node) -> Manner {
    Manner {
        newline: if text.contains("\r\n") { "\r\n" } else { "\n" },
        dash: indented_sequences(text, document).unwrap_or(2),
    }
}

/// Columns between the key and the dashes of the first block sequence.
fn indented_sequences(text: &str, node: &Node) -> Option<usize> {
    match &node.content {
        Content::Mapping { entries, .. } => entries.iter().find_map(|entry| {
            let Content::Sequence { flow: false, items } = &entry.value.content else {
                return indented_sequences(text, &entry.value);
            };
            let dash = dash_column(text, items.first()?)?;
            Some(dash.saturating_sub(entry.at.column - 1).min(2))
        }),
        Content::Sequence { items, .. } => items.iter().find_map(|item| indented_sequences(text, item)),
        Content::Scalar | Content::BlockScalar | Content::Alias => None,
    }
}

/// The column, from 0, of the dash before an item.
fn dash_column(text: &str, item: &Node) -> Option<usize> {
    let before = text.get(..item.start)?;
    let dash = before.trim_end().strip_suffix('-')?.len();
    let line = before.get(..dash)?.rfind('\n').map_or(0, |newline| newline + 1);
    Some(before.get(line..dash)?.chars().count())
}

/// Bytes `at..until` become `with`.
#[derive(Debug)]
struct Change {
    at: usize,
    until: usize,
    with: String,
}

struct Page<'a> {
    text: &'a str,
    manner: Manner,
}

impl Page<'_> {
    fn byte(&self, at: usize) -> Option<u8> {
        self.text.as_bytes().get(at).copied()
    }

    /// The end of the line that a byte is on, before its line end; and whether there is a line end.
    fn line_end(&self, at: usize) -> (usize, bool) {
        match self.text.get(at..).and_then(|rest| rest.find('\n')) {
            Some(length) => (at + length + 1, true),
            None => (self.text.len(), false),
        }
    }

    /// How many columns the line that a byte is on is indented, if nothing but blanks stands before the byte.
    fn indent_of(&self, at: usize) -> Option<usize> {
        let before = self.text.get(..at)?;
        let line = before.rfind('\n')? + 1;
        let blanks = before.get(line..)?;
        blanks.chars().all(|c| c == ' ').then_some(blanks.len())
    }

    /// New lines after the one that a byte is on.
    fn lines_after(&self, at: usize, lines: &str) -> Change {
        let (end, ended) = self.line_end(at);
        let newline = self.manner.newline;
        Change {
            at: end,
            until: end,
            with: if ended {
                format!("{lines}{newline}")
            } else {
                format!("{newline}{lines}")
            },
        }
    }

    fn add_entry(&self, entries: &[Entry], key: &str, value: &Value) -> Option<Change> {
        let (first, last) = (entries.first()?, entries.last()?);
        let column = first.at.column - 1;
        let rendered = block(value, column, self.manner);
        let line = format!("{}{}:{rendered}", " ".repeat(column), scalar(key));
        Some(self.lines_after(last.value.end.max(last.at.end), &line))
    }

    fn add_item(&self, items: &[Node], value: &Value) -> Option<Change> {
        let last = items.last()?;
        let column = dash_column(self.text, last)?;
        let line = format!("{}- {}", " ".repeat(column), item(value, column, self.manner));
        Some(self.lines_after(last.end, &line))
    }

    /// Puts something behind the last entry of a flow collection, on a line of its own if that is where the last one stands.
    fn add_in_flow(
        &self,
        collection: &Node,
        last: Option<(usize, usize)>,
        write: &dyn Fn(bool, Option<usize>) -> String,
        json_style: bool,
    ) -> Option<Change> {
        let Some((start, end)) = last else {
            return Some(Change {
                at: collection.start + 1,
                until: collection.end.checked_sub(1)?,
                with: write(json_style, None),
            });
        };
        let indent = self.indent_of(start);
        let gap = indent.map_or_else(
            || " ".to_owned(),
            |indent| format!("{}{}", self.manner.newline, " ".repeat(indent)),
        );
        let written = format!("{gap}{}", write(json_style, indent));
        let rest = self.text.get(end..collection.end)?;
        let comma = rest.len() - rest.trim_start().len();
        // A comma may already stand behind the last entry.
        if rest.trim_start().starts_with(',') {
            let at = end + comma + 1;
            return Some(Change {
                at,
                until: at,
                with: written,
            });
        }
        Some(Change {
            at: end,
            until: end,
            with: format!(",{written}"),
        })
    }

    fn entry_in_flow(&self, key: &str, value: &Value, json_style: bool, indent: Option<usize>) -> String {
        let key = if json_style {
            Value::from(key).to_string()
        } else {
            scalar(key)
        };
        format!("{key}: {}", self.value_in_flow(value, json_style, indent))
    }

    fn value_in_flow(&self, value: &Value, json_style: bool, indent: Option<usize>) -> String {
        if json_style {
            json(value, indent, self.manner.newline)
        } else {
            flow(value)
        }
    }

    fn replace(&self, node: &Node, value: &Value) -> Option<Change> {
        let quoted = |at: usize| self.byte(at) == Some(b'"');
        let with = match &node.content {
            // `*name` would become a value of its own: what the anchor says stays, which is what the patch asks for.
            Content::Alias => flow(value),
            Content::Scalar if node.start == node.end => {
                // Nothing is written: the place is behind the colon, which the parser counts to what follows.
                let rest = self.text.get(node.start..)?;
                let colon = rest.trim_start().starts_with(':').then(|| rest.find(':')).flatten()?;
                let at = node.start + colon + 1;
                return Some(Change {
                    at,
                    until: at,
                    with: format!(" {}", flow(value)),
                });
            }
            Content::Scalar if quoted(node.start) => json(value, None, self.manner.newline),
            Content::Scalar | Content::Mapping { flow: true, .. } | Content::Sequence { flow: true, .. } => {
                match &node.content {
                    Content::Mapping { entries, .. } if entries.iter().any(|entry| entry.quoted) => {
                        json(value, None, self.manner.newline)
                    }
                    Content::Sequence { items, .. } if items.iter().any(|item| quoted(item.start)) => {
                        json(value, None, self.manner.newline)
                    }
                    _ => flow(value),
                }
            }
            Content::Sequence { flow: false, items } => return self.replace_items(items, node.end, value),
            Content::BlockScalar | Content::Mapping { flow: false, .. } => return None,
        };
        Some(Change {
            at: node.start,
            until: node.end,
            with,
        })
    }

    /// A block sequence becomes another one at the same column.
    fn replace_items(&self, items: &[Node], end: usize, value: &Value) -> Option<Change> {
        let wanted = value.as_array().filter(|wanted| !wanted.is_empty())?;
        let column = dash_column(self.text, items.first()?)?;
        let dash = self.text.get(..items.first()?.start)?.trim_end().len() - 1;
        let lines: Vec<String> = wanted
            .iter()
            .map(|value| format!("- {}", item(value, column, self.manner)))
            .collect();
        Some(Change {
            at: dash,
            until: end,
            with: lines.join(&format!("{}{}", self.manner.newline, " ".repeat(column))),
        })
    }
}

#[cfg(test)]
mod tests;
