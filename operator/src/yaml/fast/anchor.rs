//! Anchors and aliases where a key has them as its value: `a: &name b` and `c: *name`. An alias stands for the tokens of what it names; nothing is copied.
//!
//! What bombs are made of is left to the other parser: aliases within what an anchor names, and more repetition than any manifest has.

use super::tree::Content;
use super::{Read, Reader, Unusual};

/// Tokens that the aliases of a document may stand for in all.
const MOST_REPEATED: usize = 100_000;

/// The anchors of a document so far.
#[derive(Default)]
pub(super) struct Anchors<'a> {
    /// Names, each with the token that its value begins with.
    named: Vec<(&'a str, usize)>,
    /// How many anchors reading is within.
    open: usize,
    /// Tokens that aliases stand for.
    repeated: usize,
}

impl Reader<'_> {
    /// An anchor, and the value that it names.
    pub(super) fn anchored(&mut self, indent: usize) -> Read<()> {
        let name = self.name()?;
        let value = self.tokens.len();
        self.anchors.open += 1;
        self.own_value(indent)?;
        self.anchors.open -= 1;
        let is_taken = self.anchors.named.iter().any(|(known, _)| *known == name);
        if is_taken || self.tokens[value].is_null() {
            return Err(Unusual);
        }
        self.anchors.named.push((name, value));
        Ok(())
    }

    /// An alias, and nothing else on its line.
    pub(super) fn alias(&mut self, indent: usize) -> Read<()> {
        let start = self.at;
        let name = self.name()?;
        let mut named = self.anchors.named.iter();
        let (_, value) = *named.find(|(known, _)| *known == name).ok_or(Unusual)?;
        self.anchors.repeated += self.tokens[value].end() - value;
        if self.anchors.open > 0 || self.anchors.repeated > MOST_REPEATED {
            return Err(Unusual);
        }
        self.push(start, Content::alias(value));
        self.end_of_line()?;
        self.not_deeper(indent)
    }
}

impl<'a> Reader<'a> {
    /// The name after `&` or `*`.
    fn name(&mut self) -> Read<&'a str> {
        self.at += 1;
        let start = self.at;
        while self.byte().is_ascii_alphanumeric() || matches!(self.byte(), b'-' | b'_') {
            self.at += 1;
        }
        let name = self.text.get(start..self.at).ok_or(Unusual)?;
        let ends = self.byte() == b' ' || self.line_break() > 0 || self.is_at_end();
        if name.is_empty() || !ends {
            return Err(Unusual);
        }
        Ok(name)
    }
}
