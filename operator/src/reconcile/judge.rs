//! Objects judged, and planned for where a policy asks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ironside_engine::controls::{Gap, Responsibility, Verdict};
use ironside_engine::evaluate::{Evaluation, Evaluator, Finding};
use ironside_engine::model::ObjectRef;
use ironside_engine::plan::plan;
use ironside_engine::policy::{ExceptionSet, Limits, Mode, PolicySet};
use ironside_engine::world::Snapshot;
use jiff::Timestamp;

use super::Outcome;

/// What objects are judged against.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The cluster.
    pub world: Arc<Snapshot>,
    /// The policies.
    pub policies: Arc<PolicySet>,
    /// The exceptions.
    pub exceptions: Arc<ExceptionSet>,
    /// The moment.
    pub now: Timestamp,
}

/// What came of judging one object.
#[derive(Debug)]
pub struct Judged {
    /// The outcome; `None` when the object is gone, or no policy asks anything of it.
    pub outcome: Option<Arc<Outcome>>,
    /// Whether judging or planning panicked.
    pub panicked: bool,
}

impl Bench {
    /// Judges objects. What the policies say in a namespace is worked out once for all of its objects.
    pub fn judge(&self, evaluator: &mut Evaluator, targets: &BTreeSet<ObjectRef>) -> Vec<(ObjectRef, Judged)> {
        let (present, gone): (Vec<&ObjectRef>, Vec<_>) =
            targets.iter().partition(|target| self.world.is_judged(target));
        let mut limits: BTreeMap<Arc<str>, Arc<Limits>> = BTreeMap::new();
        let mut judged: Vec<(ObjectRef, Judged)> = gone
            .into_iter()
            .map(|target| (target.clone(), Judged::nothing()))
            .collect();
        for evaluation in self.evaluate(evaluator, &present) {
            let target = evaluation
                .as_ref()
                .map_or_else(ObjectRef::clone, |it| it.target.clone());
            let of_target = match evaluation {
                Ok(evaluation) => {
                    let namespace = if target.namespace.is_empty() {
                        &target.name
                    } else {
                        &target.namespace
                    };
                    let limits = limits
                        .entry(Arc::clone(namespace))
                        .or_insert_with(|| Arc::new(self.policies.about(&self.world, &target).limits()));
                    self.conclude(evaluation, limits)
                }
                Err(_) => Judged {
                    outcome: Some(Arc::new(Outcome::hidden(&target, panicked_gap()))),
                    panicked: true,
                },
            };
            judged.push((target, of_target));
        }
        judged
    }

    /// All at once; if that panics, one by one, to find the object that is to blame.
    fn evaluate(&self, evaluator: &mut Evaluator, targets: &[&ObjectRef]) -> Vec<Result<Evaluation, ObjectRef>> {
        let mut evaluate = |targets: &[&ObjectRef]| {
            catch_unwind(AssertUnwindSafe(|| {
                let targets = targets.iter().copied();
                evaluator.evaluate_all(&self.world, &self.policies, &self.exceptions, targets, self.now)
            }))
        };
        if let Ok(evaluations) = evaluate(targets) {
            return evaluations.into_iter().map(Ok).collect();
        }
        let mut evaluations = Vec::with_capacity(targets.len());
        for target in targets {
            if let Ok(evaluation) = evaluate(&[target]) {
                evaluations.extend(evaluation.into_iter().map(Ok));
            } else {
                tracing::error!(%target, "judging panicked; this is a bug, the object counts as unknown");
                evaluations.push(Err((*target).clone()));
            }
        }
        evaluations
    }

    fn conclude(&self, evaluation: Evaluation, limits: &Arc<Limits>) -> Judged {
        if evaluation.findings.is_empty() && evaluation.gaps.is_empty() {
            return Judged::nothing();
        }
        let mode = mode(&evaluation);
        let planned = if mode >= Mode::Preview {
            catch_unwind(AssertUnwindSafe(|| plan(&self.world, &evaluation, limits, self.now)))
        } else {
            Ok(None)
        };
        let panicked = planned.is_err();
        if panicked {
            tracing::error!(target = %evaluation.target, "planning panicked; this is a bug, the object is left alone");
        }
        Judged {
            outcome: Some(Arc::new(Outcome {
                evaluation,
                mode,
                limits: Arc::clone(limits),
                plan: planned.unwrap_or_default(),
            })),
            panicked,
        }
    }
}

impl Judged {
    const fn nothing() -> Self {
        Self {
            outcome: None,
            panicked: false,
        }
    }
}

fn panicked_gap() -> Gap {
    Gap {
        reason: "CheckPanicked",
        message: "judging this object failed inside Ironside; please report it".to_owned(),
        responsibility: Responsibility::SelfManaged,
    }
}

/// The highest vote over what fails.
fn mode(evaluation: &Evaluation) -> Mode {
    evaluation
        .findings
        .iter()
        .filter(|finding| finding.is_failure())
        .map(|finding| finding.mode)
        .max()
        .unwrap_or_default()
}

/// Controls that the object passed before and fails now, with the finding: somebody opened again what was closed.
pub fn drift<'a>(before: &'a Outcome, after: &'a Outcome) -> impl Iterator<Item = &'a Finding> {
    after.failures().filter(|finding| {
        before
            .evaluation
            .findings
            .iter()
            .any(|old| old.control.id == finding.control.id && old.verdict == Verdict::Pass)
    })
}
