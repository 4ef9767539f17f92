//! Durations as people write them in a policy: `10m`, `168h`, `1h30m`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::SignedDuration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The pattern every duration matches in the schema: one to three numbers of at most five digits, each with its unit. It is a subset of what Go's
/// `time.ParseDuration` and CEL's `duration()` accept, so that rules can compute with it; no fractions and no signs, which a policy never needs.
pub const PATTERN: &str = r"^([0-9]{1,5}(h|m|s)){1,3}$";

/// The longest text that matches [`PATTERN`].
const MAX_LENGTH: usize = 18;

/// A non-negative span of whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration {
    seconds: u64,
}

/// A text that is not a duration of the form [`PATTERN`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseDurationError {
    text: String,
}

impl Duration {
    /// A span of `seconds`.
    pub const fn from_secs(seconds: u64) -> Self {
        Self { seconds }
    }

    /// A span of `minutes`.
    pub const fn from_mins(minutes: u64) -> Self {
        Self { seconds: minutes * 60 }
    }

    /// A span of `hours`.
    pub const fn from_hours(hours: u64) -> Self {
        Self { seconds: hours * 3600 }
    }

    /// This span in whole seconds.
    pub const fn as_secs(self) -> u64 {
        self.seconds
    }

    /// This span for arithmetic with the standard library.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_secs(self.seconds)
    }

    /// This span for arithmetic on timestamps.
    pub const fn to_jiff(self) -> SignedDuration {
        // The largest duration that parses is 3 * 99,999 h, far below i64.
        SignedDuration::from_secs(self.seconds.cast_signed())
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.to_std()
    }
}

impl From<Duration> for SignedDuration {
    fn from(duration: Duration) -> Self {
        duration.to_jiff()
    }
}

impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| ParseDurationError { text: text.to_owned() })
    }
}

/// The duration that `text` spells, if it matches [`PATTERN`].
fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0;
    for _ in 0..3 {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=5).contains(&digits) {
            return None;
        }
        let (number, tail) = rest.split_at(digits);
        let unit = match tail.bytes().next()? {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        seconds += number.parse::<u64>().ok()? * unit;
        rest = &tail[1..];
        if rest.is_empty() {
            return Some(Duration { seconds });
        }
    }
    None
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hours, minutes, seconds) = (self.seconds / 3600, self.seconds / 60 % 60, self.seconds % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        if seconds > 0 || self.seconds == 0 {
            write!(f, "{seconds}s")?;
        }
        Ok(())
    }
}

impl fmt::Display for ParseDurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a duration such as 30s, 10m, 168h or 1h30m", self.text)
    }
}

impl std::error::Error for ParseDurationError {}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
    }
}

impl JsonSchema for Duration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": PATTERN, "maxLength": MAX_LENGTH })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_matches_the_pattern_parses() {
        for (text, seconds) in [
            ("0s", 0),
            ("30s", 30),
            ("10m", 600),
            ("168h", 604_800),
            ("1h30m", 5400),
            ("1h1m1s", 3661),
            ("5m5m", 600),
            ("99999h99999h99999h", 3 * 99_999 * 3600),
        ] {
            assert_eq!(text.parse(), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn what_does_not_match_is_named_in_the_error() {
        for text in [
            "", "10", "h", "-1h", "1.5h", "1d", "100000s", "1h1m1s1s", "1h ", " 1h", "1H", "٣h",
        ] {
            let error = text.parse::<Duration>().unwrap_err().to_string();
            assert!(error.contains(&format!("{text:?}")), "{error}");
        }
    }

    #[test]
    fn display_is_canonical_and_parses_back() {
        for (text, canonical) in [
            ("90m", "1h30m"),
            ("168h", "168h"),
            ("0h", "0s"),
            ("61s", "1m1s"),
            ("24h", "24h"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(duration.to_string(), canonical);
            assert_eq!(canonical.parse(), Ok(duration));
        }
    }
}
