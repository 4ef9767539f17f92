//! Block mappings and sequences: structure by indentation.

use std::collections::HashSet;

use super::scalar::{Scalar, begins_plain, resolve};
use super::tree::{Content, Token};
use super::{Read, Reader, Unusual, is_ordinary, is_strange};

/// From so many keys on, a set tells whether one is given twice.
const MANY: usize = 16;

/// The keys of a mapping so far.
#[derive(Default)]
pub(super) struct Keys {
    /// Where the first of them are among the tokens.
    few: [usize; MANY],
    number: usize,
    many: Option<HashSet<String>>,
}

impl Keys {
    /// Takes in the key that was pushed last; a key must not be there yet.
    pub(super) fn add(&mut self, tokens: &[Token], read: &str) -> Read<()> {
        let place = tokens.len() - 1;
        let key = tokens[place].text(read).ok_or(Unusual)?;
        let few = &self.few[..self.number.min(MANY)];
        let mut known = few.iter().map(|known| &tokens[*known]);
        let is_new = if self.number < MANY {
            !known.any(|known| known.is_text(read, key))
        } else {
            let all = || known.filter_map(|known| known.text(read)).map(str::to_owned);
            self.many.get_or_insert_with(|| all().collect()).insert(key.to_owned())
        };
        if let Some(free) = self.few.get_mut(self.number) {
            *free = place;
        }
        self.number += 1;
        if is_new { Ok(()) } else { Err(Unusual) }
    }
}

