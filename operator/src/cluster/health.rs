//! How a watch fares, as a pure state machine: what counts as an outage, what as a missing permission.
//!
//! Right after a restart an API server answers 403 to everything until it has read its RBAC objects. That is seen in practice after every restart and says
//! nothing about permissions, so a 403 that follows an outage counts only when it lasts.

use std::time::{Duration, Instant};

/// A 403 after an outage is taken at its word only after this time.
pub const DENIED_AFTER_OUTAGE: Duration = Duration::from_mins(1);

/// A 403 of a watch that never worked is taken at its word after this time: long enough for an API server that starts together with us.
pub const DENIED_AT_START: Duration = Duration::from_secs(5);

/// What we know through a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Not everything has been seen yet.
    Starting,
    /// Everything was seen, and changes arrive.
    Live,
    /// Everything was seen once; changes do not arrive at the moment.
    Interrupted,
    /// We may not look.
    Denied,
    /// The API server does not know the kind.
    NotServed,
}

impl Standing {
    /// Every standing.
    pub const ALL: [Self; 5] = [
        Self::Starting,
        Self::Live,
        Self::Interrupted,
        Self::Denied,
        Self::NotServed,
    ];

    /// Name in metrics and messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "Starting",
            Self::Live => "Live",
            Self::Interrupted => "Interrupted",
            Self::Denied => "Denied",
            Self::NotServed => "NotServed",
        }
    }
}

/// What went wrong with a request of a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 403.
    Forbidden,
    /// 404: no such kind.
    NotFound,
    /// Anything else: no connection, 429, 5xx, broken stream.
    Failed,
}

/// The health of one watch.
#[derive(Clone, Debug)]
pub struct WatchHealth {
    standing: Standing,
    /// When the present run of failures began; `None` while requests succeed.
    failing_since: Option<Instant>,
    /// When anything was heard last: an object, a bookmark, the end of a list.
    heard: Instant,
    /// How often the watch had to be opened again after an error, or to list anew.
    restarts: u64,
    /// Whether everything was seen at least once.
    synced: bool,
}

impl WatchHealth {
    /// A watch that starts now.
    pub const fn new(now: Instant) -> Self {
        Self {
            standing: Standing::Starting,
            failing_since: None,
            heard: now,
            restarts: 0,
            synced: false,
        }
    }

    /// The list is complete.
    pub fn listed(&mut self, now: Instant) {
        self.synced = true;
        self.opened(now);
    }

    /// A request was answered as it should be. Returns whether the standing changed.
    pub fn opened(&mut self, now: Instant) -> bool {
        self.heard = now;
        self.failing_since = None;
        self.become_(if self.synced {
            Standing::Live
        } else {
            Standing::Starting
        })
    }

    /// Something arrived.
    pub const fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// A request failed. Returns whether the standing changed.
    pub fn failed(&mut self, trouble: Trouble, now: Instant) -> bool {
        self.restarts += 1;
        let since = *self.failing_since.get_or_insert(now);
        let lasted = now.saturating_duration_since(since);
        let next = match trouble {
            Trouble::Forbidden if self.standing == Standing::Denied => Standing::Denied,
            Trouble::Forbidden if self.synced && lasted >= DENIED_AFTER_OUTAGE => Standing::Denied,
            Trouble::Forbidden if !self.synced && lasted >= DENIED_AT_START => Standing::Denied,
            Trouble::NotFound => Standing::NotServed,
            // An outage says nothing about a permission that was missing before it.
            Trouble::Failed if matches!(self.standing, Standing::Denied | Standing::NotServed) => self.standing,
            Trouble::Forbidden | Trouble::Failed if self.synced => Standing::Interrupted,
            Trouble::Forbidden | Trouble::Failed => Standing::Starting,
        };
        if next == Standing::Denied || next == Standing::NotServed {
            // What was seen is out of date and will not be brought up to date: it has to be seen anew.
            self.synced = false;
        }
        self.become_(next)
    }

    fn become_(&mut self, next: Standing) -> bool {
        let changed = self.standing != next;
        self.standing = next;
        changed
    }

    /// What we know through it.
    pub const fn standing(&self) -> Standing {
        self.standing
    }

    /// Since when requests fail.
    pub const fn failing_since(&self) -> Option<Instant> {
        self.failing_since
    }

    /// Time since anything was heard. A quiet but healthy watch hears a bookmark about every minute.
    pub fn silence(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.heard)
    }

    /// How often it had to start again after an error.
    pub const fn restarts(&self) -> u64 {
        self.restarts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live(start: Instant) -> WatchHealth {
        let mut health = WatchHealth::new(start);
        health.listed(start);
        assert_eq!(health.standing(), Standing::Live);
        health
    }

    #[test]
    fn a_403_after_an_outage_counts_only_when_it_lasts() {
        let start = Instant::now();
        let mut health = live(start);
        assert!(health.failed(Trouble::Failed, start));
        for second in [1, 5, 20, 59] {
            health.failed(Trouble::Forbidden, start + Duration::from_secs(second));
            assert_eq!(health.standing(), Standing::Interrupted, "after {second} s");
        }
        health.failed(Trouble::Forbidden, start + Duration::from_secs(61));
        assert_eq!(health.standing(), Standing::Denied);
    }

    #[test]
    fn an_answer_ends_the_outage() {
        let start = Instant::now();
        let mut health = live(start);
        health.failed(Trouble::Failed, start);
        health.failed(Trouble::Forbidden, start + Duration::from_secs(30));
        assert!(health.opened(start + Duration::from_secs(31)));
        assert_eq!(health.standing(), Standing::Live);
        // The next outage is timed on its own.
        health.failed(Trouble::Forbidden, start + Duration::from_secs(70));
        assert_eq!(health.standing(), Standing::Interrupted);
    }

    #[test]
    fn a_permission_missing_from_the_start_shows_within_seconds() {
        let start = Instant::now();
        let mut health = WatchHealth::new(start);
        health.failed(Trouble::Forbidden, start);
        assert_eq!(health.standing(), Standing::Starting);
        health.failed(Trouble::Forbidden, start + DENIED_AT_START);
        assert_eq!(health.standing(), Standing::Denied);
        // An outage in between does not make it look granted.
        health.failed(Trouble::Failed, start + Duration::from_secs(20));
        assert_eq!(health.standing(), Standing::Denied);
    }

    #[test]
    fn a_granted_permission_is_live_only_after_a_new_list() {
        let start = Instant::now();
        let mut health = live(start);
        health.failed(Trouble::Forbidden, start);
        health.failed(Trouble::Forbidden, start + DENIED_AFTER_OUTAGE);
        assert_eq!(health.standing(), Standing::Denied);
        health.opened(start + Duration::from_secs(90));
        assert_eq!(health.standing(), Standing::Starting);
        health.listed(start + Duration::from_secs(91));
        assert_eq!(health.standing(), Standing::Live);
    }

    #[test]
    fn a_kind_that_is_not_served_says_so_at_once() {
        let start = Instant::now();
        let mut health = WatchHealth::new(start);
        assert!(health.failed(Trouble::NotFound, start));
        assert_eq!(health.standing(), Standing::NotServed);
    }
}
