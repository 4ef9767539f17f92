//! Maintenance windows: when repairs may start. A window never delays verification or a rollback.

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use ironside_crds::conditions::reasons;
use ironside_crds::policy as wire;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Problem;

/// Most steps taken to find a moment at which all of several schedules are open.
const MOST_STEPS: usize = 1000;

/// A recurring span of time.
#[derive(Clone, Debug, PartialEq)]
pub struct Window {
    /// Name, unique in its policy.
    pub name: String,
    /// `None` where the schedule or the time zone could not be read: such a window never opens.
    opens: Option<Opening>,
    duration: Duration,
}

#[derive(Clone, Debug, PartialEq)]
struct Opening {
    schedule: Cron,
    time_zone: TimeZone,
}

/// When repairs may start: in some window of each of the policies that have windows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Windows(Vec<Vec<Window>>);

impl Windows {
    /// The windows of one policy; none means always.
    pub fn of(windows: Vec<Window>) -> Self {
        Self(if windows.is_empty() { Vec::new() } else { vec![windows] })
    }

    /// Open when both are.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        for windows in other.0 {
            if !self.0.contains(&windows) {
                self.0.push(windows);
            }
        }
        self.0.sort_by(|a, b| names(a).cmp(names(b)));
        self
    }

    /// Whether no policy has a window, so that repairs may start at any time.
    pub fn is_always(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a repair may start now.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.0
            .iter()
            .all(|windows| windows.iter().any(|window| window.is_open(now)))
    }

    /// The next moment at which a repair may start: now, if it may. `None` if there is none that can be found.
    pub fn next_opening(&self, now: Timestamp) -> Option<Timestamp> {
        let mut at = now;
        for _ in 0..MOST_STEPS {
            if self.is_open(at) {
                return Some(at);
            }
            // Nothing is open before the last of the closed policies opens.
            let closed = self
                .0
                .iter()
                .filter(|windows| !windows.iter().any(|window| window.is_open(at)));
            let openings: Option<Vec<Timestamp>> = closed
                .map(|windows| windows.iter().filter_map(|window| window.opens_after(at)).min())
                .collect();
            at = openings?.into_iter().max()?;
        }
        None
    }
}

impl Window {
    /// Parses a window; what is wrong with it is added to `problems` under `field`, and it never opens.
    pub(super) fn parse(window: &wire::Window, field: &str, problems: &mut Vec<Problem>) -> Self {
        let mut problem = |part: &str, message: String| {
            problems.push(Problem {
                field: format!("{field}.{part}"),
                message,
                reason: reasons::INVALID_SCHEDULE,
            });
        };
        let schedule = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(&window.schedule)
            .inspect_err(|error| {
                problem(
                    "schedule",
                    format!(
                        "{:?} is not a cron expression of five fields such as \"0 2 * * 1-5\" ({}); the window never opens",
                        window.schedule,
                        error.to_string().trim_end_matches('.')
                    ),
                );
            })
            .ok();
        let name = window.time_zone.as_deref().unwrap_or("UTC");
        let time_zone = TimeZone::get(name)
            .inspect_err(|_| {
                problem(
                    "timeZone",
                    format!("{name:?} is not an IANA time zone such as Europe/Berlin or UTC; the window never opens"),
                );
            })
            .ok();
        let opens = schedule
            .zip(time_zone)
            .map(|(schedule, time_zone)| Opening { schedule, time_zone });
        let parsed = Self {
            name: window.name.clone(),
            opens,
            duration: window.duration.to_std(),
        };
        if parsed.opens.is_some() && parsed.opens_after(Timestamp::UNIX_EPOCH).is_none() {
            problem(
                "schedule",
                format!(
                    "{:?} names a date that never comes, such as February 30; the window never opens",
                    window.schedule
                ),
            );
        }
        if parsed.duration.is_zero() {
            problem(
                "duration",
                format!(
                    "{} is no time at all; write how long the window stays open, such as 2h",
                    window.duration
                ),
            );
        }
        parsed
    }

    /// Whether the window is open at this moment: from each opening, for its duration, the end excluded.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.opens.as_ref().is_some_and(|opening| {
            let local = now.to_zoned(opening.time_zone.clone());
            opening
                .schedule
                .find_previous_occurrence(&local, true)
                .ok()
                .and_then(|opened| opened.timestamp().checked_add(self.duration).ok())
                .is_some_and(|closes| now < closes)
        })
    }

    /// The first opening after this moment.
    pub fn opens_after(&self, now: Timestamp) -> Option<Timestamp> {
        let opening = self.opens.as_ref()?;
        let local = now.to_zoned(opening.time_zone.clone());
        let next = opening.schedule.find_next_occurrence(&local, false).ok()?.timestamp();
        (next.duration_since(now) > SignedDuration::ZERO).then_some(next)
    }
}

fn names(windows: &[Window]) -> impl Iterator<Item = &str> {
    windows.iter().map(|window| window.name.as_str())
}

#[cfg(test)]
mod tests {
    use ironside_crds::Duration as Span;

    use super::*;

    fn parse(schedule: &str, zone: Option<&str>, duration: Span) -> (Window, Vec<Problem>) {
        let mut problems = Vec::new();
        let window = wire::Window {
            name: "night".to_owned(),
            schedule: schedule.to_owned(),
            time_zone: zone.map(str::to_owned),
            duration,
        };
        let window = Window::parse(&window, "spec.remediation.windows[night]", &mut problems);
        (window, problems)
    }

