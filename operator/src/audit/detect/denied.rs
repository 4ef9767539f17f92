//! Many refused requests of one user from one address: D-07.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};

use jiff::Timestamp;

use super::super::event::{Event, shown};
use super::table::Table;
use super::{exempt, seconds_between, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// So many refusals within [`WINDOW`] are a burst. A controller that lacks a right asks again every half minute or so for each kind; somebody who tries what
/// works asks for dozens of things.
const BURST: usize = 20;

/// Seconds.
const WINDOW: u64 = 60;

/// How many users and addresses are remembered: some hundred bytes each.
const MOST: usize = 4096;

/// Refused requests by who and from where.
#[derive(Debug)]
pub(super) struct Denied {
    hasher: RandomState,
    refusals: Table<u64, Refusals>,
}

#[derive(Debug, Default)]
struct Refusals {
    /// When, and what was asked for; the last [`BURST`].
    last: VecDeque<(Timestamp, u64)>,
    /// When it was told on last.
    told: Option<Timestamp>,
}

impl Default for Denied {
    fn default() -> Self {
        Self {
            hasher: RandomState::new(),
            refusals: Table::new(MOST),
        }
    }
}

impl Denied {
    /// Takes an event in, and says whether a burst is full with it.
    pub(super) fn note(&mut self, event: &Event) -> Option<Sighting> {
        // Admission refuses the cluster's own controllers all the time; their rights suffice, and nobody probes with them.
        let is_admission = event.was_authorized() && exempt::is_built_in(event.who());
        if !event.was_refused() || is_admission {
            return None;
        }
        let source = event.sources.last().map_or("", String::as_str);
        let who = self.hasher.hash_one((event.who(), source));
        let what = self.hasher.hash_one((
            event.verb.as_str(),
            event.resource(),
            event.object_ref.is_none().then(|| event.path()),
        ));
        let now = event.received;
        let refusals = self.refusals.entry(who);
        refusals.last.push_back((now, what));
        if refusals.last.len() > BURST {
            refusals.last.pop_front();
        }
        let first = refusals.last.front().map_or(now, |(first, _)| *first);
        let is_burst = refusals.last.len() == BURST && seconds_between(first, now) <= WINDOW;
        if !is_burst || refusals.told.is_some_and(|told| seconds_between(told, now) <= WINDOW) {
            return None;
        }
        refusals.told = Some(now);
        let mut kinds: Vec<u64> = refusals.last.iter().map(|(_, what)| *what).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let what = format!(
            "{BURST} requests were refused within {} seconds, {} of them different; the last was {} (status {})",
            seconds_between(first, now).max(1),
            kinds.len(),
            shown(&event.verb),
            event.response_status.code
        );
        Some(sighting(Detection::D07, event, what))
    }

    pub(super) fn take_evicted(&mut self) -> u64 {
        self.refusals.take_evicted()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    /// One refusal every so many seconds.
    fn told(denied: &mut Denied, count: usize, every: i64, make: impl Fn() -> Made) -> usize {
        let events = (0..count).map(|number| make().after(i64::try_from(number).unwrap() * every).event());
        events.filter_map(|event| denied.note(&event)).count()
    }

    #[test]
    fn a_burst_is_told_once_a_minute() {
        let refused = || by("eve").get("pods").ended(403);
        assert_eq!(told(&mut Denied::default(), BURST - 1, 1, refused), 0);
        assert_eq!(told(&mut Denied::default(), BURST, 1, refused), 1);
        assert_eq!(told(&mut Denied::default(), 60, 1, refused), 1, "one a minute");
        assert_eq!(told(&mut Denied::default(), 200, 1, refused), 3);
        assert_eq!(
            told(&mut Denied::default(), 200, 10, refused),
            0,
            "a controller without a right"
        );
        assert_eq!(
            told(&mut Denied::default(), 200, 0, || by("eve").get("pods").ended(404)),
            0
        );
    }

    #[test]
    fn users_and_addresses_are_counted_apart_and_how_many_things_were_tried_is_told() {
        let mut denied = Denied::default();
        let mut seen = Vec::new();
        for number in 0..BURST {
            for source in ["10.0.0.1", "10.0.0.2"] {
                let resource = format!("things{}", number % 7);
                let event = by("").get(&resource).ended(401).from(&[source]).event();
                seen.extend(denied.note(&event));
            }
        }
        assert_eq!(seen.len(), 2);
        assert!(
            seen[0].what.contains("7 of them different") && seen[0].what.contains("401"),
            "{}",
            seen[0].what
        );
        assert_eq!(
            (seen[0].user.as_deref(), seen[0].source.as_deref()),
            (None, Some("10.0.0.1"))
        );
    }

    #[test]
    fn admission_that_refuses_a_controller_is_no_burst() {
        let controller = "system:serviceaccount:kube-system:replicaset-controller";
        let refused_by_admission = || {
            let mut event = by(controller).verb("create", "pods").ended(403).event();
            event.annotations.decision = Some("allow".to_owned());
            event
        };
        let mut denied = Denied::default();
        assert!((0..50).all(|_| denied.note(&refused_by_admission()).is_none()));
        assert_eq!(told(&mut denied, 50, 0, || by(controller).get("secrets").ended(403)), 1);
    }

    #[test]
    fn many_names_cost_bounded_memory() {
        let mut denied = Denied::default();
        for number in 0..MOST + 5 {
            denied.note(&by(&number.to_string()).get("pods").ended(403).event());
        }
        assert_eq!(denied.take_evicted(), 5);
    }
}