impl Reader<'_> {
    /// A collection whose first line begins here.
    pub(super) fn block(&mut self) -> Read<()> {
        let indent = self.indent.ok_or(Unusual)?;
        if self.is_item() {
            self.sequence(indent)
        } else {
            self.mapping(indent)
        }
    }

    fn sequence(&mut self, indent: usize) -> Read<()> {
        let opened = self.open(self.at, Content::Sequence)?;
        while self.indent == Some(indent) && self.is_item() {
            self.at += 1;
            self.item(indent)?;
        }
        self.close(opened);
        // What stands deeper belongs to nothing; what stands here is for whoever called.
        if self.indent.is_some_and(|next| next > indent) {
            return Err(Unusual);
        }
        Ok(())
    }

    /// What follows the dash.
    fn item(&mut self, indent: usize) -> Read<()> {
        self.skip_spaces();
        if self.line_break() > 0 || self.byte() == b'#' || self.is_at_end() {
            self.end_of_line()?;
            // An item that is nothing has no place of its own.
            return match self.indent {
                Some(next) if next > indent => self.block(),
                _ => Err(Unusual),
            };
        }
        let column = self.at - self.line;
        if self.is_item() {
            self.indent = Some(column);
            return self.sequence(column);
        }
        if self.key_follows() {
            self.indent = Some(column);
            return self.mapping(column);
        }
        self.scalar(indent)
    }

    fn mapping(&mut self, indent: usize) -> Read<()> {
        let opened = self.open(self.at, Content::Mapping)?;
        let mut keys = Keys::default();
        while self.indent == Some(indent) {
            self.key()?;
            keys.add(&self.tokens, self.text)?;
            self.value(indent)?;
        }
        self.close(opened);
        if self.indent.is_some_and(|next| next > indent) {
            return Err(Unusual);
        }
        Ok(())
    }

    /// A key with its colon.
    fn key(&mut self) -> Read<()> {
        let start = self.at;
        let content = match self.byte() {
            b'"' | b'\'' => self.quoted_key()?,
            byte if begins_plain(byte, self.byte_after(1)) => {
                let end = self.end_of_key().ok_or(Unusual)?;
                let text = self.text.get(start..end).ok_or(Unusual)?;
                self.at = end;
                // A marker is no key; whoever splits documents takes it away.
                let is_key = resolve(text)? == Scalar::Text && !text.ends_with(' ') && !text.starts_with("---");
                if !is_key {
                    return Err(Unusual);
                }
                Content::span(start, end)
            }
            _ => return Err(Unusual),
        };
        self.at += 1;
        if self.byte() == b' ' || self.line_break() > 0 || self.is_at_end() {
            self.push(start, content);
            return Ok(());
        }
        Err(Unusual)
    }

    /// Where the colon of a plain key stands, if one begins here.
    fn end_of_key(&self) -> Option<usize> {
        for (distance, byte) in self.bytes[self.at..].iter().enumerate() {
            match byte {
                byte if is_ordinary(*byte) => {}
                b':' if matches!(self.byte_after(distance + 1), b' ' | b'\n' | b'\r' | 0) => {
                    return Some(self.at + distance);
                }
                b'#' if distance > 0 && self.bytes[self.at + distance - 1] == b' ' => return None,
                b'\n' | b'\t' => return None,
                _ if is_strange(self.bytes, self.at + distance) => return None,
                _ => {}
            }
        }
        None
    }

    /// Whether the rest of the line after a dash begins with a key.
    fn key_follows(&self) -> bool {
        match self.byte() {
            quote @ (b'"' | b'\'') => {
                // Exact where it matters: a colon right after some quote of the line. What is no key then is refused as one.
                let line = &self.bytes[self.at + 1..];
                let line = &line[..line.iter().position(|byte| *byte == b'\n').unwrap_or(line.len())];
                line.windows(2).any(|pair| pair == [quote, b':'])
            }
            byte => begins_plain(byte, self.byte_after(1)) && self.end_of_key().is_some(),
        }
    }

    /// What follows the colon of a key.
    fn value(&mut self, indent: usize) -> Read<()> {
        self.skip_spaces();
        match self.byte() {
            b'&' => self.anchored(indent),
            b'*' => self.alias(indent),
            _ => self.own_value(indent),
        }
    }

    /// A value that is written where it belongs.
    pub(super) fn own_value(&mut self, indent: usize) -> Read<()> {
        self.skip_spaces();
        if self.line_break() > 0 || self.byte() == b'#' || self.is_at_end() {
            let at = self.at;
            self.end_of_line()?;
            return match self.indent {
                Some(next) if next > indent => self.block_or_text(indent),
                // A sequence may stand as far left as the key that it belongs to.
                Some(next) if next == indent && self.is_item() => self.sequence(indent),
                _ => {
                    self.push(at, Content::Null);
                    Ok(())
                }
            };
        }
        self.scalar(indent)
    }

    /// A value on the lines below its key.
    fn block_or_text(&mut self, indent: usize) -> Read<()> {
        if self.is_item() || self.key_follows() {
            self.block()
        } else if matches!(self.byte(), b'|' | b'>' | b'[' | b'{') {
            Err(Unusual)
        } else {
            self.scalar(indent)
        }
    }

    /// A scalar, or a flow collection on one line, that belongs to a collection with this indentation.
    fn scalar(&mut self, indent: usize) -> Read<()> {
        let start = self.at;
        match self.byte() {
            b'|' => self.literal(indent),
            b'"' | b'\'' => {
                let text = self.quoted()?;
                self.push(start, text);
                self.end_of_line()?;
                self.not_deeper(indent)
            }
            b'[' | b'{' => {
                self.flow(false)?;
                self.end_of_line()?;
                self.not_deeper(indent)
            }
            byte if begins_plain(byte, self.byte_after(1)) => self.plain(indent),
            _ => Err(Unusual),
        }
    }

    pub(super) fn not_deeper(&self, indent: usize) -> Read<()> {
        if self.indent.is_some_and(|next| next > indent) {
            return Err(Unusual);
        }
        Ok(())
    }

    /// A plain scalar; lines that are indented more continue it.
    fn plain(&mut self, indent: usize) -> Read<()> {
        let start = self.at;
        let first = self.plain_line(false)?;
        let end = self.at;
        let mut folded: Option<String> = None;
        loop {
            let before = self.at;
            self.skip_spaces();
            let commented = self.byte() == b'#';
            self.at = before;
            let (blank, comments) = self.next_line()?;
            if self.indent.is_none_or(|next| next <= indent) {
                break;
            }
            if commented || comments || !begins_plain(self.byte(), self.byte_after(1)) || self.is_item() {
                return Err(Unusual);
            }
            let more = self.plain_line(false)?;
            let text = folded.get_or_insert_with(|| first.to_owned());
            match blank {
                0 => text.push(' '),
                blank => text.extend(std::iter::repeat_n('\n', blank)),
            }
            text.push_str(more);
        }
        let content = match folded {
            None => resolve(first)?.at(start, end),
            Some(text) if resolve(&text)? == Scalar::Text => Content::Text(text.into()),
            Some(_) => return Err(Unusual),
        };
        self.push(start, content);
        Ok(())
    }

    /// The end of this line, and how many blank lines and comments stand before the next content.
    fn next_line(&mut self) -> Read<(usize, bool)> {
        self.skip_spaces();
        if self.byte() == b'#' {
            self.skip_comment()?;
        }
        match self.line_break() {
            0 if self.is_at_end() => {
                self.indent = None;
                Ok((0, false))
            }
            0 => Err(Unusual),
            length => {
                self.at += length;
                self.first_content()
            }
        }
    }
}
