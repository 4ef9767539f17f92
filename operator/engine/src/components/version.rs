//! Versions as programs of a cluster report them.

use std::fmt;

/// A version of three numbers, with what its vendor put behind them: `v1.35.3-eks-595af52`, `v1.34.1+k3s1`, `1.7.28`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// Patch.
    pub patch: u32,
    text: String,
}

/// Longest version that is kept, in bytes; real ones have a few dozen.
const LONGEST: usize = 128;

impl Version {
    /// Takes a version apart. `None` for what has not three numbers in front.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let numbers = text.strip_prefix('v').unwrap_or(text);
        let end = numbers.find(['-', '+', '~']).unwrap_or(numbers.len());
        let mut numbers = numbers[..end].split('.').map(number);
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        (numbers.next().is_none() && text.len() <= LONGEST).then(|| Self {
            major,
            minor,
            patch,
            text: text.to_owned(),
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What decides which is newer.
    pub const fn numbers(&self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Digits only: `parse` takes a sign as well.
fn number(text: &str) -> Option<u32> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_put_what_they_like_behind_the_numbers() {
        for (text, expected) in [
            ("v1.37.2", (1, 37, 2)),
            ("v1.35.3-eks-abc", (1, 35, 3)),
            ("v1.34.1+k3s1", (1, 34, 1)),
            ("v1.36.0-gke.100", (1, 36, 0)),
            ("v1.33.4+rke2r1", (1, 33, 4)),
            ("1.7.28~ds1", (1, 7, 28)),
        ] {
            let version = Version::parse(text).unwrap();
            assert_eq!((version.numbers(), version.as_str()), (expected, text));
        }
    }

    #[test]
    fn what_is_no_version_is_none() {
        let long = format!("v1.2.3-{}", "x".repeat(1000));
        for text in [
            "",
            "v",
            "v1",
            "v1.36",
            "v1.36.",
            "v1..2",
            "v1.+3.4",
            "v1.2.3.4",
            "vone.two.three",
            "v1.36.99999999999",
            "vv1.2.3",
            "\u{0}",
            "é.é.é",
            "-1.2.3",
            &long,
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
