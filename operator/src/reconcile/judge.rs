//! One object: judged, and planned for where a policy asks for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ironside_engine::controls::{Gap, Responsibility, Verdict};
use ironside_engine::evaluate::{Evaluation, Evaluator, Finding};
use ironside_engine::model::ObjectRef;
use ironside_engine::plan::{Plan, plan};
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
    /// Whether planning panicked. The object then has no plan.
    pub panicked: bool,
}

impl Bench {
    /// Judges an object.
    pub fn judge(&self, evaluator: &mut Evaluator, target: &ObjectRef) -> Judged {
        if !self.world.is_judged(target) {
            return Judged {
                outcome: None,
                panicked: false,
            };
        }
        let evaluated = catch_unwind(AssertUnwindSafe(|| {
            evaluator.evaluate(&self.world, &self.policies, &self.exceptions, target, self.now)
        }));
        let Ok(evaluation) = evaluated else {
            tracing::error!(%target, "judging panicked; this is a bug, the object counts as unknown");
            return Judged {
                outcome: Some(Arc::new(Outcome::hidden(target, panicked_gap()))),
                panicked: true,
            };
        };
        if evaluation.findings.is_empty() && evaluation.gaps.is_empty() {
            return Judged {
                outcome: None,
                panicked: false,
            };
        }
        let mode = mode(&evaluation);
        let limits = self.limits(target);
        let planned = if mode >= Mode::Preview {
            catch_unwind(AssertUnwindSafe(|| self.plan(&evaluation, &limits)))
        } else {
            Ok(None)
        };
        let panicked = planned.is_err();
        if panicked {
            tracing::error!(%target, "planning panicked; this is a bug, the object is left alone");
        }
        Judged {
            outcome: Some(Arc::new(Outcome {
                evaluation,
                mode,
                limits,
                plan: planned.unwrap_or_default(),
            })),
            panicked,
        }
    }

    fn plan(&self, evaluation: &Evaluation, limits: &Limits) -> Option<Plan> {
        plan(&self.world, evaluation, limits, self.now)
    }

    fn limits(&self, target: &ObjectRef) -> Arc<Limits> {
        Arc::new(self.policies.about(&self.world, target).limits())
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
