//! Score and coverage of a policy, and its controls by result, component and threat.
//!
//! Score: passed of passed and failed objects over all controls, each weighted by the severity of its control. Coverage: what could be looked at of what
//! should have been. Both are integers, rounded down, so that 100 means all. Nothing judged gives neither: zero results are not a pass.

use std::collections::BTreeMap;

use ironside_engine::controls::{self, Component, Control, ControlId, Framework, Threat};
use ironside_engine::policy::PolicyId;

use super::{Counts, Tally};

/// The result of one control over all objects. A failure outweighs what is unknown, that an exception, that a pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // The five results, by name.
pub enum ControlResult {
    NotApplicable,
    Passed,
    Excepted,
    Unknown,
    Failed,
}

impl ControlResult {
    /// Of these counts.
    pub const fn of(counts: Counts) -> Self {
        if counts.failed > 0 {
            Self::Failed
        } else if counts.unknown > 0 {
            Self::Unknown
        } else if counts.excepted > 0 {
            Self::Excepted
        } else if counts.passed > 0 {
            Self::Passed
        } else {
            Self::NotApplicable
        }
    }

    /// Name in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "NotApplicable",
            Self::Passed => "Pass",
            Self::Excepted => "Excepted",
            Self::Unknown => "Unknown",
            Self::Failed => "Fail",
        }
    }
}

/// How a policy stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Score {
    /// Objects by result, for each control that the policy asks for.
    pub controls: BTreeMap<ControlId, Counts>,
}

/// A set of controls that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)] // Each names its set.
pub enum Dimension {
    Framework(Framework),
    Component(Component),
    Threat(Threat),
}

impl Dimension {
    /// Name and value in metrics.
    pub const fn labels(self) -> (&'static str, &'static str) {
        match self {
            Self::Framework(framework) => ("framework", framework.as_str()),
            Self::Component(component) => ("component", component.as_str()),
            Self::Threat(threat) => ("threat", threat.as_str()),
        }
    }

    /// Whether a control belongs to the set.
    pub fn holds(self, control: &Control) -> bool {
        match self {
            Self::Framework(framework) => control.frameworks.iter().any(|mapping| mapping.framework == framework),
            Self::Component(component) => control.component == component,
            Self::Threat(threat) => control.threats.contains(&threat),
        }
    }
}

impl Score {
    /// The scores of all policies in a tally.
    pub fn by_policy(tally: &Tally) -> BTreeMap<PolicyId, Self> {
        let mut scores: BTreeMap<PolicyId, Self> = BTreeMap::new();
        for ((policy, control), counts) in tally {
            scores
                .entry(policy.clone())
                .or_default()
                .controls
                .insert(*control, *counts);
        }
        scores
    }

    /// Counts over all controls.
    pub fn total(&self) -> Counts {
        self.controls
            .values()
            .fold(Counts::default(), |sum, counts| sum.plus(*counts))
    }

    /// The share of passed objects, weighted by severity, from 0 to 1.
    pub fn ratio(&self) -> Option<f64> {
        let (passed, judged) = self.weighted();
        ratio(passed, judged)
    }

    /// [`Score::ratio`] in whole percent, rounded down.
    pub fn percent(&self) -> Option<u32> {
        let (passed, judged) = self.weighted();
        percent(passed, judged)
    }

    /// The share of what could be looked at, from 0 to 1.
    pub fn coverage_ratio(&self) -> Option<f64> {
        let (seen, all) = self.seen();
        ratio(seen, all)
    }

    /// [`Score::coverage_ratio`] in whole percent, rounded down.
    pub fn coverage_percent(&self) -> Option<u32> {
        let (seen, all) = self.seen();
        percent(seen, all)
    }

    fn weighted(&self) -> (u64, u64) {
        self.controls.iter().fold((0, 0), |(passed, judged), (id, counts)| {
            let weight = controls::find(id.as_str()).map_or(0, |control| control.severity.weight());
            (
                passed + weight * counts.passed,
                judged + weight * (counts.passed + counts.failed),
            )
        })
    }

    fn seen(&self) -> (u64, u64) {
        let Counts {
            passed,
            failed,
            not_applicable: _,
            unknown,
            excepted,
        } = self.total();
        let seen = passed + failed + excepted;
        (seen, seen + unknown)
    }

    /// Controls by result, over all or within one set.
    pub fn results(&self, within: Option<Dimension>) -> BTreeMap<ControlResult, u32> {
        let mut results = BTreeMap::new();
        for (id, counts) in &self.controls {
            let belongs =
                |dimension: Dimension| controls::find(id.as_str()).is_some_and(|control| dimension.holds(control));
            if within.is_none_or(belongs) {
                *results.entry(ControlResult::of(*counts)).or_default() += 1;
            }
        }
        results
    }
}

#[allow(clippy::cast_precision_loss)] // counts stay far below 2^52
fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn percent(part: u64, whole: u64) -> Option<u32> {
    (whole > 0).then(|| u32::try_from(part * 100 / whole).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(passed: u64, failed: u64, unknown: u64) -> Score {
        let counts = Counts {
            passed,
            failed,
            unknown,
            ..Counts::default()
        };
        Score {
            controls: BTreeMap::from([(ControlId::new("POD-009"), counts)]),
        }
    }

    #[test]
    fn nothing_judged_has_no_score() {
        assert_eq!(Score::default().percent(), None);
        assert_eq!(score(0, 0, 3).percent(), None);
        assert_eq!(score(0, 0, 3).coverage_percent(), Some(0));
    }

    #[test]
    fn what_is_unknown_lowers_coverage_and_never_raises_the_score() {
        assert_eq!(score(1, 1, 0).percent(), Some(50));
        assert_eq!(score(1, 1, 2).percent(), Some(50));
        assert_eq!(score(1, 1, 2).coverage_percent(), Some(50));
    }

    #[test]
    fn a_hundred_percent_means_all() {
        assert_eq!(score(999, 1, 0).percent(), Some(99));
        assert_eq!(score(1000, 0, 0).percent(), Some(100));
    }

    #[test]
    fn a_control_fails_when_one_object_does() {
        let results = score(5, 1, 1).results(None);
        assert_eq!(results, BTreeMap::from([(ControlResult::Failed, 1)]));
        let results = score(5, 1, 1).results(Some(Dimension::Component(Component::Etcd)));
        assert!(results.is_empty());
    }
}
