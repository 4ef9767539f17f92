//! What is wrong: every control that some policy asks for, judged on one object.
//!
//! Evaluation cannot fail. What could not be looked at is a gap in the result, shown and counted. This module must not know how anything is repaired.

mod evidence;
mod finding;
mod judge;
mod memo;
mod score;
#[cfg(test)]
mod tests;

pub use finding::{Evaluation, Finding};
pub use score::{Counts, Line, Score, Scoreboard, Share, Tally};

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::components::is_evidence;
use crate::controls::{Check, Control, Evidence, Parameters, Verdict};
use crate::model::{Kind, ObjectRef};
use crate::policy::{Effect, ExceptionSet, InNamespace, Mode, PolicySet, Vote};
use crate::world::Snapshot;
use judge::{Judged, Subject, components, concerns, hidden, judge};
use memo::Memo;

/// Judges one object. [`Evaluator`] does the same and remembers what it saw of equal templates.
pub fn evaluate(
    world: &Snapshot,
    policies: &PolicySet,
    exceptions: &ExceptionSet,
    target: &ObjectRef,
    now: Timestamp,
) -> Evaluation {
    Evaluator::default().evaluate(world, policies, exceptions, target, now)
}

/// Judges objects, with a memory of verdicts on pod templates. The memory changes nothing but time.
#[derive(Debug, Default)]
pub struct Evaluator {
    memo: Memo,
}

impl Evaluator {
    /// One that remembers about so many verdicts: for a single pass over many templates of which few are equal, a long memory is only large.
    pub fn remembering(verdicts: usize) -> Self {
        Self {
            memo: Memo::of(verdicts / 2),
        }
    }

    /// Judges one object. One that is not judged itself (a child of another, an object that is gone) has no findings.
    pub fn evaluate(
        &mut self,
        world: &Snapshot,
        policies: &PolicySet,
        exceptions: &ExceptionSet,
        target: &ObjectRef,
        now: Timestamp,
    ) -> Evaluation {
        self.evaluate_in(world, policies, &policies.about(world, target), exceptions, target, now)
    }

    /// Judges many objects.
    pub fn evaluate_all<'a>(
        &mut self,
        world: &Snapshot,
        policies: &PolicySet,
        exceptions: &ExceptionSet,
        targets: impl IntoIterator<Item = &'a ObjectRef>,
        now: Timestamp,
    ) -> Vec<Evaluation> {
        let mut here: BTreeMap<Arc<str>, InNamespace> = BTreeMap::new();
        let mut evaluations = Vec::new();
        for target in targets {
            let namespace = match target.kind {
                Kind::Namespace => &target.name,
                _ => &target.namespace,
            };
            let of_target = here
                .entry(Arc::clone(namespace))
                .or_insert_with(|| policies.about(world, target));
            evaluations.push(self.evaluate_in(world, policies, of_target, exceptions, target, now));
        }
        evaluations
    }

    fn evaluate_in(
        &mut self,
        world: &Snapshot,
        all: &PolicySet,
        policies: &InNamespace,
        exceptions: &ExceptionSet,
        target: &ObjectRef,
        now: Timestamp,
    ) -> Evaluation {
        let mut evaluation = Evaluation {
            target: target.clone(),
            findings: Vec::new(),
            gaps: Vec::new(),
            owned_by: world
                .workload(target)
                .and_then(|workload| workload.meta.controller())
                .cloned(),
        };
        if !world.is_judged(target) {
            return evaluation;
        }
        let gap = hidden(world, target);
        let subject = match (&gap, world.workload(target), world.namespace(&target.name)) {
            (Some(gap), _, _) => Subject::Hidden(gap),
            (None, Some(workload), _) => Subject::Workload(workload, target),
            (None, None, Some(namespace)) if target.kind == Kind::Namespace => Subject::Namespace(namespace),
            _ if target.kind.is_judged_alone() => Subject::Object(target),
            _ => return evaluation,
        };
        let components = components(world, subject);
        // What is evidence of a component of the cluster is not judged once more beside it, if the component is.
        let of_components = (!components.is_empty() && is_evidence(world, target)).then(|| all.in_namespace(world, ""));
        if matches!(subject, Subject::Workload(..)) {
            // Most controls are about workloads.
            evaluation.findings.reserve(policies.votes().count() / 2);
        }
        for (control, votes) in policies.votes() {
            let is_component = matches!(control.check, Check::Component(..));
            let above = of_components.as_ref().filter(|_| is_component);
            let is_judged_above = above.is_some_and(|above| !above.votes_on(control.id).is_empty());
            if !is_judged_above && concerns(control, target.kind, &components) {
                let mut finding = self.find(world, subject, control, votes, target, now);
                apply_exceptions(&mut finding, exceptions, policies, now);
                evaluation.findings.push(finding);
            }
        }
        evaluation.gaps.extend(gap);
        evaluation
    }

    /// One control, judged once per distinct set of parameters. The worst verdict is the finding's.
    fn find(
        &mut self,
        world: &Snapshot,
        subject: Subject<'_>,
        control: &'static Control,
        votes: &[Vote],
        target: &ObjectRef,
        now: Timestamp,
    ) -> Finding {
        if let [vote] = votes {
            let judged = judge(&mut self.memo, world, subject, control, &vote.parameters, now);
            return found_by_one(subject, control, vote, Arc::unwrap_or_clone(judged), target);
        }
        let mut groups: Vec<Group<'_>> = Vec::new();
        for vote in votes {
            match groups.iter_mut().find(|group| *group.parameters == vote.parameters) {
                Some(group) => group.votes.push(vote),
                None => groups.push(Group {
                    judged: judge(&mut self.memo, world, subject, control, &vote.parameters, now),
                    parameters: &vote.parameters,
                    votes: vec![vote],
                }),
            }
        }
        // The policies whose own parameters give the worst verdict decide what is done; for equal verdicts the highest vote comes first.
        groups.sort_by_key(|group| std::cmp::Reverse((group.judged.verdict(), group.mode())));
        let worst = groups
            .first()
            .map_or(Verdict::NotApplicable, |group| group.judged.verdict());
        let (agreeing, dissenting): (Vec<&Group<'_>>, Vec<_>) =
            groups.iter().partition(|group| group.judged.verdict() == worst);
        let evidence = absolute(
            subject,
            agreeing.iter().flat_map(|group| group.judged.evidence.iter().cloned()),
        );
        let mut gaps = Vec::new();
        for gap in groups.iter().flat_map(|group| &group.judged.gaps) {
            if !gaps.contains(gap) {
                gaps.push(gap.clone());
            }
        }
        Finding {
            control,
            target: target.clone(),
            verdict: worst,
            evidence,
            gaps,
            not_applicable: agreeing
                .iter()
                .find_map(|group| group.judged.not_applicable.clone())
                .filter(|_| worst == Verdict::NotApplicable),
            mode: agreeing.iter().map(|group| group.mode()).max().unwrap_or_default(),
            policies: votes.iter().map(|vote| vote.policy.clone()).collect(),
            dissent: dissenting
                .iter()
                .flat_map(|group| {
                    group
                        .votes
                        .iter()
                        .map(|vote| (vote.policy.clone(), group.judged.verdict()))
                })
                .collect(),
            excepted_containers: Vec::new(),
            excepted: None,
            hold_repair: None,
            parameters: agreeing
                .first()
                .map(|group| Arc::clone(group.parameters))
                .unwrap_or_default(),
        }
    }
}

