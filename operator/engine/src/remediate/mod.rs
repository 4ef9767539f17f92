//! The remediation state machine: a pure `step(record, observed, now) -> (record, effects)` for each repair target.
//!
//! ```text
//!            +--------------------------------------- Held <------------------ fight, quarantine, refusal, human, ...
//!            v                                          ^
//! New -> Pending --claim--> Applying --patch--> Verifying --soak--> Probation --time--> Succeeded --drift--> Pending
//!                              |                    |                  |                    |
//!                              +-> Pending          +--> RollingBack <-+                    +--> Reverting -> Reverted
//!                                                          |
//!                                                          +--> (RolledBack) -> Held        Closed: nothing left to do
//! ```
//!
//! A step never trusts the phase alone: it reads from the target what was done (the record in our annotation, the template's hash) and so
//! recovers after a crash at any point. It persists before it acts, and every request carries tests for what it was decided on; two leaders, lost answers and
//! stale views can delay a repair and cannot do it twice.
//!
//! This module knows no client, no custom resource and no clock. The operator's `apply` carries its effects out.

mod deadline;
mod effect;
mod fate;
mod gates;
mod health;
mod observe;
mod reason;
mod record;
mod release;
mod rollout;
mod room;
mod shortage;
mod signature;
mod step;
mod suspects;
#[cfg(test)]
mod tests;
mod verify;

pub use deadline::Pace;
pub use effect::{Answer, Count, CountedOutcome, Effect, Event, EventKind, Outcome, PodId, Sent, Step};
pub use fate::Fate;
pub use gates::{InFlight, Shut, Surroundings, first_shut, first_shut_of_network};
pub use health::{Failing, Health, MOST_SHORT};
pub use observe::{FIELD_MANAGER, HANDS_OFF, Isolation, Live, NOBODY_NAMED, Observed, Target};
pub use reason::Reason;
pub use record::{
    Action, Attempt, Baseline, Decision, FAILURES, Failure, HISTORY, MEMORY, Memory, Phase, REVERTS, Record, Revert,
    Transition,
};
pub use rollout::Rollout;
pub use signature::{Signature, Symptom};
pub use step::{network_memory, step, takes_away};
pub use suspects::quarantine;
pub use verify::Verdict;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// `span` after `time`; the end of time where that is later.
fn after(time: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| time.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

/// Whether `span` has passed since `time`.
fn elapsed(time: Timestamp, span: Duration, now: Timestamp) -> bool {
    now >= after(time, span)
}
