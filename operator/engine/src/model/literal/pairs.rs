//! Where a word of a list may begin: texts are looked through once for the first two letters of all of them, and compared with the words there only.

/// Pairs of bytes.
pub(super) struct Pairs([u64; 1024]);

impl Pairs {
    /// What these words begin with, in upper and in lower case. A word has two bytes at least.
    pub(super) const fn of_any_case(words: &[&str]) -> Self {
        let mut pairs = Self([0; 1024]);
        let mut at = 0;
        while at < words.len() {
            let [first, second, ..] = words[at].as_bytes() else {
                panic!("a word has two bytes at least")
            };
            let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
            let (next_lower, next_upper) = (second.to_ascii_lowercase(), second.to_ascii_uppercase());
            pairs = pairs.with(lower, next_lower).with(lower, next_upper);
            pairs = pairs.with(upper, next_lower).with(upper, next_upper);
            at += 1;
        }
        pairs
    }

    /// Pairs that are yet to be added.
    pub(super) const fn none() -> Self {
        Self([0; 1024])
    }

    /// With one more.
    pub(super) const fn with(mut self, first: u8, second: u8) -> Self {
        let place = (first as usize) << 8 | second as usize;
        self.0[place / 64] |= 1 << (place % 64);
        self
    }

    /// Where a pair stands in a text.
    pub(super) fn places(&'static self, text: &str) -> impl Iterator<Item = usize> {
        let pairs = text.as_bytes().windows(2).enumerate();
        pairs.filter_map(|(at, pair)| {
            let place = usize::from(pair[0]) << 8 | usize::from(pair[1]);
            (self.0[place / 64] >> (place % 64) & 1 == 1).then_some(at)
        })
    }
}
