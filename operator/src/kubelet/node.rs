//! When a node is asked again.

use std::time::{Duration, Instant};

/// Time between two questions to one kubelet.
const PERIOD: Duration = Duration::from_mins(1);

/// The same while a pod of it was never measured: it has just started, and its kubelet measures every ten seconds.
const SOON: Duration = Duration::from_secs(10);

/// A kubelet that does not answer well is asked ever more rarely, up to this many periods.
const MOST_PERIODS: u32 = 30;

/// What is remembered of a node.
#[derive(Debug, Default)]
pub(super) struct Node {
    asked: Option<Instant>,
    failures: u32,
}

impl Node {
    /// Whether to ask now. `unknown`: some pod of it was never measured.
    pub(super) fn is_due(&self, now: Instant, unknown: bool) -> bool {
        let Some(asked) = self.asked else { return true };
        let pause = match self.failures {
            0 if unknown => SOON,
            0 => PERIOD,
            failures => PERIOD * 2_u32.saturating_pow(failures - 1).min(MOST_PERIODS),
        };
        now.duration_since(asked) >= pause
    }

    pub(super) fn answered(&mut self, now: Instant, well: bool) {
        self.asked = Some(now);
        self.failures = if well { 0 } else { self.failures.saturating_add(1) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_asked_ever_more_rarely() {
        let start = Instant::now();
        let mut node = Node::default();
        assert!(node.is_due(start, false));
        node.answered(start, true);
        assert!(!node.is_due(start + SOON, false));
        assert!(node.is_due(start + SOON, true), "a pod has just started");
        assert!(node.is_due(start + PERIOD, false));
        let mut questions = 0;
        let mut now = start;
        node.answered(start, false);
        assert!(!node.is_due(start + SOON, true), "not sooner because of a new pod");
        while now < start + Duration::from_hours(4) {
            now += Duration::from_secs(5);
            if node.is_due(now, true) {
                node.answered(now, false);
                questions += 1;
            }
        }
        assert_eq!(questions, 11, "1, 2, 4, 8, 16 minutes, then every half hour");
    }
}
