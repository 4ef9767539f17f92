//! Literal block scalars: `|`.

use super::tree::Content;
use super::{Read, Reader, Unusual, is_strange};

/// What becomes of the line breaks at the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chomping {
    /// One is kept.
    Clip,
    /// None is.
    Strip,
    /// All are.
    Keep,
}

impl Reader<'_> {
    /// A literal that belongs to a collection with this indentation.
    pub(super) fn literal(&mut self, indent: usize) -> Read<()> {
        self.at += 1;
        let chomping = match self.byte() {
            b'-' => Chomping::Strip,
            b'+' => Chomping::Keep,
            _ => Chomping::Clip,
        };
        if chomping != Chomping::Clip {
            self.at += 1;
        }
        self.skip_spaces();
        match self.line_break() {
            // An indentation that is given, a comment.
            0 => return Err(Unusual),
            length => self.at += length,
        }
        let (start, content) = self.lines(indent, chomping)?;
        self.push(start, Content::Text(content.into()));
        self.not_less_than_a_line()?;
        self.first_content()?;
        if self.indent.is_some_and(|next| next > indent) {
            return Err(Unusual);
        }
        Ok(())
    }

    /// Where the text of the literal begins (an item of a sequence is found there, not at its `|`), and the text; afterwards reading is at the
    /// beginning of the line after it.
    fn lines(&mut self, indent: usize, chomping: Chomping) -> Read<(usize, String)> {
        let mut text = String::new();
        let mut start = None;
        let mut own: Option<usize> = None;
        let mut breaks = 0;
        while !self.is_at_end() {
            let line = self.at;
            self.skip_spaces();
            let spaces = self.at - line;
            if self.line_break() > 0 {
                // Blank; what is longer than the indentation is content, and before it is known an error.
                if spaces > 0 && own.is_none_or(|own| spaces > own) {
                    return Err(Unusual);
                }
                self.at += self.line_break();
                breaks += 1;
                continue;
            }
            if self.is_at_end() {
                return Err(Unusual);
            }
            let own = *own.get_or_insert(spaces);
            if own <= indent || spaces < own {
                if self.byte() == b'\t' || (own <= indent && text.is_empty()) {
                    return Err(Unusual);
                }
                self.at = line;
                break;
            }
            text.extend(std::iter::repeat_n('\n', breaks));
            let from = line + own;
            self.at = from;
            start.get_or_insert(from);
            self.reach_line_break()?;
            text.push_str(self.text.get(from..self.at).ok_or(Unusual)?);
            self.at += self.line_break();
            breaks = 1;
        }
        let Some(start) = start.filter(|_| !text.is_empty()) else {
            return Err(Unusual);
        };
        match chomping {
            Chomping::Strip => {}
            Chomping::Clip => text.push('\n'),
            Chomping::Keep => text.extend(std::iter::repeat_n('\n', breaks)),
        }
        Ok((start, text))
    }

    /// To the break that ends this line; a text that ends without one is left to the other parser.
    fn reach_line_break(&mut self) -> Read<()> {
        let rest = &self.bytes[self.at..];
        let line = &rest[..memchr::memchr(b'\n', rest).ok_or(Unusual)?];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let end = self.at + line.len();
        // Plain ASCII is seen many bytes at once, what is in other lines one by one.
        let is_plain = line
            .iter()
            .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'));
        if !is_plain && (self.at..end).any(|at| is_strange(self.bytes, at)) {
            return Err(Unusual);
        }
        self.at = end;
        Ok(())
    }

    fn not_less_than_a_line(&self) -> Read<()> {
        if self.at == 0 || self.bytes[self.at - 1] == b'\n' {
            Ok(())
        } else {
            Err(Unusual)
        }
    }
}
