//! What two scans differ in, failure by failure. Pure: no files, no cluster.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::report::{Known, Scan, ScanEvidence, ScanGap, ScanObject, ScanResult};

/// A failure, or something that could not be looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item<'a> {
    pub(super) result: &'a ScanResult,
    pub(super) rests_on: RestsOn<'a>,
}

/// What a result rests on.
#[derive(Clone, Copy, Debug)]
pub(super) enum RestsOn<'a> {
    /// A field of the object.
    Field(&'a ScanEvidence),
    /// Why it could not be looked at.
    Gap(&'a ScanGap),
    /// The object as a whole.
    Object,
}

/// What the other scan says about the same control on the same object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Other {
    /// The object is not there.
    NoObject,
    /// The control was not asked for.
    NotAsked,
    Pass,
    /// Another field fails.
    Fail,
    /// An exception accepts it.
    Excepted,
    NotApplicable,
    Unknown,
}

impl Other {
    /// As it stands in JSON.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NoObject => "NoObject",
            Self::NotAsked => "NotAsked",
            Self::Pass => "Pass",
            Self::Fail => "Fail",
            Self::Excepted => "Excepted",
            Self::NotApplicable => "NotApplicable",
            Self::Unknown => "Unknown",
        }
    }
}

/// One object in both scans.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) object: &'a ScanObject,
    /// Only in the later scan, with what the earlier one said.
    pub(super) new: Vec<(Item<'a>, Other)>,
    /// Only in the earlier scan, with what the later one says.
    pub(super) gone: Vec<(Item<'a>, Other)>,
    /// In both.
    pub(super) stayed: usize,
}

impl Change<'_> {
    pub(super) fn is_none(&self) -> bool {
        self.new.is_empty() && self.gone.is_empty()
    }
}

/// Every object that fails something in one of the scans, or cannot be looked at, by namespace and name.
pub(super) fn compare<'a>(before: &'a Scan, after: &'a Scan) -> Vec<Change<'a>> {
    let (said_before, said_after) = (Said::of(before), Said::of(after));
    let mut changes: BTreeMap<&ScanObject, Change<'_>> = BTreeMap::new();
    let mut known = Known::default();
    for item in items(before) {
        known.add(item.identity());
    }
    let mut stayed = Known::default();
    for item in items(after) {
        let identity = item.identity();
        let change = change_of(&mut changes, item);
        if known.take(&identity) {
            stayed.add(identity);
            change.stayed += 1;
        } else {
            change.new.push((item, said_before.about(item.result)));
        }
    }
    for item in items(before) {
        if !stayed.take(&item.identity()) {
            let other = said_after.about(item.result);
            change_of(&mut changes, item).gone.push((item, other));
        }
    }
    changes.into_values().collect()
}

fn change_of<'a, 'b>(changes: &'b mut BTreeMap<&'a ScanObject, Change<'a>>, item: Item<'a>) -> &'b mut Change<'a> {
    let object = &item.result.object;
    changes.entry(object).or_insert_with(|| Change {
        object,
        new: Vec::new(),
        gone: Vec::new(),
        stayed: 0,
    })
}

impl Item<'_> {
    /// What could not be looked at is never the same as what fails.
    fn identity(&self) -> String {
        match self.rests_on {
            RestsOn::Field(evidence) => self.result.identity(Some(evidence)),
            RestsOn::Gap(gap) => format!("{} unknown {}", self.result.identity(None), gap.reason),
            RestsOn::Object => format!("{} {}", self.result.identity(None), self.result.result),
        }
    }
}

/// Everything in a scan that is not as it should be or could not be seen.
fn items(scan: &Scan) -> impl Iterator<Item = Item<'_>> {
    scan.results.iter().flat_map(|result| {
        let mut rests_on: Vec<RestsOn<'_>> = Vec::new();
        if result.is_failure() {
            rests_on.extend(result.evidence.iter().map(RestsOn::Field));
        } else if result.result == "Unknown" {
            rests_on.extend(result.gaps.iter().map(RestsOn::Gap));
        } else {
            return Vec::new();
        }
        if rests_on.is_empty() {
            rests_on.push(RestsOn::Object);
        }
        let item = |rests_on| Item { result, rests_on };
        rests_on.into_iter().map(item).collect()
    })
}

/// Every verdict of a scan.
struct Said<'a> {
    objects: BTreeSet<&'a ScanObject>,
    verdicts: BTreeMap<(&'a str, &'a ScanObject), Other>,
}

impl<'a> Said<'a> {
    fn of(scan: &'a Scan) -> Self {
        let verdict = |result: &ScanResult| match result.result.as_str() {
            _ if result.excepted.is_some() => Other::Excepted,
            "Pass" => Other::Pass,
            "Fail" => Other::Fail,
            "NotApplicable" => Other::NotApplicable,
            _ => Other::Unknown,
        };
        Self {
            objects: scan.results.iter().map(|result| &result.object).collect(),
            verdicts: scan
                .results
                .iter()
                .map(|result| ((result.control.as_str(), &result.object), verdict(result)))
                .collect(),
        }
    }

    fn about(&self, result: &ScanResult) -> Other {
        if !self.objects.contains(&result.object) {
            return Other::NoObject;
        }
        let verdict = self.verdicts.get(&(result.control.as_str(), &result.object));
        verdict.copied().unwrap_or(Other::NotAsked)
    }
}
