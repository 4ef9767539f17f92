//! How each policy stands: the engine's score, over all objects and over what could not be seen at all.

use std::collections::BTreeMap;

use ironside_engine::controls::{Component, Control, Framework, Threat, find};
use ironside_engine::evaluate::{Counts, Score, Tally};
use ironside_engine::policy::PolicyId;

use super::results::Tallies;

/// How one policy stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scorecard {
    /// Findings for each control that the policy asks for.
    pub tally: Tally,
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

    fn holds(self, control: &Control) -> bool {
        match self {
            Self::Framework(framework) => control.frameworks.iter().any(|mapping| mapping.framework == framework),
            Self::Component(component) => control.component == component,
            Self::Threat(threat) => control.threats.contains(&threat),
        }
    }
}

impl Scorecard {
    /// The scorecards of all policies that judged something.
    pub fn by_policy(tallies: &Tallies) -> BTreeMap<PolicyId, Self> {
        let mut cards: BTreeMap<PolicyId, Self> = BTreeMap::new();
        for ((policy, control), line) in tallies {
            cards.entry(policy.clone()).or_default().tally.insert(*control, *line);
        }
        cards
    }

    /// Score, coverage and counts.
    pub fn score(&self) -> Score {
        Score::of(&self.tally)
    }

    /// Controls of a set by their worst result.
    pub fn controls_in(&self, set: Dimension) -> Counts {
        let tally = self
            .tally
            .iter()
            .filter(|(id, _)| find(id.as_str()).is_some_and(|control| set.holds(control)));
        Score::of(&tally.map(|(id, line)| (*id, *line)).collect()).controls
    }
}

#[cfg(test)]
mod tests {
    use ironside_engine::controls::ControlId;
    use ironside_engine::evaluate::Line;

    use super::*;

    #[test]
    fn a_set_counts_its_controls_only() {
        let counts = Counts {
            passed: 5,
            failed: 1,
            ..Counts::default()
        };
        let card = Scorecard {
            tally: BTreeMap::from([(ControlId::new("POD-009"), Line { counts, provider: 0 })]),
        };
        assert_eq!(card.controls_in(Dimension::Component(Component::Workloads)).failed, 1);
        assert_eq!(
            card.controls_in(Dimension::Component(Component::Etcd)),
            Counts::default()
        );
    }
}