    fn window(schedule: &str, zone: Option<&str>, hours: u64) -> Window {
        let (window, problems) = parse(schedule, zone, Span::from_hours(hours));
        assert_eq!(problems, []);
        window
    }

    fn at(time: &str) -> Timestamp {
        time.parse().unwrap()
    }

    #[test]
    fn opens_at_the_schedule_and_closes_after_its_duration() {
        let night = window("0 2 * * 1-5", None, 2);
        for (time, open) in [
            ("2026-11-23T01:59:59Z", false),
            ("2026-11-23T02:00:00Z", true),
            ("2026-11-23T03:59:59Z", true),
            ("2026-11-23T04:00:00Z", false),
            ("2026-11-22T03:00:00Z", false), // Sunday
        ] {
            assert_eq!(night.is_open(at(time)), open, "{time}");
        }
        assert_eq!(
            night.opens_after(at("2026-11-20T02:00:00Z")),
            Some(at("2026-11-23T02:00:00Z"))
        );
    }

    #[test]
    fn follows_its_time_zone_through_the_change_of_clocks() {
        let berlin = window("0 9 * * *", Some("Europe/Berlin"), 1);
        assert!(berlin.is_open(at("2026-07-01T07:30:00Z")), "summer: UTC+2");
        assert!(!berlin.is_open(at("2026-07-01T08:30:00Z")));
        assert!(berlin.is_open(at("2026-12-01T08:30:00Z")), "winter: UTC+1");
        // 02:30 does not exist on 29 March 2026 in Berlin; the window must not be lost for longer than that day, nor panic.
        let gap = window("30 2 * * *", Some("Europe/Berlin"), 1);
        assert!(gap.opens_after(at("2026-03-28T12:00:00Z")) <= Some(at("2026-03-30T00:30:00Z")));
    }

    #[test]
    fn what_cannot_be_read_is_named_and_never_opens() {
        for (schedule, zone, hours, field) in [
            ("every night ok", None, 1, "schedule"),
            ("0 2 * *", None, 1, "schedule"),
            ("0 0 2 * * *", None, 1, "schedule"),
            ("99 2 * * *", None, 1, "schedule"),
            ("0 0 30 2 *", None, 1, "schedule"),
            ("0 2 * * *", Some("Europe/Berln"), 1, "timeZone"),
            ("0 2 * * *", None, 0, "duration"),
        ] {
            let (window, problems) = parse(schedule, zone, Span::from_hours(hours));
            let fields: Vec<_> = problems.iter().map(|p| p.field.as_str()).collect();
            assert_eq!(
                fields,
                [format!("spec.remediation.windows[night].{field}")],
                "{schedule} {zone:?}"
            );
            assert!(!window.is_open(at("2026-11-23T02:00:00Z")), "{schedule} {zone:?}");
        }
    }

    #[test]
    fn windows_of_one_policy_are_alternatives_those_of_several_are_all_needed() {
        let none = Windows::default();
        assert!(none.is_always() && none.is_open(at("2026-11-23T12:00:00Z")));
        let early = Windows::of(vec![window("0 2 * * *", None, 4), window("0 20 * * *", None, 1)]);
        assert!(early.is_open(at("2026-11-23T20:30:00Z")));
        let late = Windows::of(vec![window("0 5 * * 3", None, 4)]);
        let both = early.clone().and(late.clone());
        assert_eq!(both, late.and(early.clone()));
        assert!(!both.is_open(at("2026-11-23T05:30:00Z")), "Monday");
        assert_eq!(
            both.next_opening(at("2026-11-23T12:00:00Z")),
            Some(at("2026-11-25T05:00:00Z"))
        );
        assert_eq!(
            early.next_opening(at("2026-11-23T03:00:00Z")),
            Some(at("2026-11-23T03:00:00Z"))
        );
        let never = early.and(Windows::of(vec![window("0 12 * * *", None, 1)]));
        assert_eq!(never.next_opening(at("2026-11-23T12:00:00Z")), None);
    }

    proptest::proptest! {
        /// Whatever the windows: the next opening is open, and nothing before it is.
        #[test]
        fn nothing_is_open_before_the_next_opening(
            schedules in proptest::collection::vec(("[0-5]?[0-9]", "1?[0-9]", proptest::option::of("[0-6]"), 1..30u64), 1..4),
            second in 1_790_000_000..1_800_000_000i64,
        ) {
            let windows = schedules.iter().fold(Windows::default(), |all, (minute, hour, day, hours)| {
                let day = day.as_deref().unwrap_or("*");
                all.and(Windows::of(vec![window(&format!("{minute} {hour} * * {day}"), Some("Europe/Berlin"), *hours)]))
            });
            let now = Timestamp::from_second(second).unwrap();
            let next = windows.next_opening(now);
            let end = next.unwrap_or(now + SignedDuration::from_hours(24 * 40));
            if let Some(next) = next {
                proptest::prop_assert!(windows.is_open(next));
                proptest::prop_assert!(next >= now);
            }
            let mut at = now;
            while at < end {
                proptest::prop_assert!(!windows.is_open(at), "open at {at}, before {end}");
                at += SignedDuration::from_mins(47);
            }
        }
    }
}
