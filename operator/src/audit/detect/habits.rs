//! An administrator at an hour, from a network or with a program that was not seen of them before: D-27.
//!
//! What is seen is learned, so each is told once. It is kept in memory: a new process learns anew, and says nothing meanwhile.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::event::{Event, shown};
use super::table::Table;
use super::{Surroundings, seconds_between, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// How many administrators are remembered.
const MOST: usize = 512;

/// How many networks and programs of one of them.
const MOST_EACH: usize = 64;

/// Groups that may do everything whatever RBAC says, and the one that kubeadm binds to cluster-admin.
const GROUPS: [&str; 2] = ["system:masters", "kubeadm:cluster-admins"];

/// What administrators do every day.
#[derive(Debug)]
pub(super) struct Habits {
    learning: Duration,
    hasher: RandomState,
    /// When the first event came.
    since: Option<Timestamp>,
    known: Table<u64, Habit>,
    evicted: u64,
}

#[derive(Debug, Default)]
struct Habit {
    since: Option<Timestamp>,
    networks: Remembered,
    programs: Remembered,
    /// Hours of the day, in UTC, one bit each.
    hours: u32,
}

impl Habits {
    pub(super) fn new(learning: Duration) -> Self {
        Self {
            learning,
            hasher: RandomState::new(),
            since: None,
            known: Table::new(MOST),
            evicted: 0,
        }
    }

    /// Takes an event in, and says what of it is new of an administrator.
    pub(super) fn note(&mut self, event: &Event, around: &Surroundings) -> Option<Sighting> {
        let since = *self.since.get_or_insert(event.received);
        // Whoever was not authenticated may call himself anything.
        if event.response_status.code == 401 || !is_administrator(event, around) {
            return None;
        }
        let is_learned =
            |since: Timestamp| Duration::from_secs(seconds_between(since, event.received)) >= self.learning;
        let habit = self.known.entry(self.hasher.hash_one(event.who()));
        let news = match habit.since {
            Some(since) if is_learned(since) => habit.news(event),
            None if is_learned(since) => vec!["an administrator who was not seen before".to_owned()],
            Some(_) | None => Vec::new(),
        };
        habit.since.get_or_insert(event.received);
        self.evicted += habit.learn(event);
        (!news.is_empty()).then(|| {
            let what = format!("{} ({})", news.join(" and "), shown(&event.verb));
            sighting(Detection::D27, event, what)
        })
    }

    pub(super) fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted) + self.known.take_evicted()
    }
}

impl Habit {
    /// What of an event is new. Of an hour, only one that is no neighbour of a known one: work begins at eight today and at nine tomorrow.
    fn news(&self, event: &Event) -> Vec<String> {
        let mut news = Vec::new();
        let (program, network) = (program(event), network(event));
        if let Some(network) = &network
            && !self.networks.has(network)
        {
            news.push(format!("from a network that was not seen of them before, {network}"));
        }
        if !self.programs.has(program) {
            news.push(format!(
                "with a program that was not seen of them before, {}",
                shown(program)
            ));
        }
        let hour = hour(event);
        let near = [(hour + 23) % 24, hour, (hour + 1) % 24];
        if near.iter().all(|hour| self.hours & (1 << hour) == 0) {
            news.push(format!("at an hour that was not seen of them before, {hour}:00 UTC"));
        }
        news
    }

    /// Learns, and returns how much was forgotten for it.
    fn learn(&mut self, event: &Event) -> u64 {
        self.hours |= 1 << hour(event);
        let network = network(event).map_or(0, |network| self.networks.add(&network));
        network + self.programs.add(program(event))
    }
}

/// The last few of something.
#[derive(Debug, Default)]
struct Remembered(VecDeque<Box<str>>);

impl Remembered {
    fn has(&self, text: &str) -> bool {
        self.0.iter().any(|known| **known == *text)
    }

    fn add(&mut self, text: &str) -> u64 {
        if self.has(text) {
            return 0;
        }
        self.0.push_back(text.into());
        u64::from(self.0.len() > MOST_EACH && self.0.pop_front().is_some())
    }
}

/// Whether a person may do everything. Not the cluster's own users, and no ServiceAccounts: they move from node to node.
fn is_administrator(event: &Event, around: &Surroundings) -> bool {
    let who = event.who();
    let known = &around.administrators;
    let is_in = |group: &String| GROUPS.contains(&group.as_str()) || known.groups.contains(group);
    !who.is_empty()
        && !who.starts_with("system:")
        && (known.users.iter().any(|user| user == who) || event.user.groups.iter().any(is_in))
}

/// The network of the address: what a provider gives to one customer or place.
fn network(event: &Event) -> Option<String> {
    Some(match event.source()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    })
}

