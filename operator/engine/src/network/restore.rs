//! What is done about an isolated namespace at this moment: isolate, keep, withdraw, or hands off. Pure; what must survive a restart is in [`Memory`], which the
//! operator keeps in the HardeningRemediation of the Namespace.
//!
//! An allow that is gone or altered is put back at once: traffic that is known to be needed is cut meanwhile. The default deny is not: whoever deletes it in an
//! incident wants the network open (`safety.md`, story 47), and for 24 hours gets it. Because allows isolate the pods they select, they are withdrawn then.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

/// How long a human's deletion of the deny is respected.
pub const HOLD: SignedDuration = SignedDuration::from_hours(24);
/// So many foreign changes of our policies within [`HOLD`] end the contest: these objects restart nothing, so it takes more than one.
const REVERTS_ARE_A_FIGHT: usize = 3;
/// Changes within this time are one revert: who deletes all policies with one command deletes them one by one.
const ONE_REVERT: SignedDuration = SignedDuration::from_secs(10);
/// Remembered reverts, as the HardeningRemediation holds them at most.
const MOST_REVERTS: usize = 5;

/// What is remembered of a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Whether Ironside's deny stood the last time it looked. Set once it was seen standing, cleared before Ironside takes it away itself.
    pub closed: bool,
    /// A hold that still runs, or ran.
    pub hold: Option<Hold>,
    /// Changes of our policies by others, oldest first.
    pub reverts: Vec<Revert>,
}

/// Hands off until then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// End.
    pub until: Timestamp,
    /// Reason.
    pub why: HoldReason,
}

/// Why hands are off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// The deny was deleted; by whom the API server does not tell.
    DenyDeleted,
    /// The deny was changed by this field manager.
    DenyAltered(String),
    /// This field manager keeps changing our policies.
    Fight(String),
}

/// A change of one of our policies by somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// Field manager, where one is known.
    pub manager: String,
    /// When it was seen.
    pub time: Timestamp,
}

/// What the cluster says about the deny.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deny {
    /// There is none of ours.
    Absent,
    /// It stands as it should, or as an older version of Ironside made it.
    Stands,
    /// Somebody else wrote into it: the field manager.
    Altered(String),
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing of ours is wanted or there.
    Leave,
    /// The namespace is to be isolated, once that is approved.
    Isolate,
    /// The namespace is isolated: keep our policies what they should be.
    Keep,
    /// Take all of ours away.
    Withdraw,
    /// Hands off; where the deny was deleted, our allows go too.
    Hold(Hold),
}

/// Decides. `wanted`: a policy asks for isolation and nothing speaks against it for good. `any_live`: policies of ours are there.
pub fn decide(memory: &Memory, deny: &Deny, wanted: bool, any_live: bool, now: Timestamp) -> (Memory, Decision) {
    let mut memory = memory.clone();
    memory.hold = memory.hold.filter(|hold| now < hold.until);
    if !wanted {
        memory.closed = false;
        memory.hold = None;
        let decision = if any_live { Decision::Withdraw } else { Decision::Leave };
        return (memory, decision);
    }
    if let Some(hold) = &memory.hold {
        let over = match (&hold.why, deny) {
            // Somebody put back what was ours: the incident is over.
            (HoldReason::DenyDeleted | HoldReason::DenyAltered(_), Deny::Stands) => true,
            (HoldReason::DenyAltered(_) | HoldReason::Fight(_), Deny::Absent) => {
                let hold = Hold {
                    until: now + HOLD,
                    why: HoldReason::DenyDeleted,
                };
                return hold_with(memory, hold);
            }
            _ => false,
        };
        if !over {
            let hold = hold.clone();
            return hold_with(memory, hold);
        }
        memory.hold = None;
    }
    if let Some(manager) = fighter(&memory.reverts, now) {
        let why = HoldReason::Fight(manager);
        return hold_with(memory, Hold { until: now + HOLD, why });
    }
    match deny {
        Deny::Absent if memory.closed => {
            let why = HoldReason::DenyDeleted;
            hold_with(memory, Hold { until: now + HOLD, why })
        }
        Deny::Absent => (memory, Decision::Isolate),
        Deny::Altered(manager) => {
            let why = HoldReason::DenyAltered(manager.clone());
            hold_with(memory, Hold { until: now + HOLD, why })
        }
        Deny::Stands => {
            memory.closed = true;
            (memory, Decision::Keep)
        }
    }
}

/// Notes that somebody else deleted or changed one of our allows.
#[must_use]
pub fn reverted(mut memory: Memory, manager: &str, now: Timestamp) -> Memory {
    let same = |revert: &Revert| revert.manager == manager && now.duration_since(revert.time) < ONE_REVERT;
    if memory.reverts.last().is_some_and(same) {
        return memory;
    }
    memory.reverts.push(Revert {
        manager: manager.to_owned(),
        time: now,
    });
    let surplus = memory.reverts.len().saturating_sub(MOST_REVERTS);
    memory.reverts.drain(..surplus);
    memory
}

/// Once the deny is gone and the hold over, isolating anew takes a new approval: nothing is closed any more.
fn hold_with(mut memory: Memory, hold: Hold) -> (Memory, Decision) {
    if hold.why == HoldReason::DenyDeleted {
        memory.closed = false;
    }
    memory.hold = Some(hold.clone());
    (memory, Decision::Hold(hold))
}

