//! What the executor knows about one target besides the view: the record as stored last, and what became of the last request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ironside_crds::HardeningRemediation;
use ironside_engine::remediate::{Answer, Outcome, Phase, Reason, Record};
use jiff::{SignedDuration, Timestamp};

use super::convert;

/// After a lost swap the watch gets this long to bring what somebody else stored.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Longest pause between repetitions of a request that the API server is too busy for.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(60);

/// One target.
#[derive(Debug, Default)]
pub(crate) struct Entry {
    /// The remediation as stored last: by us, or as the watch brought it.
    pub(crate) stored: Option<Arc<HardeningRemediation>>,
    /// What it says.
    pub(crate) record: Record,
    /// What became of the last request about the target.
    pub(crate) outcome: Option<Outcome>,
    /// UID of the target and the generation that the API server answered to our last write.
    written: Option<(String, i64)>,
    /// A job is running.
    pub(crate) busy: bool,
    /// The job that is running claims the target: it counts as in flight already.
    pub(super) claiming: bool,
    /// When to look again although nothing is seen.
    pub(super) wake: Option<Timestamp>,
    /// Until when the record is looked at as outdated.
    outdated: Option<Instant>,
    /// How often in a row the API server asked for patience.
    patience: i32,
}

impl Entry {
    /// Takes in what the watch brought. `None`: it was deleted.
    pub(crate) fn see(&mut self, seen: Option<&Arc<HardeningRemediation>>) {
        let Some(seen) = seen else {
            // A record that is deleted in mid-flight is written again: the repair must not be forgotten.
            self.stored = None;
            if !self.record.phase.in_flight() {
                self.record = Record::default();
            }
            return;
        };
        self.keep(Arc::clone(seen));
    }

    /// Takes in what was stored, unless something newer is known: answers and the watch overtake each other.
    pub(crate) fn keep(&mut self, stored: Arc<HardeningRemediation>) {
        if self.stored.as_deref().is_some_and(|known| is_older(&stored, known)) {
            return;
        }
        self.record = convert::record(&stored);
        self.stored = Some(stored);
        self.outdated = None;
    }

    /// Somebody else stored something that was not seen yet.
    pub(crate) fn outdate(&mut self) {
        self.outdated = Some(Instant::now() + CATCH_UP);
    }

    /// How long the record is to be looked at as outdated.
    pub(crate) fn outdated_for(&self) -> Option<Duration> {
        let left = self.outdated?.checked_duration_since(Instant::now())?;
        (!left.is_zero()).then_some(left)
    }

    /// Generation that our last write gave the object with this UID. One that was created anew counts from 1 again: held to the old count it would seem unseen
    /// until somebody had changed it as often.
    pub(super) fn written_to(&self, uid: &str) -> Option<i64> {
        let (of, generation) = self.written.as_ref()?;
        (of == uid).then_some(*generation)
    }

    /// Takes in the answer to a request. The pause grows while the API server goes on asking for patience.
    pub(crate) fn answered(&mut self, mut outcome: Outcome, written: Option<(String, i64)>) {
        self.written = written.or(self.written.take());
        if let Answer::Later(at) = &mut outcome.answer {
            let pause = at.duration_since(outcome.at) * 2_i32.pow(self.patience.clamp(0, 8).unsigned_abs());
            *at = outcome
                .at
                .checked_add(pause.min(LONGEST_PAUSE))
                .unwrap_or(Timestamp::MAX);
            self.patience += 1;
        } else {
            self.patience = 0;
        }
        self.outcome = Some(outcome);
    }

    /// Whether a rollout of ours is under way that is not verified yet.
    pub(crate) fn in_flight(&self) -> bool {
        is_in_flight(&self.record) || self.claiming
    }
}

/// Whether a change of ours is under way that is not verified yet.
pub(crate) fn is_in_flight(record: &Record) -> bool {
    match record.phase {
        Phase::Applying | Phase::RollingBack | Phase::Reverting => true,
        Phase::Verifying => record.reason != Reason::NoPodsYet,
        _ => false,
    }
}

/// Resource versions of objects of one kind can be compared as numbers (Kubernetes API concepts, since 1.35; true of etcd always).
fn is_older(one: &HardeningRemediation, other: &HardeningRemediation) -> bool {
    let version = |of: &HardeningRemediation| of.metadata.resource_version.as_deref()?.parse::<u64>().ok();
    let same_object = one.metadata.uid == other.metadata.uid;
    same_object && matches!((version(one), version(other)), (Some(one), Some(other)) if one < other)
}

#[cfg(test)]
mod tests {
    use ironside_crds::{RemediationStatus, remediation};
    use ironside_engine::remediate::Sent;

    use super::*;

    fn stored(version: &str, phase: remediation::Phase) -> Arc<HardeningRemediation> {
        let mut remediation = HardeningRemediation::default();
        remediation.metadata.resource_version = Some(version.to_owned());
        remediation.metadata.uid = Some("u".to_owned());
        remediation.status = Some(RemediationStatus {
            phase: Some(phase),
            ..RemediationStatus::default()
        });
        Arc::new(remediation)
    }

    #[test]
    fn the_watch_does_not_bring_back_what_we_have_overwritten() {
        let mut entry = Entry::default();
        entry.keep(stored("12", remediation::Phase::Applying));
        entry.see(Some(&stored("9", remediation::Phase::Pending)));
        assert_eq!(entry.record.phase, Phase::Applying);
        entry.see(Some(&stored("13", remediation::Phase::Verifying)));
        assert_eq!(entry.record.phase, Phase::Verifying);
    }

    #[test]
    fn a_record_deleted_in_flight_is_not_forgotten() {
        let mut entry = Entry::default();
        entry.keep(stored("1", remediation::Phase::Verifying));
        entry.see(None);
        assert_eq!(entry.record.phase, Phase::Verifying);
        let mut idle = Entry::default();
        idle.keep(stored("1", remediation::Phase::Succeeded));
        idle.see(None);
        assert_eq!(idle.record, Record::default());
    }

    #[test]
    fn an_object_created_anew_is_not_held_to_the_generation_of_the_old_one() {
        let mut entry = Entry::default();
        let outcome = Outcome {
            sent: Sent::Undo,
            generation: 1,
            at: Timestamp::UNIX_EPOCH,
            answer: Answer::Done,
        };
        entry.answered(outcome.clone(), Some(("old".to_owned(), 6)));
        entry.answered(outcome, None);
        assert_eq!(entry.written_to("old"), Some(6));
        assert_eq!(entry.written_to("new"), None);
    }

    #[test]
    fn patience_grows() {
        let mut entry = Entry::default();
        let at = Timestamp::UNIX_EPOCH;
        let busy = || Outcome {
            sent: Sent::Undo,
            generation: 1,
            at,
            answer: Answer::Later(at + SignedDuration::from_secs(3)),
        };
        let pauses: Vec<i64> = (0..8)
            .map(|_| {
                entry.answered(busy(), None);
                match entry.outcome.as_ref().unwrap().answer {
                    Answer::Later(until) => until.as_second(),
                    _ => 0,
                }
            })
            .collect();
        assert_eq!(pauses, [3, 6, 12, 24, 48, 60, 60, 60]);
    }
}
