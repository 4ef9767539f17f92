//! The documents of a stream, each on its own: one that is broken hides no other.

/// One document of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Its text, without the marker that began it.
    pub text: &'a str,
    /// Where the text begins in the stream, in bytes.
    pub offset: usize,
    /// The line that the text begins on, from 1.
    pub line: usize,
}

/// Splits at document markers: `---` or `...` at the start of a line ends a document, whatever it is in the middle of (YAML 1.2, 9.1.2).
pub fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut start, mut start_line) = (0, 1);
    let mut offset = 0;
    let ends = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at + 1);
    for (index, end) in ends.chain([text.len()]).enumerate() {
        // Hardly any line begins like a marker.
        if !matches!(text.as_bytes().get(offset), Some(b'-' | b'.')) {
            offset = end;
            continue;
        }
        let line = &text[offset..end];
        let marker = line.trim_end();
        if marker == "---" || marker == "..." || marker.starts_with("--- ") {
            parts.push(Part {
                text: &text[start..offset],
                offset: start,
                line: start_line,
            });
            // Content can follow the marker on its line: `--- {kind: Pod}`, or a comment.
            start = offset + if marker == "..." { line.len() } else { 3 };
            start_line = index + if marker == "..." { 2 } else { 1 };
        }
        offset = end;
    }
    parts.push(Part {
        text: &text[start..],
        offset: start,
        line: start_line,
    });
    parts
}
