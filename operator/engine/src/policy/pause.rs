//! The annotation that stops repairs from starting, outside Git: `hardening.ironside.dev/pause-until`.

use std::collections::BTreeMap;

use ironside_crds::names::PAUSE_UNTIL_ANNOTATION;
use jiff::Timestamp;

use super::PolicyId;

/// What the pause annotation of one object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// Paused until this moment, exclusively.
    Until(Timestamp),
    /// It cannot be read, which counts as paused: someone meant to stop something.
    Malformed,
}

/// What keeps repairs of an object from starting, with what its annotation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PausedBy {
    /// A policy that votes Enforce on the object.
    Policy(PolicyId, Pause),
    /// The object's Namespace.
    Namespace(Pause),
    /// The object.
    Object(Pause),
}

impl Pause {
    /// Reads the annotations of a policy, a Namespace or an object.
    pub fn of(annotations: &BTreeMap<String, String>) -> Option<Self> {
        annotations.get(PAUSE_UNTIL_ANNOTATION).map(|text| Self::parse(text))
    }

    /// Reads the annotation's value: an RFC 3339 time.
    pub fn parse(text: &str) -> Self {
        text.trim().parse().map_or(Self::Malformed, Self::Until)
    }

    /// Whether repairs must not start now.
    pub fn is_active(self, now: Timestamp) -> bool {
        match self {
            Self::Until(until) => now < until,
            Self::Malformed => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn active(value: &str, now: &str) -> bool {
        Pause::parse(value).is_active(now.parse().unwrap())
    }

    #[test]
    fn ends_exactly_at_the_moment() {
        assert!(active("2026-05-01T10:00:00Z", "2026-05-01T09:59:59.999Z"));
        assert!(!active("2026-05-01T10:00:00Z", "2026-05-01T10:00:00Z"));
        assert!(active("2026-05-01T12:00:00+02:00", "2026-05-01T09:00:00Z"));
    }

    #[test]
    fn malformed_counts_as_paused() {
        for text in ["", "tomorrow", "2h", "true", "2026-05-01", "2026-13-01T00:00:00Z"] {
            assert!(active(text, "2030-01-01T00:00:00Z"), "{text:?}");
        }
    }

    #[test]
    fn an_absent_annotation_is_no_pause() {
        assert_eq!(Pause::of(&BTreeMap::new()), None);
    }
}
