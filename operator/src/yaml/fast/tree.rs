//! A document as a list of tokens, each with where it stands; a collection is followed by what is in it.

use ironside_engine::model::{Node, Shape};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use crate::yaml::Position;
use crate::yaml::tree::steps;

/// A scalar, or the beginning of a collection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    /// The bytes from the first to before the second, as they stand there.
    Span(u32, u32),
    /// Text that is written otherwise than it reads.
    Text(Box<str>),
    Sequence,
    /// Keys and values in turn.
    Mapping,
    /// The token that the value begins with which it stands for.
    Alias(u32),
}

#[derive(Clone, Debug)]
pub(super) struct Token {
    content: Content,
    /// The byte that it begins at.
    at: u32,
    /// The token after it and all that is in it.
    end: u32,
}

impl Content {
    /// Text as it stands between two places.
    pub(super) const fn span(start: usize, end: usize) -> Self {
        Self::Span(place(start), place(end))
    }

    /// What stands for a value that was read before.
    pub(super) const fn alias(value: usize) -> Self {
        Self::Alias(place(value))
    }
}

/// The reader refuses texts of 4 GiB, and there are fewer tokens than bytes.
#[allow(clippy::cast_possible_truncation, reason = "see above")]
const fn place(at: usize) -> u32 {
    at as u32
}

impl Token {
    pub(super) const fn new(at: usize, end: usize, content: Content) -> Self {
        Self {
            content,
            at: place(at),
            end: place(end),
        }
    }

    pub(super) const fn set_end(&mut self, end: usize) {
        self.end = place(end);
    }

    /// The token after it and all that is in it.
    pub(super) const fn end(&self) -> usize {
        self.end as usize
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self.content, Content::Null)
    }

    /// Its text, if it is one, in the text that was read.
    pub(super) fn text<'t>(&'t self, read: &'t str) -> Option<&'t str> {
        match &self.content {
            Content::Span(start, end) => read.get(*start as usize..*end as usize),
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is this text.
    pub(super) fn is_text(&self, read: &str, text: &str) -> bool {
        match &self.content {
            // Most keys differ by their lengths already.
            Content::Span(start, end) => (end - start) as usize == text.len() && self.text(read) == Some(text),
            Content::Text(own) => **own == *text,
            _ => false,
        }
    }
}

/// One document. It does not hold the text that it was read from, which is asked for where it is needed.
#[derive(Debug)]
pub struct Tree {
    tokens: Vec<Token>,
}

impl Tree {
    pub(super) const fn new(tokens: Vec<Token>) -> Self {
        Self { tokens }
    }

    /// The whole document.
    pub fn root<'t>(&'t self, read: &'t str) -> Cursor<'t> {
        Cursor {
            read,
            tokens: &self.tokens,
            at: 0,
        }
    }

    /// Where the field at a JSON pointer stands: its key, or its item. A field that is absent stands where the nearest parent that is there does.
    pub fn position_of(&self, read: &str, lines: &Lines, pointer: &str) -> Position {
        let mut node = self.root(read);
        let mut found = node.token().at;
        for step in steps(pointer) {
            let Some((at, child)) = node.child(&step) else { break };
            found = at;
            node = child;
        }
        lines.position(read, found as usize)
    }
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub struct Lines(Vec<usize>);

impl Lines {
    /// Those of a text.
    pub fn of(text: &str) -> Self {
        let breaks = memchr::memchr_iter(b'\n', text.as_bytes());
        Self(std::iter::once(0).chain(breaks.map(|at| at + 1)).collect())
    }

    /// Line and column of a byte of that text.
    fn position(&self, text: &str, at: usize) -> Position {
        let line = self.0.partition_point(|begin| *begin <= at);
        let begin = self.0[line - 1];
        Position {
            line,
            column: text[begin..at].chars().count() + 1,
        }
    }
}

/// A node of a document.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'t> {
    read: &'t str,
    tokens: &'t [Token],
    at: usize,
}

impl<'t> Cursor<'t> {
    fn token(&self) -> &'t Token {
        &self.tokens[self.at]
    }

    fn node(&self, at: usize) -> Self {
        Self { at, ..*self }
    }

    /// What an alias stands for; anything else is itself.
    fn value(&self) -> Self {
        match self.token().content {
            Content::Alias(value) => self.node(value as usize),
            _ => *self,
        }
    }

    /// The value of a key, or the item at an index, with the byte where its key or the item begins.
    fn child(&self, step: &str) -> Option<(u32, Self)> {
        let end = self.token().end as usize;
        let mut at = self.at + 1;
        match self.token().content {
            Content::Mapping => {
                while at < end {
                    let key = &self.tokens[at];
                    if key.is_text(self.read, step) {
                        return Some((key.at, self.node(at + 1)));
                    }
                    at = self.tokens[at + 1].end as usize;
                }
            }
            Content::Sequence => {
                let index: usize = step.parse().ok()?;
                for _ in 0..index {
                    at = self.tokens.get(at).filter(|_| at < end)?.end as usize;
                }
                return (at < end).then(|| (self.tokens[at].at, self.node(at)));
            }
            _ => {}
        }
        None
    }

    /// The text, if it is one.
    pub fn text(&self) -> Option<&'t str> {
        self.token().text(self.read)
    }
}