/// Who changed our policies too often, counted from the last such decision.
fn fighter(reverts: &[Revert], now: Timestamp) -> Option<String> {
    let mut recent = reverts.iter().filter(|revert| now.duration_since(revert.time) < HOLD);
    (recent.clone().count() >= REVERTS_ARE_A_FIGHT)
        .then(|| recent.next_back().map(|revert| revert.manager.clone()))
        .flatten()
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DenyDeleted => f.write_str("whoever deleted the default deny; hands off for 24 hours"),
            Self::DenyAltered(manager) => write!(f, "{manager}, who changed the default deny; hands off for 24 hours"),
            Self::Fight(manager) => write!(f, "{manager} keeps changing Ironside's network policies"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours)
    }

    fn closed() -> Memory {
        decide(&Memory::default(), &Deny::Stands, true, true, at(0)).0
    }

    #[test]
    fn story_47_a_deleted_deny_stays_away_for_a_day() {
        let (memory, decision) = decide(&closed(), &Deny::Absent, true, true, at(1));
        let hold = Hold {
            until: at(25),
            why: HoldReason::DenyDeleted,
        };
        assert_eq!(decision, Decision::Hold(hold.clone()));
        let (memory, decision) = decide(&memory, &Deny::Absent, true, false, at(24));
        assert_eq!(decision, Decision::Hold(hold), "the end does not move");
        let (_, decision) = decide(&memory, &Deny::Absent, true, false, at(25));
        assert_eq!(decision, Decision::Isolate, "and then it takes an approval again");
    }

    #[test]
    fn a_deny_that_was_never_there_is_not_a_deleted_one() {
        let (_, decision) = decide(&Memory::default(), &Deny::Absent, true, true, at(0));
        assert_eq!(
            decision,
            Decision::Isolate,
            "a crash between the allows and the deny leaves this"
        );
    }

    #[test]
    fn what_ironside_takes_away_is_not_taken_for_a_human_act() {
        let (memory, decision) = decide(&closed(), &Deny::Stands, false, true, at(1));
        assert_eq!(decision, Decision::Withdraw);
        let (_, decision) = decide(&memory, &Deny::Absent, true, true, at(2));
        assert_eq!(decision, Decision::Isolate, "the policy came back half way");
    }

    #[test]
    fn putting_the_deny_back_ends_the_hold() {
        let (held, _) = decide(&closed(), &Deny::Absent, true, true, at(1));
        let (memory, decision) = decide(&held, &Deny::Stands, true, true, at(2));
        assert_eq!((decision, memory.hold), (Decision::Keep, None));
    }

    #[test]
    fn an_altered_deny_is_left_as_it_is() {
        let altered = Deny::Altered("kubectl-edit".to_owned());
        let (memory, decision) = decide(&closed(), &altered, true, true, at(1));
        assert!(matches!(
            decision,
            Decision::Hold(Hold {
                why: HoldReason::DenyAltered(_),
                ..
            })
        ));
        let (memory, decision) = decide(&memory, &Deny::Absent, true, true, at(2));
        assert!(matches!(
            decision,
            Decision::Hold(Hold {
                why: HoldReason::DenyDeleted,
                ..
            })
        ));
        assert!(!memory.closed);
    }

    #[test]
    fn three_reverts_in_a_day_end_the_contest() {
        let mut memory = closed();
        for hour in [1, 2] {
            memory = reverted(memory, "other-tool", at(hour));
            assert_eq!(decide(&memory, &Deny::Stands, true, true, at(hour)).1, Decision::Keep);
        }
        memory = reverted(memory, "other-tool", at(3));
        let (memory, decision) = decide(&memory, &Deny::Stands, true, true, at(3));
        assert!(matches!(
            decision,
            Decision::Hold(Hold {
                why: HoldReason::Fight(_),
                ..
            })
        ));
        assert_eq!(decide(&memory, &Deny::Stands, true, true, at(28)).1, Decision::Keep);
    }

    #[test]
    fn one_command_is_one_revert() {
        let times = (0..5).map(|second| at(1) + SignedDuration::from_secs(second));
        let memory = times.fold(closed(), |memory, time| reverted(memory, "unknown", time));
        assert_eq!(memory.reverts.len(), 1);
    }

    #[test]
    fn a_deny_that_goes_in_a_fight_takes_the_allows_with_it() {
        let mut memory = closed();
        for hour in [1, 2, 3] {
            memory = reverted(memory, "other-tool", at(hour));
        }
        let (memory, _) = decide(&memory, &Deny::Stands, true, true, at(3));
        let (_, decision) = decide(&memory, &Deny::Absent, true, true, at(4));
        assert!(matches!(
            decision,
            Decision::Hold(Hold {
                why: HoldReason::DenyDeleted,
                ..
            })
        ));
    }

    #[test]
    fn reverts_far_apart_are_no_fight() {
        let memory = [1, 20, 40, 60]
            .into_iter()
            .fold(closed(), |memory, hour| reverted(memory, "kubectl-edit", at(hour)));
        assert_eq!(decide(&memory, &Deny::Stands, true, true, at(60)).1, Decision::Keep);
    }
}
