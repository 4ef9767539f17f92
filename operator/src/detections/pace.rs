//! How often one detection is told: a burst, then one every few seconds.

use std::time::{Duration, Instant};

/// Told at once.
const BURST: u32 = 20;

/// Then one each.
const REFILL: Duration = Duration::from_secs(6);

/// How often one detection may still be told.
#[derive(Debug)]
pub(super) struct Pace {
    left: u32,
    refilled: Option<Instant>,
    untold: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            left: BURST,
            refilled: None,
            untold: 0,
        }
    }
}

impl Pace {
    /// Whether one more may be told now, and how many were not told since the last that was.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        let since = *self.refilled.get_or_insert(now);
        let refills = now.saturating_duration_since(since).as_millis() / REFILL.as_millis();
        let refills = u32::try_from(refills).unwrap_or(u32::MAX).min(BURST);
        if refills > 0 {
            self.left = (self.left + refills).min(BURST);
            self.refilled = Some(now);
        }
        if self.left == 0 {
            self.untold += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_and_the_rest_counted() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let told = (0..100).filter_map(|_| pace.take(start)).count();
        assert_eq!(told, 20);
        assert_eq!(pace.take(start + REFILL), Some(80));
        assert_eq!(pace.take(start + REFILL), None);
        let later = start + REFILL * 1000;
        assert_eq!(pace.take(later), Some(1));
        assert_eq!((0..100).filter_map(|_| pace.take(later)).count(), 19);
    }
}