impl<'de> Deserializer<'de> for Cursor<'de> {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let token = self.token();
        match &token.content {
            Content::Null => visitor.visit_unit(),
            Content::Bool(value) => visitor.visit_bool(*value),
            Content::Unsigned(value) => visitor.visit_u64(*value),
            Content::Signed(value) => visitor.visit_i64(*value),
            Content::Span(..) | Content::Text(_) => visitor.visit_borrowed_str(self.text().unwrap_or_default()),
            Content::Sequence => visitor.visit_seq(self.within()),
            Content::Mapping => visitor.visit_map(self.within()),
            Content::Alias(_) => self.value().deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.token().content {
            Content::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.text() {
            Some(text) => text.into_deserializer().deserialize_enum(name, variants, visitor),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map struct identifier
    }
}

impl<'de> Node<'de> for Cursor<'de> {
    fn shape(self) -> Shape<'de, Self> {
        match &self.token().content {
            Content::Null => Shape::Null,
            Content::Bool(value) => Shape::Bool(*value),
            Content::Unsigned(value) => Shape::Number((*value).into()),
            Content::Signed(value) => Shape::Number((*value).into()),
            Content::Span(..) | Content::Text(_) => Shape::Text(self.text().unwrap_or_default()),
            Content::Sequence => Shape::List(self.within().collect()),
            Content::Mapping => {
                let mut within = self.within();
                let mut fields: Vec<(&str, Self)> = Vec::with_capacity(8);
                fields.extend(std::iter::from_fn(|| Some((within.next()?.text()?, within.next()?))));
                fields.sort_unstable_by_key(|(key, _)| *key);
                Shape::Fields(fields)
            }
            Content::Alias(_) => self.value().shape(),
        }
    }

    fn get(self, key: &str) -> Option<Self> {
        match self.token().content {
            Content::Mapping => self.child(key).map(|(_, value)| value.value()),
            _ => None,
        }
    }

    fn as_str(self) -> Option<&'de str> {
        self.text()
    }

    fn is_null(self) -> bool {
        self.token().content == Content::Null
    }
}

impl<'t> Cursor<'t> {
    fn within(self) -> Within<'t> {
        Within {
            read: self.read,
            tokens: self.tokens,
            at: self.at + 1,
            end: self.token().end as usize,
        }
    }
}

/// What is left of a collection.
struct Within<'t> {
    read: &'t str,
    tokens: &'t [Token],
    at: usize,
    end: usize,
}

/// The next node; of a mapping keys and values in turn.
impl<'t> Iterator for Within<'t> {
    type Item = Cursor<'t>;

    fn next(&mut self) -> Option<Cursor<'t>> {
        (self.at < self.end).then(|| {
            let node = Cursor {
                read: self.read,
                tokens: self.tokens,
                at: self.at,
            };
            self.at = node.token().end as usize;
            node.value()
        })
    }
}

impl<'t> SeqAccess<'t> for Within<'t> {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<Option<T::Value>, Self::Error> {
        self.next().map(|item| seed.deserialize(item)).transpose()
    }

    /// Exact: what is kept of a list takes no more room than it needs.
    fn size_hint(&self) -> Option<usize> {
        let after = |at: &usize| (*at < self.end).then(|| self.tokens[*at].end());
        Some(std::iter::successors(Some(self.at), after).skip(1).count())
    }
}

impl<'t> MapAccess<'t> for Within<'t> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'t>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        let key = self.next().and_then(|key| key.text());
        key.map(|key| seed.deserialize(BorrowedStrDeserializer::new(key)))
            .transpose()
    }

    fn next_value_seed<T: DeserializeSeed<'t>>(&mut self, seed: T) -> Result<T::Value, Self::Error> {
        match self.next() {
            Some(value) => seed.deserialize(value),
            None => Err(serde::de::Error::custom("a key without a value")),
        }
    }
}
