//! Score and coverage: how much of what was looked at is right, and how much could be looked at.
//!
//! Both are counted over findings (a control on an object), the score weighted by severity. Counts of controls say how many controls have any failure. What is
//! Unknown lowers the coverage and never raises the score; what is excepted or not applicable is in neither.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Evaluation, Finding};
use crate::controls::{Component, Control, ControlId, Responsibility, Threat, Verdict, find};
use crate::model::{Kind, ObjectRef};
use crate::policy::{Policy, PolicyId};

/// Numbers by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // Fields are the results, by name.
pub struct Counts {
    pub passed: u32,
    pub failed: u32,
    pub not_applicable: u32,
    pub unknown: u32,
    pub excepted: u32,
}

/// Numbers of controls by result, for one component or threat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Controls that every object passes.
    pub passed: u32,
    /// Controls that some object fails.
    pub failed: u32,
    /// Controls that could not be evaluated.
    pub unknown: u32,
    /// Whether something is unknown that only the provider of a managed control plane can make visible.
    pub provider: bool,
}

/// What is shown of the state of a policy or of the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Score {
    /// Sums of the weights of passed and failed findings.
    weights: (u64, u64),
    /// Passed of passed and failed findings, weighted by severity, rounded down: 100 only if nothing failed. `None` if nothing was judged: zero results are not a
    /// pass.
    pub score_percent: Option<u32>,
    /// Findings with a verdict of all that should have one, rounded down: 100 only if nothing is unknown. `None` if nothing should.
    pub coverage_percent: Option<u32>,
    /// Controls: failed if any object fails, else unknown if any is, else excepted, else passed, else not applicable.
    pub controls: Counts,
    /// Findings.
    pub findings: Counts,
    /// Controls by component, in the guide's order, all of them.
    pub components: Vec<(Component, Share)>,
    /// Controls by threat, all of them.
    pub threats: Vec<(Threat, Share)>,
}

/// Running counts over evaluations. An evaluation that changed is removed as it was and added as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scoreboard {
    namespaces: BTreeMap<Arc<str>, Tally>,
    policies: BTreeMap<PolicyId, Tally>,
}

/// Findings by control.
pub type Tally = BTreeMap<ControlId, Line>;

/// Findings of one control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// By result.
    pub counts: Counts,
    /// Unknown findings that the provider could make visible.
    pub provider: u32,
}

impl Scoreboard {
    /// Counts all of these.
    pub fn of<'a>(evaluations: impl IntoIterator<Item = &'a Evaluation>) -> Self {
        let mut board = Self::default();
        evaluations.into_iter().for_each(|evaluation| board.add(evaluation));
        board
    }

    /// Counts an evaluation in.
    pub fn add(&mut self, evaluation: &Evaluation) {
        self.count(evaluation, |number| *number += 1);
    }

    /// Takes an evaluation out that was counted in before.
    pub fn remove(&mut self, evaluation: &Evaluation) {
        self.count(evaluation, |number| *number = number.saturating_sub(1));
    }

    /// The state of everything that was judged.
    pub fn total(&self) -> Score {
        let mut all = Tally::new();
        for (control, line) in self.namespaces.values().flatten() {
            all.entry(*control).or_default().add(*line);
        }
        Score::of(&all)
    }

    /// The state of what one policy asks for, by its own parameters. Its controls that met no object are not applicable.
    pub fn of_policy(&self, policy: &Policy) -> Score {
        let mut all: Tally = policy
            .ballots
            .keys()
            .map(|control| (*control, Line::default()))
            .collect();
        all.extend(self.policies.get(&policy.id).into_iter().flatten());
        Score::of(&all)
    }

    /// Findings by namespace and control, for metrics. A Namespace's own findings are in that namespace.
    pub fn by_namespace(&self) -> impl Iterator<Item = (&str, &'static Control, Counts)> {
        self.namespaces.iter().flat_map(|(namespace, tally)| {
            tally
                .iter()
                .filter_map(move |(control, line)| Some((&**namespace, find(control.as_str())?, line.counts)))
        })
    }

    fn count(&mut self, evaluation: &Evaluation, step: fn(&mut u32)) {
        let namespace = namespace(&evaluation.target);
        for finding in &evaluation.findings {
            count(&mut self.namespaces, &namespace, finding, finding.verdict, step);
            for policy in &finding.policies {
                let verdict = finding.verdict_for(policy).unwrap_or(finding.verdict);
                count(&mut self.policies, policy, finding, verdict, step);
            }
        }
    }
}

/// Counts a finding in one of several tallies. Lines and tallies that are back at zero are dropped, so that equal evaluations give equal boards.
fn count<K: Ord + Clone>(
    tallies: &mut BTreeMap<K, Tally>,
    key: &K,
    finding: &Finding,
    verdict: Verdict,
    step: fn(&mut u32),
) {
    if !tallies.contains_key(key) {
        tallies.insert(key.clone(), Tally::new());
    }
    if let Some(tally) = tallies.get_mut(key) {
        count_in(tally, finding, verdict, step);
        if tally.is_empty() {
            tallies.remove(key);
        }
    }
}

fn count_in(tally: &mut Tally, finding: &Finding, verdict: Verdict, step: fn(&mut u32)) {
    let line = tally.entry(finding.control.id).or_default();
    line.step(finding, verdict, step);
    if *line == Line::default() {
        tally.remove(&finding.control.id);
    }
}