/// What a client calls itself, without its version, which changes with every update.
fn program(event: &Event) -> &str {
    /// Longest that is kept.
    const LONGEST: usize = 64;
    let name = event.user_agent.split(['/', ' ']).next().unwrap_or_default();
    name.char_indices().nth(LONGEST).map_or(name, |(end, _)| &name[..end])
}

fn hour(event: &Event) -> u32 {
    let hour = event.received.to_zoned(TimeZone::UTC).hour();
    u32::try_from(hour).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::Administrators;
    use super::super::testing::*;
    use super::*;

    const DAY: i64 = 24 * 3600;

    fn habits() -> Habits {
        Habits::new(Duration::from_hours(24))
    }

    fn root() -> Made {
        by("root").get("pods").group("system:masters")
    }

    fn note(habits: &mut Habits, made: Made) -> Option<String> {
        habits
            .note(&made.event(), &Surroundings::default())
            .map(|told| told.what)
    }

    #[test]
    fn what_was_learned_is_not_told_and_what_is_new_is_told_once() {
        let mut habits = habits();
        assert_eq!(note(&mut habits, root()), None, "learning");
        assert_eq!(note(&mut habits, root().after(3600).agent("helm/v4")), None, "learning");
        let later = DAY + 60;
        assert_eq!(
            note(&mut habits, root().after(later).agent("helm/v5.1")),
            None,
            "another version of the same"
        );
        assert_eq!(
            note(&mut habits, root().after(later).from(&["203.0.113.200"])),
            None,
            "the same network"
        );
        let moved = note(&mut habits, root().after(later).from(&["198.51.100.1"])).unwrap();
        assert_eq!(
            moved,
            "from a network that was not seen of them before, 198.51.100.0/24 (get)"
        );
        assert_eq!(
            note(&mut habits, root().after(later).from(&["198.51.100.2"])),
            None,
            "told once"
        );
        let other = note(&mut habits, root().after(later).agent("python-requests/2")).unwrap();
        assert!(other.contains("before, python-requests (get)"), "{other}");
        // Ten and eleven o'clock are known, and so are nine and twelve.
        assert_eq!(note(&mut habits, root().after(DAY + 2 * 3600)), None);
        let night = note(
            &mut habits,
            root().after(DAY + 16 * 3600).agent("curl").from(&["fd00:1::1"]),
        )
        .unwrap();
        assert!(
            night.contains(", 2:00 UTC") && night.contains(", curl") && night.contains(", fd00:1:0:0::/64"),
            "{night}"
        );
    }

    #[test]
    fn an_administrator_who_turns_up_later_is_told_once_and_learned() {
        let mut habits = habits();
        note(&mut habits, root());
        let new = || by("mallory").get("pods").group("system:masters").after(2 * DAY);
        assert_eq!(
            note(&mut habits, new()).unwrap(),
            "an administrator who was not seen before (get)"
        );
        assert_eq!(note(&mut habits, new().from(&["198.51.100.1"])), None, "learning");
        assert!(note(&mut habits, new().after(4 * DAY).from(&["192.0.2.1"])).is_some());
    }

    #[test]
    fn only_people_who_may_do_everything() {
        let around = Surroundings {
            administrators: Administrators {
                users: vec!["olga".to_owned()],
                groups: vec!["ops".to_owned()],
            },
            ..Surroundings::default()
        };
        for (made, expected) in [
            (by("olga"), true),
            (by("tom").group("ops"), true),
            (by("kubernetes-admin").group("kubeadm:cluster-admins"), true),
            (by("eve"), false),
            (by("system:apiserver").group("system:masters"), false),
            (by("system:serviceaccount:shop:web").group("ops"), false),
            (by("").group("ops"), false),
            (by("olga").ended(401), false),
        ] {
            let mut habits = Habits::new(Duration::ZERO);
            let event = made.event();
            assert_eq!(habits.note(&event, &around).is_some(), expected, "{event:?}");
        }
    }

    #[test]
    fn memory_is_bounded() {
        let mut habits = habits();
        for number in 0..MOST + 3 {
            note(&mut habits, by(&number.to_string()).group("system:masters"));
        }
        assert_eq!(habits.take_evicted(), 3);
        for number in 0..MOST_EACH + 2 {
            note(&mut habits, root().agent(&format!("{number}{}", "x".repeat(1000))));
        }
        // The third is root's own place in the table.
        assert_eq!(habits.take_evicted(), 3);
        assert!(
            habits
                .known
                .get(&habits.hasher.hash_one("root"))
                .unwrap()
                .programs
                .0
                .iter()
                .all(|it| it.len() <= 64)
        );
    }
}