/// What one policy asks for, if no other asks for it.
fn found_by_one(
    subject: Subject<'_>,
    control: &'static Control,
    vote: &Vote,
    judged: Judged,
    target: &ObjectRef,
) -> Finding {
    let verdict = judged.verdict();
    Finding {
        control,
        target: target.clone(),
        verdict,
        evidence: absolute(subject, judged.evidence),
        gaps: judged.gaps,
        not_applicable: judged.not_applicable.filter(|_| verdict == Verdict::NotApplicable),
        mode: vote.mode,
        policies: vec![vote.policy.clone()],
        dissent: Vec::new(),
        excepted_containers: Vec::new(),
        excepted: None,
        hold_repair: None,
        parameters: Arc::clone(&vote.parameters),
    }
}

/// Evidence with pointers from the root of the object, each piece once.
fn absolute(subject: Subject<'_>, found: impl IntoIterator<Item = Evidence>) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for found in found {
        let absolute = match subject {
            Subject::Workload(workload, _) => evidence::of_workload(workload, found),
            Subject::Namespace(namespace) => evidence::of_namespace(namespace, found),
            Subject::Object(_) | Subject::Hidden(_) => found,
        };
        if !evidence.contains(&absolute) {
            evidence.push(absolute);
        }
    }
    evidence
}

/// The votes on one control that have the same parameters, and what these give.
struct Group<'a> {
    parameters: &'a Arc<Parameters>,
    votes: Vec<&'a Vote>,
    judged: Arc<Judged>,
}

impl Group<'_> {
    fn mode(&self) -> Mode {
        self.votes.iter().map(|vote| vote.mode).max().unwrap_or_default()
    }
}

/// A failure is excepted when each of its parts is: its containers, and what belongs to no container. HoldRepair of any part holds all of it, because a
/// rollout restarts them all.
fn apply_exceptions(finding: &mut Finding, exceptions: &ExceptionSet, policies: &InNamespace, now: Timestamp) {
    if finding.verdict != Verdict::Fail {
        return;
    }
    let mut parts: Vec<Option<String>> = Vec::new();
    for evidence in &finding.evidence {
        if !parts.contains(&evidence.container) {
            parts.push(evidence.container.clone());
        }
    }
    let mut accepted: Vec<Option<String>> = Vec::new();
    for part in &parts {
        let covering: Vec<_> = exceptions
            .covering(policies, finding.control.id, &finding.target, part.as_deref(), now)
            .collect();
        let first = |effect: Effect| covering.iter().find(|e| e.effect == effect).map(|e| e.id.to_string());
        if finding.hold_repair.is_none() {
            finding.hold_repair = first(Effect::HoldRepair);
        }
        let accept = first(Effect::Accept);
        if let (Some(container), Some(exception)) = (part, &accept) {
            finding.excepted_containers.push((container.clone(), exception.clone()));
        }
        accepted.push(accept);
    }
    if !parts.is_empty() && accepted.iter().all(Option::is_some) {
        finding.excepted = accepted.into_iter().flatten().next();
    }
}
