//! When the writer wakes although no watch saw anything: something ends with time, or something else has news.

use std::time::Duration;

use ironside_engine::policy::Pause;
use ironside_engine::releases;
use jiff::Timestamp;
use tokio::sync::watch;

use super::{FIRST_LOOK, Writer};

impl Writer {
    /// Moments at which something ends: exceptions, pauses, what is known of releases, certificates.
    fn endings(&self) -> impl Iterator<Item = Timestamp> {
        let exceptions = self.declared.exceptions.values();
        let pauses = self.declared.policies.values().map(|policy| policy.pause());
        let ends = exceptions.filter_map(|exception| exception.spec().expires_at.map(Timestamp::from));
        let pauses = pauses.chain([self.declared.pause]).filter_map(|pause| match pause {
            Some(Pause::Until(until)) => Some(until),
            _ => None,
        });
        ends.chain(pauses)
            .chain(releases::endings())
            .chain(self.snapshot.endings())
    }

    pub(super) fn something_ended(&self, before: Timestamp, now: Timestamp) -> bool {
        self.endings().any(|end| before < end && end <= now)
    }

    /// How long to sleep if nothing is seen.
    pub(super) fn next_wake(&self, now: Timestamp) -> Duration {
        if !self.complete {
            return FIRST_LOOK
                .saturating_sub(self.started.elapsed())
                .max(Duration::from_millis(10));
        }
        let judged = self.judged_at.unwrap_or(now);
        self.endings()
            .filter(|end| *end > judged)
            .min()
            .map_or(Duration::MAX, |end| {
                Duration::try_from(end.duration_since(now)).unwrap_or_default()
            })
            .clamp(Duration::from_millis(10), Duration::from_hours(1))
    }
}

/// Resolves when there is something new to know; never where nobody asks for it.
pub(super) async fn news<T>(receiver: Option<&mut watch::Receiver<T>>) {
    let is_over = match receiver {
        Some(receiver) => receiver.changed().await.is_err(),
        None => true,
    };
    if is_over {
        std::future::pending::<()>().await;
    }
}
