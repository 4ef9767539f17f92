//! Until when minor releases are supported.

use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Deserialize;

use crate::controls::{Gap, Responsibility};

/// Age at which a table is not believed any more: by then the project has made two minor releases that are not in it.
const FRESH_DAYS: i32 = 180;

/// The releases of a project, as they were known on a day.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Calendar {
    /// The day on which it was true.
    pub as_of: Date,
    /// Where it is from.
    pub sources: Vec<String>,
    /// Oldest first, without gaps.
    pub releases: Vec<Release>,
}

/// One minor release.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// The last day on which it is supported.
    pub end_of_life: Date,
    /// The oldest patch that is not too old: for Kubernetes the last one that had been out for a quarter of a year at `asOf`.
    #[serde(default)]
    pub oldest_patch: u32,
}

/// What a calendar says on a day on which it may be believed.
#[derive(Clone, Copy, Debug)]
pub struct Table<'a> {
    calendar: &'a Calendar,
    today: Date,
}

/// How a minor release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is supported, from this patch on.
    Supported(u32),
    /// It is not supported any more: the last day that it was, if the table is long enough.
    Ended(Option<Date>),
    /// It is newer than the table.
    Newer,
}

/// The releases of containerd.
pub fn containerd() -> &'static Calendar {
    static CALENDAR: LazyLock<Calendar> =
        LazyLock::new(|| serde_json::from_str(include_str!("containerd.json")).unwrap_or_default());
    &CALENDAR
}

/// The releases of Kubernetes.
pub fn kubernetes() -> &'static Calendar {
    static CALENDAR: LazyLock<Calendar> = LazyLock::new(|| {
        // What cannot be read is as old as can be, and so never believed; a test reads it.
        serde_json::from_str(include_str!("kubernetes.json")).unwrap_or_default()
    });
    &CALENDAR
}

impl Calendar {
    /// What it says at a time; a gap when it is too old to be believed.
    pub fn at(&self, now: Timestamp) -> Result<Table<'_>, Gap> {
        let today = believed(self.as_of, now, "releases")?;
        Ok(Table { calendar: self, today })
    }

    /// When what it says changes.
    pub fn endings(&self) -> impl Iterator<Item = Timestamp> {
        ends_after(self.as_of, self.releases.iter().map(|release| release.end_of_life))
    }
}

/// The day that it is; a gap where a table is too old to be believed on it.
pub(super) fn believed(as_of: Date, now: Timestamp, what: &str) -> Result<Date, Gap> {
    let today = now.to_zoned(TimeZone::UTC).date();
    if (today - as_of).get_days() > FRESH_DAYS {
        return Err(stale(format!(
            "what is known of {what} is of {as_of} and too old to be believed: update Ironside"
        )));
    }
    Ok(today)
}

/// The moments after these days, and after the last one on which a table is believed.
pub(super) fn ends_after(as_of: Date, days: impl Iterator<Item = Date>) -> impl Iterator<Item = Timestamp> {
    let too_old = as_of.checked_add(FRESH_DAYS.days()).ok();
    days.chain(too_old)
        .filter_map(|day| Some(day.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp()))
}

impl Table<'_> {
    /// How a minor release stands.
    pub fn standing(&self, major: u32, minor: u32) -> Standing {
        let releases = &self.calendar.releases;
        let found = releases
            .iter()
            .find(|release| (release.major, release.minor) == (major, minor));
        match found {
            Some(release) if release.end_of_life >= self.today => Standing::Supported(release.oldest_patch),
            Some(release) => Standing::Ended(Some(release.end_of_life)),
            None if releases
                .first()
                .is_some_and(|first| (major, minor) < (first.major, first.minor)) =>
            {
                Standing::Ended(None)
            }
            None => Standing::Newer,
        }
    }

    /// The day on which it was true. What ends later was planned then.
    pub const fn as_of(&self) -> Date {
        self.calendar.as_of
    }

    /// Why nothing can be said of a release that is newer than the table.
    pub fn newer(&self, version: &str) -> Gap {
        stale(format!(
            "{version} is newer than what is known of releases, which is of {}: update Ironside",
            self.calendar.as_of
        ))
    }
}

fn stale(message: String) -> Gap {
    Gap {
        reason: "StaleData",
        message,
        responsibility: Responsibility::SelfManaged,
    }
}
