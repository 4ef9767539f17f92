//! Times in numbers that are read at a glance.

use std::time::Duration;

/// Samples of one time.
#[derive(Debug, Clone, Default)]
pub(super) struct Times(Vec<Duration>);

impl Times {
    pub(super) fn add(&mut self, time: Duration) {
        self.0.push(time);
        self.0.sort_unstable();
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The smallest sample that at least `percent` of all samples do not exceed; zero without samples.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }

    /// `p50 / p99`, in milliseconds.
    pub(super) fn both(&self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        format!("{} / {}", millis(self.percentile(50)), millis(self.percentile(99)))
    }
}

/// In milliseconds with one decimal.
pub(super) fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// In seconds with two decimals.
pub(super) fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

/// A count with a comma between thousands.
pub(super) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        let texts = [0, 999, 1_000, 10_000, 1_234_567].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "10,000", "1,234,567"]);
    }

    #[test]
    fn percentiles_are_samples() {
        let mut times = Times::default();
        for number in (1..=30).rev() {
            times.add(Duration::from_millis(number));
        }
        assert_eq!(times.percentile(50), Duration::from_millis(15));
        assert_eq!(times.percentile(99), Duration::from_millis(30));
        assert_eq!(Times::default().percentile(50), Duration::ZERO);
    }
}
