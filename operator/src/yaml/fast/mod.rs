//! A reader for YAML as manifests are written: blocks, flow collections on one line, JSON. Many times faster than a reader of all of YAML.
//!
//! It never guesses: at whatever is not plainly of that form (tags, folded text, anchors elsewhere than at the value of a key, `yes`, `0x1f`, a key given
//! twice, a tab, ...) it gives up, and the caller reads the document with the parser that knows all of YAML. What it does read has the same value and the
//! same positions; tests compare the two on everything they can find.

mod anchor;
mod block;
mod flow;
mod literal;
mod scalar;
#[cfg(test)]
mod tests;
mod tree;

pub use tree::{Cursor, Lines, Tree};

use anchor::Anchors;
use tree::{Content, Token};

/// The document is not of the plain form. Says nothing about whether it is YAML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusual;

type Read<T> = Result<T, Unusual>;

/// Deepest nesting that is read here; Kubernetes objects stay below 30.
const DEEPEST: usize = 64;

/// Reads one document; `None` where it is not of the plain form, or holds nothing.
pub fn read(text: &str) -> Option<Tree> {
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line: 0,
        indent: Some(0),
        depth: 0,
        anchors: Anchors::default(),
        tokens: Vec::with_capacity(text.len() / 12 + 8),
    };
    reader.document().ok()?;
    Some(Tree::new(reader.tokens))
}

/// Where reading is.
struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    /// The next byte.
    at: usize,
    /// Where its line begins.
    line: usize,
    /// Columns before the content of the line, where reading is at its first byte; `None` at the end of the text.
    indent: Option<usize>,
    depth: usize,
    anchors: Anchors<'a>,
    tokens: Vec<Token>,
}

impl Reader<'_> {
    fn document(&mut self) -> Read<()> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(Unusual);
        }
        self.first_content()?;
        match self.byte() {
            b'{' | b'[' => {
                self.flow(true)?;
                self.end_of_line()?;
            }
            _ if self.indent.is_some() => self.block()?,
            _ => return Err(Unusual),
        }
        // More than one node, or a line that is indented less than what it belongs to.
        self.indent.map_or(Ok(()), |_| Err(Unusual))
    }

    /// The next byte; 0, which no text holds here, at the end.
    fn byte(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    fn byte_after(&self, distance: usize) -> u8 {
        self.bytes.get(self.at + distance).copied().unwrap_or(0)
    }

    /// The number of bytes that end a line here: none, `\n`, `\r\n`.
    fn line_break(&self) -> usize {
        match (self.byte(), self.byte_after(1)) {
            (b'\n', _) => 1,
            (b'\r', b'\n') => 2,
            _ => 0,
        }
    }

    fn is_strange(&self) -> bool {
        is_strange(self.bytes, self.at)
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    fn skip_spaces(&mut self) {
        while self.byte() == b' ' {
            self.at += 1;
        }
    }

    /// Over bytes that mean nothing wherever they stand.
    fn skip_ordinary(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| is_ordinary(*byte)) {
            self.at += 1;
        }
    }

    /// To the end of a comment's line.
    fn skip_comment(&mut self) -> Read<()> {
        while !self.is_at_end() && self.line_break() == 0 {
            if self.is_strange() {
                return Err(Unusual);
            }
            self.at += 1;
            self.skip_ordinary();
        }
        Ok(())
    }

    /// From the beginning of a line to the first content of the text, over blank lines and comments. Returns how many lines were left behind, and whether
    /// one of them was a comment.
    fn first_content(&mut self) -> Read<(usize, bool)> {
        let (mut lines, mut comments) = (0, false);
        loop {
            self.line = self.at;
            self.skip_spaces();
            if self.byte() == b'#' {
                comments = true;
                self.skip_comment()?;
            }
            match self.line_break() {
                0 if self.is_at_end() => {
                    self.indent = None;
                    return Ok((lines, comments));
                }
                0 => {
                    self.indent = Some(self.at - self.line);
                    return if self.byte() == b'\t' {
                        Err(Unusual)
                    } else {
                        Ok((lines, comments))
                    };
                }
                length => self.at += length,
            }
            lines += 1;
        }
    }

    /// Nothing but a comment may follow on the line; then to the next content.
    fn end_of_line(&mut self) -> Read<()> {
        self.skip_spaces();
        if self.byte() == b'#' {
            // What stands right behind something else is a part of it, or wrong.
            if self.at > self.line && self.bytes[self.at - 1] != b' ' {
                return Err(Unusual);
            }
            self.skip_comment()?;
        }
        match self.line_break() {
            0 if self.is_at_end() => {
                self.indent = None;
                Ok(())
            }
            0 => Err(Unusual),
            length => {
                self.at += length;
                self.first_content().map(drop)
            }
        }
    }

    /// Whether an item of a block sequence begins here.
    fn is_item(&self) -> bool {
        self.byte() == b'-' && matches!(self.byte_after(1), b' ' | b'\n' | b'\r' | 0)
    }

    fn push(&mut self, at: usize, content: Content) {
        let end = self.tokens.len() + 1;
        self.tokens.push(Token::new(at, end, content));
    }

    /// Begins a collection; the number is for [`Self::close`].
    fn open(&mut self, at: usize, content: Content) -> Read<usize> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Unusual);
        }
        self.push(at, content);
        Ok(self.tokens.len() - 1)
    }

    fn close(&mut self, opened: usize) {
        self.depth -= 1;
        let end = self.tokens.len();
        self.tokens[opened].set_end(end);
    }
}

/// Whether a byte is itself and nothing else in every scalar, key and comment: no control character, no mark of YAML, no blank, no beginning of a
/// character that [`is_strange`].
const fn is_ordinary(byte: u8) -> bool {
    const ORDINARY: [bool; 256] = {
        let mut ordinary = [false; 256];
        let mut byte: u8 = 0;
        loop {
            let may_mean = matches!(
                byte,
                b' ' | b':'
                    | b'#'
                    | b','
                    | b'['
                    | b']'
                    | b'{'
                    | b'}'
                    | b'\''
                    | b'"'
                    | b'\\'
                    | b'\t'
                    | 0xc2
                    | 0xe2
                    | 0xef
            );
            ordinary[byte as usize] = !may_mean && !is_control(byte);
            if byte == u8::MAX {
                break;
            }
            byte += 1;
        }
        ordinary
    };
    ORDINARY[byte as usize]
}

/// Control characters, which stand in no plain manifest.
const fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

/// Whether a control character stands here, or one that some readers take for the end of a line (NEL, LS, PS) or leave out (BOM).
fn is_strange(bytes: &[u8], at: usize) -> bool {
    match bytes.get(at..) {
        None | Some([]) => true,
        Some([0xc2, next, ..]) => *next < 0xa0,
        Some([0xe2, 0x80, next, ..]) => matches!(next, 0xa8 | 0xa9),
        Some([0xef, next, ..]) => matches!(next, 0xbb | 0xbf),
        Some([byte, ..]) => is_control(*byte),
    }
}
