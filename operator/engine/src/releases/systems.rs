//! Until when operating systems of nodes are supported.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::calendar::{believed, ends_after};
use crate::controls::Gap;

/// Operating systems, by what nodes call them, as they were known on a day.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Systems {
    /// The day on which it was true.
    pub as_of: Date,
    /// Where it is from.
    pub sources: Vec<String>,
    /// Releases by the beginning of `osImage`. A system without releases is replaced as a whole, or does not show its release.
    pub systems: BTreeMap<String, Vec<SystemRelease>>,
}

/// One release of an operating system.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SystemRelease {
    /// As it stands in `osImage`; service packs behind a dot.
    pub version: String,
    /// The last day on which everybody gets fixes.
    pub end_of_life: Date,
    /// The last day on which those get them who pay for it, or ask for it.
    #[serde(default)]
    pub extended: Option<Date>,
}

/// How the operating system of a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemStanding {
    /// It gets fixes.
    Supported,
    /// Only who pays gets them: since when, and until when.
    Extended(Date, Date),
    /// Nobody gets them any more: since when.
    Ended(Date),
    /// The system is known, and nothing of this release.
    UnknownRelease,
    /// The system is not known.
    UnknownSystem,
}

/// The operating systems that are known.
pub fn systems() -> &'static Systems {
    static SYSTEMS: LazyLock<Systems> =
        LazyLock::new(|| serde_json::from_str(include_str!("systems.json")).unwrap_or_default());
    &SYSTEMS
}

impl Systems {
    /// How a system stands on a day; a gap when the table is too old to be believed.
    pub fn standing(&self, os_image: &str, now: Timestamp) -> Result<SystemStanding, Gap> {
        let today = believed(self.as_of, now, "operating systems")?;
        let Some((rest, releases)) = self.find(os_image) else {
            return Ok(SystemStanding::UnknownSystem);
        };
        let version = rest.trim_start().trim_start_matches('v').replace(" SP", ".");
        let version = version.split([' ', '(']).next().unwrap_or_default();
        let is_it = |release: &&SystemRelease| {
            let rest = version.strip_prefix(release.version.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        Ok(match releases.iter().find(is_it) {
            None => SystemStanding::UnknownRelease,
            Some(release) if release.end_of_life >= today => SystemStanding::Supported,
            Some(release) => match release.extended {
                Some(extended) if extended >= today => SystemStanding::Extended(release.end_of_life, extended),
                extended => SystemStanding::Ended(extended.unwrap_or(release.end_of_life)),
            },
        })
    }

    /// The releases of a system, and what follows its name.
    fn find<'a>(&self, os_image: &'a str) -> Option<(&'a str, &[SystemRelease])> {
        let found = self.systems.iter().filter_map(|(name, releases)| {
            let rest = os_image.strip_prefix(name.as_str())?;
            (rest.is_empty() || rest.starts_with(' ')).then_some((rest, releases.as_slice()))
        });
        // `Red Hat Enterprise Linux CoreOS` is not `Red Hat Enterprise Linux`.
        found.min_by_key(|(rest, _)| rest.len())
    }

    /// When what it says changes.
    pub fn endings(&self) -> impl Iterator<Item = Timestamp> {
        let releases = self.systems.values().flatten();
        let days = releases.flat_map(|release| [Some(release.end_of_life), release.extended]);
        ends_after(self.as_of, days.flatten())
    }
}
