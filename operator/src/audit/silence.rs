//! No audit event for a whole interval: D-28. The operator renews its lease every ten seconds, which the API server audits like any other request: where the
//! log works, it is never silent.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use ironside_engine::detect::{Detection, Sighting};

/// When the last event came.
#[derive(Debug)]
pub(super) struct Silence {
    /// `None`: nobody listens for it.
    interval: Option<Duration>,
    since: Instant,
    has_heard: bool,
    is_told: bool,
}

impl Silence {
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self {
            interval: (!interval.is_zero()).then_some(interval),
            since: now,
            has_heard: false,
            is_told: false,
        }
    }

    /// Events came.
    pub(super) fn heard(&mut self, now: Instant) {
        (self.since, self.has_heard, self.is_told) = (now, true, false);
    }

    /// Nothing can come: another process takes the events, or none does.
    pub(super) fn is_not_ours(&mut self, now: Instant) {
        (self.since, self.is_told) = (now, false);
    }

    /// Tells once of each silence that is long enough.
    pub(super) fn look(&mut self, now: Instant, at: Timestamp) -> Option<Sighting> {
        let interval = self.interval?;
        let lasts = now.saturating_duration_since(self.since);
        if self.is_told || lasts < interval {
            return None;
        }
        self.is_told = true;
        let since = if self.has_heard {
            "since the last one"
        } else {
            "since this process takes them"
        };
        Some(Sighting {
            detection: Detection::D28,
            object: "audit log of the API server".to_owned(),
            regarding: None,
            uid: None,
            namespace: String::new(),
            user: None,
            source: None,
            manager: None,
            at: Some(at),
            what: format!("no event for {} seconds {since}", lasts.as_secs()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_told_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let look =
            |silence: &mut Silence, seconds| silence.look(at(seconds), Timestamp::UNIX_EPOCH).map(|told| told.what);
        let mut silence = Silence::new(Duration::from_mins(5), start);
        assert_eq!(look(&mut silence, 299), None);
        assert_eq!(
            look(&mut silence, 300).unwrap(),
            "no event for 300 seconds since this process takes them"
        );
        assert_eq!(look(&mut silence, 900), None);
        silence.heard(at(1000));
        assert_eq!(look(&mut silence, 1299), None);
        assert!(look(&mut silence, 1300).unwrap().ends_with("since the last one"));
        // Another process took them meanwhile.
        silence.is_not_ours(at(5000));
        assert_eq!(look(&mut silence, 5100), None);
        assert!(look(&mut silence, 5300).is_some());
        let mut nobody = Silence::new(Duration::ZERO, start);
        assert_eq!(look(&mut nobody, 1_000_000), None);
    }
}