fn namespace(target: &ObjectRef) -> Arc<str> {
    match target.kind {
        Kind::Namespace => Arc::clone(&target.name),
        _ => Arc::clone(&target.namespace),
    }
}

impl Line {
    /// Counts a finding in, with the verdict that some policy's own parameters give.
    pub fn count(&mut self, finding: &Finding, verdict: Verdict) {
        self.step(finding, verdict, |number| *number += 1);
    }

    /// Counts all of another line in.
    pub fn add(&mut self, other: Self) {
        self.counts.add(other.counts);
        self.provider += other.provider;
    }

    fn step(&mut self, finding: &Finding, verdict: Verdict, step: fn(&mut u32)) {
        match verdict {
            Verdict::Pass => step(&mut self.counts.passed),
            Verdict::NotApplicable => step(&mut self.counts.not_applicable),
            Verdict::Fail if finding.excepted.is_some() => step(&mut self.counts.excepted),
            Verdict::Fail => step(&mut self.counts.failed),
            Verdict::Unknown => {
                step(&mut self.counts.unknown);
                if finding
                    .gaps
                    .iter()
                    .any(|gap| gap.responsibility == Responsibility::Provider)
                {
                    step(&mut self.provider);
                }
            }
        }
    }
}

impl Counts {
    fn add(&mut self, other: Self) {
        let Self {
            passed,
            failed,
            not_applicable,
            unknown,
            excepted,
        } = other;
        self.passed += passed;
        self.failed += failed;
        self.not_applicable += not_applicable;
        self.unknown += unknown;
        self.excepted += excepted;
    }

    /// The same for a whole control: one, under its worst result.
    #[must_use]
    pub fn as_control(self) -> Self {
        let mut control = Self::default();
        let result = if self.failed > 0 {
            &mut control.failed
        } else if self.unknown > 0 {
            &mut control.unknown
        } else if self.excepted > 0 {
            &mut control.excepted
        } else if self.passed > 0 {
            &mut control.passed
        } else {
            &mut control.not_applicable
        };
        *result = 1;
        control
    }
}

impl Share {
    /// Passed of passed and failed controls, rounded down: 100 only if nothing failed. `None` if nothing was judged.
    pub fn score_percent(self) -> Option<u32> {
        percent(u64::from(self.passed), u64::from(self.failed))
    }

    /// Controls with a verdict of all that should have one, rounded down: 100 only if nothing is unknown. `None` if nothing should.
    pub fn coverage_percent(self) -> Option<u32> {
        percent(u64::from(self.passed) + u64::from(self.failed), u64::from(self.unknown))
    }

    fn add(&mut self, control: Counts, provider: bool) {
        self.passed += control.passed;
        self.failed += control.failed;
        self.unknown += control.unknown;
        self.provider |= provider;
    }
}

impl Score {
    /// Of these findings.
    pub fn of(tally: &Tally) -> Self {
        score(tally)
    }

    /// What [`Score::score_percent`] is rounded down from, from 0 to 1.
    #[allow(clippy::cast_precision_loss)] // sums of weights stay far below 2^52
    pub fn score_ratio(&self) -> Option<f64> {
        let (passed, failed) = self.weights;
        let all = passed + failed;
        (all > 0).then(|| passed as f64 / all as f64)
    }

    /// What [`Score::coverage_percent`] is rounded down from, from 0 to 1.
    pub fn coverage_ratio(&self) -> Option<f64> {
        let seen = self.findings.passed + self.findings.failed + self.findings.excepted;
        let all = seen + self.findings.unknown;
        (all > 0).then(|| f64::from(seen) / f64::from(all))
    }
}

fn score(tally: &Tally) -> Score {
    let mut controls = Counts::default();
    let mut findings = Counts::default();
    let (mut passed, mut failed) = (0, 0);
    let mut components = Component::ALL.map(|component| (component, Share::default()));
    let mut threats = Threat::ALL.map(|threat| (threat, Share::default()));
    for (id, line) in tally {
        let Some(control) = find(id.as_str()) else { continue };
        let whole = line.counts.as_control();
        controls.add(whole);
        findings.add(line.counts);
        passed += control.severity.weight() * u64::from(line.counts.passed);
        failed += control.severity.weight() * u64::from(line.counts.failed);
        let provider = line.provider > 0;
        for (_, share) in components.iter_mut().filter(|(c, _)| *c == control.component) {
            share.add(whole, provider);
        }
        for (_, share) in threats
            .iter_mut()
            .filter(|(threat, _)| control.threats.contains(threat))
        {
            share.add(whole, provider);
        }
    }
    let seen = u64::from(findings.passed) + u64::from(findings.failed) + u64::from(findings.excepted);
    Score {
        weights: (passed, failed),
        score_percent: percent(passed, failed),
        coverage_percent: percent(seen, u64::from(findings.unknown)),
        controls,
        findings,
        components: components.to_vec(),
        threats: threats.to_vec(),
    }
}

/// `good` of both in percent, rounded down.
fn percent(good: u64, bad: u64) -> Option<u32> {
    let all = good + bad;
    (all > 0).then(|| u32::try_from(good * 100 / all).unwrap_or(100))
}
