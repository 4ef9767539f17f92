//! Flow collections: `{a: 1}`, `[a, b]`, JSON.

use super::block::Keys;
use super::scalar::{Scalar, begins_plain, resolve};
use super::tree::Content;
use super::{Read, Reader, Unusual};

impl Reader<'_> {
    /// A collection that begins here. One that is the whole document may take more than one line, without comments.
    pub(super) fn flow(&mut self, over_lines: bool) -> Read<()> {
        let start = self.at;
        let is_mapping = self.byte() == b'{';
        let (content, end) = if is_mapping {
            (Content::Mapping, b'}')
        } else {
            (Content::Sequence, b']')
        };
        let opened = self.open(start, content)?;
        self.at += 1;
        self.blank(over_lines)?;
        if self.byte() == end {
            self.at += 1;
            self.close(opened);
            return Ok(());
        }
        let mut keys = Keys::default();
        loop {
            if is_mapping {
                self.flow_key(over_lines)?;
                keys.add(&self.tokens, self.text)?;
            }
            self.flow_value(over_lines)?;
            self.blank(over_lines)?;
            match self.byte() {
                b',' => self.at += 1,
                byte if byte == end => break,
                _ => return Err(Unusual),
            }
            self.blank(over_lines)?;
        }
        self.at += 1;
        self.close(opened);
        Ok(())
    }

    fn flow_key(&mut self, over_lines: bool) -> Read<()> {
        let start = self.at;
        let content = match self.byte() {
            b'"' | b'\'' => self.quoted_key()?,
            byte if begins_plain(byte, self.byte_after(1)) => {
                let text = self.plain_line(true)?;
                if self.byte() != b':' || self.byte_after(1) != b' ' {
                    return Err(Unusual);
                }
                if resolve(text)? != Scalar::Text {
                    return Err(Unusual);
                }
                Content::span(start, self.at)
            }
            _ => return Err(Unusual),
        };
        self.push(start, content);
        self.at += 1;
        self.blank(over_lines)
    }

    fn flow_value(&mut self, over_lines: bool) -> Read<()> {
        let start = self.at;
        match self.byte() {
            b'{' | b'[' => self.flow(over_lines),
            b'"' | b'\'' => {
                let text = self.quoted()?;
                self.push(start, text);
                Ok(())
            }
            byte if begins_plain(byte, self.byte_after(1)) => {
                let text = self.plain_line(true)?;
                if text.is_empty() {
                    return Err(Unusual);
                }
                let content = resolve(text)?.at(start, self.at);
                self.push(start, content);
                Ok(())
            }
            _ => Err(Unusual),
        }
    }

    fn blank(&mut self, over_lines: bool) -> Read<()> {
        loop {
            self.skip_spaces();
            match self.line_break() {
                0 => return Ok(()),
                _ if !over_lines => return Err(Unusual),
                length => {
                    self.at += length;
                    self.line = self.at;
                    // A marker, or what may be one.
                    if matches!(self.byte(), b'-' | b'.') {
                        return Err(Unusual);
                    }
                }
            }
        }
    }
}
