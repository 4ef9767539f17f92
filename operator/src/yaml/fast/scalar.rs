//! Scalars: what a plain one is, and quoted ones.

use super::tree::Content;
use super::{Read, Reader, Unusual, is_control};

impl<'a> Reader<'a> {
    /// The rest of the line as far as it is a plain scalar, without blanks at its end. In a flow collection it ends where an item does.
    pub(super) fn plain_line(&mut self, in_flow: bool) -> Read<&'a str> {
        let start = self.at;
        let mut end = start;
        loop {
            let before = self.at;
            self.skip_ordinary();
            if self.at > before {
                end = self.at;
            }
            match self.byte() {
                b' ' => {
                    if self.byte_after(1) == b'#' {
                        break;
                    }
                    self.at += 1;
                    continue;
                }
                b'\n' => break,
                b'\r' if self.byte_after(1) == b'\n' => break,
                0 if self.is_at_end() => break,
                b':' if matches!(self.byte_after(1), b' ' | b'\n' | b'\r' | b'\t' | 0) => {
                    if in_flow {
                        break;
                    }
                    return Err(Unusual);
                }
                b':' if in_flow && matches!(self.byte_after(1), b',' | b'[' | b']' | b'{' | b'}') => {
                    return Err(Unusual);
                }
                b',' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                b'\t' => return Err(Unusual),
                _ if self.is_strange() => return Err(Unusual),
                _ => {}
            }
            self.at += 1;
            end = self.at;
        }
        self.at = end;
        self.text.get(start..end).ok_or(Unusual)
    }

    /// A scalar in quotes, on one line.
    pub(super) fn quoted(&mut self) -> Read<Content> {
        match self.byte() {
            b'"' => self.double_quoted(),
            _ => self.single_quoted(),
        }
    }

    /// A key in quotes, with its colon right behind it.
    pub(super) fn quoted_key(&mut self) -> Read<Content> {
        let text = self.quoted()?;
        if self.byte() == b':' { Ok(text) } else { Err(Unusual) }
    }

    fn single_quoted(&mut self) -> Read<Content> {
        self.at += 1;
        let start = self.at;
        let mut doubled = false;
        loop {
            match self.byte() {
                b'\'' if self.byte_after(1) == b'\'' => {
                    doubled = true;
                    self.at += 2;
                }
                b'\'' => break,
                byte if byte == b'\t' || self.is_strange() => return Err(Unusual),
                _ => self.at += 1,
            }
            self.skip_ordinary();
        }
        let end = self.at;
        self.at += 1;
        Ok(if doubled {
            let text = self.text.get(start..end).ok_or(Unusual)?;
            Content::Text(text.replace("''", "'").into())
        } else {
            Content::span(start, end)
        })
    }

    fn double_quoted(&mut self) -> Read<Content> {
        self.at += 1;
        let mut start = self.at;
        let mut unescaped: Option<String> = None;
        loop {
            match self.byte() {
                b'"' => break,
                b'\\' => {
                    let text = unescaped.get_or_insert_default();
                    text.push_str(self.text.get(start..self.at).ok_or(Unusual)?);
                    let (c, length) = self.escape()?;
                    text.push(c);
                    self.at += length;
                    start = self.at;
                }
                byte if byte == b'\t' || self.is_strange() => return Err(Unusual),
                _ => self.at += 1,
            }
            self.skip_ordinary();
        }
        let end = self.at;
        self.at += 1;
        Ok(match unescaped {
            Some(mut text) => {
                text.push_str(self.text.get(start..end).ok_or(Unusual)?);
                Content::Text(text.into())
            }
            None => Content::span(start, end),
        })
    }

    /// The character that an escape stands for, and how many bytes it takes.
    fn escape(&self) -> Read<(char, usize)> {
        let c = match self.byte_after(1) {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'"' => '"',
            b'\\' => '\\',
            b'/' => '/',
            b'u' => {
                let digits = self.text.get(self.at + 2..self.at + 6).ok_or(Unusual)?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return Err(Unusual);
                }
                let number = u32::from_str_radix(digits, 16).map_err(|_| Unusual)?;
                // Half of a pair, and what JSON may hold and YAML may not.
                let c = char::from_u32(number).filter(|c| !c.is_control()).ok_or(Unusual)?;
                return Ok((c, 6));
            }
            _ => return Err(Unusual),
        };
        Ok((c, 2))
    }
}

/// Whether a plain scalar can begin like this. Some that could are left to the other parser.
pub(super) const fn begins_plain(byte: u8, next: u8) -> bool {
    match byte {
        b'-' => !matches!(
            next,
            b' ' | b'\t' | b'\n' | b'\r' | 0 | b',' | b'[' | b']' | b'{' | b'}'
        ),
        b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\'' | b'"'
        | b'%' | b'@' | b'`' | 0xc2 | 0xe2 | 0xef => false,
        _ => !is_control(byte) && byte != b'\t' && byte != b' ',
    }
}

/// What a plain scalar is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Text,
}

impl Scalar {
    /// As a token's content, where it stands between two places.
    pub(super) const fn at(self, start: usize, end: usize) -> Content {
        match self {
            Self::Null => Content::Null,
            Self::Bool(value) => Content::Bool(value),
            Self::Unsigned(value) => Content::Unsigned(value),
            Self::Signed(value) => Content::Signed(value),
            Self::Text => Content::span(start, end),
        }
    }
}

/// What a plain scalar is.
pub(super) fn resolve(text: &str) -> Read<Scalar> {
    let first = text.bytes().next().ok_or(Unusual)?;
    match first {
        b'0'..=b'9' | b'-' | b'+' | b'.' => number(text),
        b'~' if text.len() == 1 => Ok(Scalar::Null),
        b'~' | b'=' | b'<' => Err(Unusual),
        _ if text.len() > 5 => Ok(Scalar::Text),
        _ => word(text),
    }
}

/// A short word: it may mean something.
fn word(text: &str) -> Read<Scalar> {
    const MEAN: [&str; 12] = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "none",
    ];
    match text {
        "true" => Ok(Scalar::Bool(true)),
        "false" => Ok(Scalar::Bool(false)),
        "null" => Ok(Scalar::Null),
        _ if MEAN.iter().any(|word| text.eq_ignore_ascii_case(word)) => Err(Unusual),
        _ => Ok(Scalar::Text),
    }
}

/// What begins like a number: a whole one as people write it, or what cannot be a number in any notation.
fn number(text: &str) -> Read<Scalar> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        // A zero before others makes it octal for some.
        if digits.len() > 18 || (digits.len() > 1 && digits.starts_with('0')) || (digits == "0" && text != "0") {
            return Err(Unusual);
        }
        return match text.parse::<i64>().map_err(|_| Unusual)? {
            below if below < 0 => Ok(Scalar::Signed(below)),
            number => Ok(Scalar::Unsigned(number.unsigned_abs())),
        };
    }
    // `5e3`, `0x1f`, `1_000`, `.inf`, `12:30:45` (in base 60), `2026-11-28`.
    let could_be = |byte: u8| byte.is_ascii_hexdigit() || b"+-._xXoOinINtTzZ:".contains(&byte);
    let points = text.bytes().filter(|byte| *byte == b'.').count();
    let is_version = points > 1 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !is_version && text.bytes().all(could_be) {
        return Err(Unusual);
    }
    Ok(Scalar::Text)
}
