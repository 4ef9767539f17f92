//! Which control broke a target: what stays in quarantine, and how each Retry narrows the suspicion.
//!
//! A repair is one patch for all controls (`safety.md`, story 4), so a failure whose signature names no control leaves all of them suspected. To try the same
//! patch on the same template once more would break it once more. A Retry therefore bisects: it tries half of the newest group, and the rest stays
//! quarantined. What goes well is done; what remains in the end is one control that was tried alone. It goes one step a Retry, since each may cost a rollback.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use super::{Failure, MEMORY, Memory, Record, Rollout, Symptom, after, elapsed};
use crate::controls::ControlId;
use crate::plan::Plan;

/// After so long changed evidence lifts a quarantine, at most once.
const QUARANTINE: Duration = Duration::from_hours(7 * 24);

/// Longest text for the images of a failure.
const LONGEST_DIGEST: usize = 256;

/// Controls of the plan that broke the target before, and until when that counts. One that failed once is tried again after a week if its images are others
/// by now.
pub fn quarantine(
    record: &Record,
    plan: &Plan,
    rollout: &Rollout,
    now: Timestamp,
) -> (BTreeSet<ControlId>, Option<Timestamp>) {
    let images = digest(&rollout.images);
    let mut lifts = None;
    let counts = |control: &ControlId| {
        let mut failures = blaming(&record.memory).filter(|failure| failure.controls.contains(control.as_str()));
        let Some(first) = failures.next() else {
            return false;
        };
        let other_images = first.image_digest.is_some() && images.is_some() && first.image_digest != images;
        let once = failures.next().is_none();
        if once && other_images {
            lifts = lifts.max(Some(after(first.time, QUARANTINE)));
            return !elapsed(first.time, QUARANTINE, now);
        }
        lifts = lifts.max(Some(after(first.time, MEMORY)));
        true
    };
    (plan.controls.iter().copied().filter(counts).collect(), lifts)
}

/// One text for the images of all containers.
pub(super) fn digest(images: &[String]) -> Option<String> {
    let joined: String = images.join(",").chars().take(LONGEST_DIGEST).collect();
    (!joined.is_empty()).then_some(joined)
}

/// A human's Retry. Everything is tried again where somebody changed the target since the last attempt (they may have mended it); else what [`released`] says.
pub(super) fn retry(memory: &mut Memory, as_left: bool) {
    let released = if as_left { released(memory) } else { None };
    let Some(released) = released else {
        memory.failures.clear();
        return;
    };
    memory.failures.retain_mut(|failure| {
        failure.controls.retain(|control| !released.contains(control));
        !failure.controls.is_empty() && blames(failure)
    });
}

/// The sentence that says what a Retry would do.
pub(super) fn offer(memory: &Memory, as_left: bool) -> String {
    match released(memory).filter(|_| as_left) {
        None => "Retry tries again".to_owned(),
        Some(controls) => {
            let controls: Vec<&str> = controls.iter().map(String::as_str).collect();
            format!("Retry tries {} without the others", controls.join(", "))
        }
    }
}

/// What the next Retry tries: half of the group that was suspected last; where every suspect stands alone, the one that has waited longest. `None` where that is
/// all there is.
fn released(memory: &Memory) -> Option<BTreeSet<String>> {
    let all: BTreeSet<&String> = blaming(memory).flat_map(|failure| &failure.controls).collect();
    if all.len() < 2 {
        return None;
    }
    let group = blaming(memory).filter(|failure| failure.controls.len() > 1).last();
    let group = group.or_else(|| blaming(memory).next())?;
    let half = (group.controls.len() / 2).max(1);
    Some(group.controls.iter().take(half).cloned().collect())
}

fn blaming(memory: &Memory) -> impl Iterator<Item = &Failure> {
    memory.failures.iter().filter(|failure| blames(failure))
}

/// Whether it was the repair, and not the environment.
fn blames(failure: &Failure) -> bool {
    Symptom::parse(&failure.reason).is_none_or(|symptom| !symptom.is_environmental())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries, retries, and what is still in quarantine when every Retry changes nothing any more.
    #[derive(Debug, Default)]
    struct Course {
        memory: Memory,
        todo: BTreeSet<String>,
        broken: usize,
        alone: BTreeSet<String>,
    }

    impl Course {
        /// One repair of everything that is left and not quarantined, by an operator that cannot tell who is to blame.
        fn attempt(&mut self, culprits: &BTreeSet<String>) {
            let suspected: BTreeSet<String> = blaming(&self.memory)
                .flat_map(|failure| failure.controls.clone())
                .collect();
            let tried: BTreeSet<String> = self.todo.difference(&suspected).cloned().collect();
            if tried.is_disjoint(culprits) {
                self.todo.retain(|control| !tried.contains(control));
                return;
            }
            self.broken += 1;
            if tried.len() == 1 {
                self.alone.extend(tried.clone());
            }
            self.memory.failures.push(Failure {
                controls: tried,
                image_digest: None,
                reason: Symptom::CrashLoopBackOff.reason().to_owned(),
                time: Timestamp::UNIX_EPOCH,
            });
        }
    }

    fn names(count: usize) -> Vec<String> {
        (1..=count).map(|n| format!("POD-{n:03}")).collect()
    }

    #[test]
    fn retries_find_who_is_to_blame_and_do_the_rest() {
        for count in 1..=9 {
            let all = names(count);
            for mask in 1_u32..1 << count {
                let culprits: BTreeSet<String> = all
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| mask & (1 << i) != 0)
                    .map(|(_, name)| name.clone())
                    .collect();
                let mut course = Course {
                    todo: all.iter().cloned().collect(),
                    ..Course::default()
                };
                course.attempt(&culprits);
                let mut retries = 0;
                while course.todo != culprits || course.alone != culprits {
                    retry(&mut course.memory, true);
                    course.attempt(&culprits);
                    retries += 1;
                    assert!(retries <= 4 * count, "{culprits:?} of {count}: {course:?}");
                }
                if culprits.len() == 1 {
                    let halvings = count.next_power_of_two().ilog2() as usize;
                    assert!(
                        course.broken <= halvings + 2,
                        "{culprits:?} of {count}: broke {} times",
                        course.broken
                    );
                }
            }
        }
    }

    #[test]
    fn whoever_changed_the_target_gets_the_whole_again() {
        let culprits = BTreeSet::from(["POD-002".to_owned()]);
        let mut course = Course {
            todo: names(3).into_iter().collect(),
            ..Course::default()
        };
        course.attempt(&culprits);
        assert_eq!(offer(&course.memory, true), "Retry tries POD-001 without the others");
        assert_eq!(offer(&course.memory, false), "Retry tries again");
        retry(&mut course.memory, false);
        assert!(course.memory.is_empty());
    }

    #[test]
    fn what_the_environment_broke_is_forgotten_and_is_no_group() {
        let mut memory = Memory::default();
        memory.failures.push(Failure {
            controls: names(4).into_iter().collect(),
            image_digest: None,
            reason: Symptom::Unschedulable.reason().to_owned(),
            time: Timestamp::UNIX_EPOCH,
        });
        assert_eq!(offer(&memory, true), "Retry tries again");
        retry(&mut memory, true);
        assert!(memory.is_empty());
    }
}
