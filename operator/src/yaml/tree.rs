//! A document as nodes with the bytes that they take.

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle, Span, StructureStyle};

/// Deepest nesting. Kubernetes objects stay below 30; what is deeper is an attack on the stack.
const DEEPEST: usize = 128;

/// A value and where it stands. Offsets are bytes of the text that was parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// First byte. For a block collection that of its first key or item's content.
    pub start: usize,
    /// After its last byte, without trailing blanks and comments.
    pub end: usize,
    /// Line from 1.
    pub line: usize,
    /// Column from 1, in characters.
    pub column: usize,
    /// What it is.
    pub content: Content,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A scalar in one line (plain or quoted). Empty where nothing is written: `key:`.
    Scalar,
    /// A literal or folded block.
    BlockScalar,
    /// `*name`.
    Alias,
    /// Keys and values.
    Mapping {
        /// `{a: 1}` and not one key a line.
        flow: bool,
        /// In order.
        entries: Vec<Entry>,
    },
    /// Items.
    Sequence {
        /// `[1]` and not one item a line.
        flow: bool,
        /// In order.
        items: Vec<Node>,
    },
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key; empty where it is not a scalar.
    pub key: String,
    /// Where the key stands.
    pub at: Node,
    /// Whether the key is in double quotes, as in JSON.
    pub quoted: bool,
    /// The value.
    pub value: Node,
}

/// Why a text cannot be read as a tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct Broken {
    /// Line from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl Node {
    /// The node at a JSON pointer.
    pub fn get(&self, pointer: &str) -> Option<&Self> {
        steps(pointer).try_fold(self, |node, step| node.child(&step))
    }

    /// The value of a key, or the item at an index.
    pub fn child(&self, step: &str) -> Option<&Self> {
        match &self.content {
            Content::Mapping { entries, .. } => {
                // A key that is given twice: the last one counts, as everywhere else.
                let entry = entries.iter().rev().find(|entry| entry.key == step)?;
                Some(&entry.value)
            }
            Content::Sequence { items, .. } => items.get(step.parse::<usize>().ok()?),
            Content::Scalar | Content::BlockScalar | Content::Alias => None,
        }
    }
}

/// The steps of a JSON pointer, unescaped (RFC 6901).
pub(super) fn steps(pointer: &str) -> impl Iterator<Item = Cow<'_, str>> {
    pointer.split('/').skip(1).map(|step| {
        // Most steps are keys of Kubernetes' own, and looked up by the thousand.
        if step.contains('~') {
            step.replace("~1", "/").replace("~0", "~").into()
        } else {
            step.into()
        }
    })
}

/// Reads the first document of a text; `None` if there is none.
///
/// # Errors
/// The text is not YAML, or nested beyond reason.
pub fn parse(text: &str) -> Result<Option<Node>, Broken> {
    let mut building = Building {
        text,
        open: Vec::new(),
        root: None,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Broken {
            line: error.marker().line(),
            message: error.to_string(),
        })?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        building.take(event, span)?;
    }
    Ok(building.root)
}

struct Building<'a> {
    text: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
}

/// A collection whose end was not seen yet.
struct Open {
    node: Node,
    /// The key that waits for its value.
    key: Option<(String, Node, bool)>,
}

impl Building<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Broken> {
        match event {
            Event::Scalar(value, style, ..) => {
                let content = match style {
                    ScalarStyle::Literal | ScalarStyle::Folded => Content::BlockScalar,
                    _ => Content::Scalar,
                };
                let quoted = style == ScalarStyle::DoubleQuoted;
                self.close(self.node(span, content), Some((value.into_owned(), quoted)));
            }
            Event::Alias(_) => self.close(self.node(span, Content::Alias), None),
            Event::MappingStart(style, ..) => self.begin(
                span,
                Content::Mapping {
                    flow: style == StructureStyle::Flow,
                    entries: Vec::new(),
                },
            )?,
            Event::SequenceStart(style, ..) => self.begin(
                span,
                Content::Sequence {
                    flow: style == StructureStyle::Flow,
                    items: Vec::new(),
                },
            )?,
            Event::MappingEnd | Event::SequenceEnd => {
                if let Some(Open { mut node, .. }) = self.open.pop() {
                    node.end = last_byte(&node).unwrap_or_else(|| offset(&span.end));
                    if is_flow(&node) {
                        node.end = offset(&span.end);
                    }
                    self.close(node, None);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn node(&self, span: Span, content: Content) -> Node {
        let (start, mut end) = (offset(&span.start), offset(&span.end));
        // The span of a block scalar reaches to the next token.
        if content == Content::BlockScalar {
            end = start + self.text.get(start..end).map_or(0, |written| written.trim_end().len());
        }
        Node {
            start,
            end,
            line: span.start.line(),
            column: span.start.col() + 1,
            content,
        }
    }

    fn begin(&mut self, span: Span, content: Content) -> Result<(), Broken> {
        if self.open.len() >= DEEPEST {
            return Err(Broken {
                line: span.start.line(),
                message: format!("nested deeper than {DEEPEST} levels"),
            });
        }
        let node = self.node(span, content);
        self.open.push(Open { node, key: None });
        Ok(())
    }

    /// A node is complete: it becomes an item, a key, a value, or the document.
    fn close(&mut self, node: Node, scalar: Option<(String, bool)>) {
        let Some(parent) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        match &mut parent.node.content {
            Content::Sequence { items, .. } => items.push(node),
            Content::Mapping { entries, .. } => {
                if let Some((key, at, quoted)) = parent.key.take() {
                    entries.push(Entry {
                        key,
                        at,
                        quoted,
                        value: node,
                    });
                } else {
                    let (key, quoted) = scalar.unwrap_or_default();
                    parent.key = Some((key, node, quoted));
                }
            }
            Content::Scalar | Content::BlockScalar | Content::Alias => {}
        }
    }
}

fn is_flow(node: &Node) -> bool {
    matches!(
        node.content,
        Content::Mapping { flow: true, .. } | Content::Sequence { flow: true, .. }
    )
}

/// Where the content of a collection ends.
fn last_byte(node: &Node) -> Option<usize> {
    match &node.content {
        Content::Mapping { entries, .. } => entries.last().map(|entry| entry.value.end.max(entry.at.end)),
        Content::Sequence { items, .. } => items.last().map(|item| item.end),
        Content::Scalar | Content::BlockScalar | Content::Alias => None,
    }
}

fn offset(marker: &granit_parser::Marker) -> usize {
    // Always there for a text in memory.
    marker.byte_offset().unwrap_or_default()
}
