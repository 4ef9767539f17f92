//! Whether a rollout proves the repair, disproves it, or needs more time.

use jiff::Timestamp;

use super::signature::Symptom;
use super::{Attempt, Reason, Rollout, Signature};

/// What a look at the rollout says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Not known yet; the time at which it must be looked at again although nothing happens.
    Wait(Reason, Option<Timestamp>),
    /// At least one and all expected pods of the new template have been ready for the soak time. When they became ready.
    Passed(Timestamp),
    /// It breaks the workload.
    Failed(Signature),
}

/// Judges the rollout of an attempt during verification.
pub(super) fn judge(attempt: &Attempt, rollout: &Rollout, now: Timestamp) -> Verdict {
    if let Some(failure) = rollout.failed(now) {
        return Verdict::Failed(failure.clone());
    }
    if !rollout.expects_pods {
        return Verdict::Wait(Reason::NoPodsYet, None);
    }
    if rollout.is_below(now) {
        return Verdict::Failed(unavailable());
    }
    let soon = rollout.fails_at(now);
    if let (true, Some(since)) = (rollout.complete, rollout.ready_since) {
        let passes = super::after(since, attempt.soak);
        if now >= passes {
            return Verdict::Passed(since);
        }
        return Verdict::Wait(Reason::Soaking, earliest([soon, Some(passes)]));
    }
    let Some(deadline) = attempt.deadline else {
        return Verdict::Wait(Reason::Progressing, soon);
    };
    // A rollout that comes forward is never timed out, however late it is.
    let patience = rollout
        .progressed_at
        .map_or(deadline, |at| deadline.max(super::after(at, rollout.pace.step)));
    if now >= patience {
        return Verdict::Failed(rollout.cause_of_delay());
    }
    Verdict::Wait(Reason::Progressing, earliest([soon, Some(patience)]))
}

/// Judges a verified repair during probation: only what went wrong since.
pub(super) fn judge_late(rollout: &Rollout, now: Timestamp) -> Option<Signature> {
    if let Some(failure) = rollout.failed(now) {
        return Some(failure.clone());
    }
    (rollout.expects_pods && rollout.is_below(now)).then(unavailable)
}

fn unavailable() -> Signature {
    Signature::of_rollout(Symptom::Unavailable, "fewer pods are available than before the repair")
}

fn earliest<const N: usize>(times: [Option<Timestamp>; N]) -> Option<Timestamp> {
    times.into_iter().flatten().min()
}
