//! Where the isolation of a namespace stands, and whether it may go on. Pure: everything that it depends on is an argument.

use ironside_crds::remediation::{Decision as Stated, DecisionAction};
use ironside_crds::{Phase, RemediationStatus};
use ironside_engine::network::{Decision, NetworkPlan, Start};
use ironside_engine::plan::{Disposition, Held};
use ironside_engine::policy::Limits;
use jiff::{SignedDuration, Timestamp};

use super::record::{enter, hold_reason};

/// What decides beside the plan.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// What people decided.
    pub(super) stated: Option<&'a Stated>,
    /// Generation of the object that carries the decision.
    pub(super) generation: i64,
    /// Bounds of repairs here.
    pub(super) limits: &'a Limits,
    /// Whether something is paused.
    pub(super) paused: bool,
    /// Why repairs under the policies have stopped, if they have.
    pub(super) stopped: Option<&'a str>,
    /// Whether approvals by people are guarded by admission.
    pub(super) guarded: bool,
    /// Since when the plan is what it is.
    pub(super) settled_since: Timestamp,
    /// The moment.
    pub(super) now: Timestamp,
}

/// What follows.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Next {
    /// The status as it should be; `None` if nothing is worth a record.
    pub(super) status: Option<RemediationStatus>,
    /// Whether the steps of the plan are taken now. The status is written before, except for a restored allow, which is urgent and needs no record.
    pub(super) act: bool,
    /// When to look again, if nothing happens.
    pub(super) wake: Option<Timestamp>,
}

/// Moves on from `before`, the status as last written.
pub(super) fn next(before: &RemediationStatus, plan: &NetworkPlan, at: &Circumstances<'_>) -> Next {
    let stay = |wake| Next {
        status: Some(before.clone()).filter(|status| status.phase.is_some()),
        act: false,
        wake,
    };
    match &plan.decision {
        Decision::Leave => leave(before, plan, at),
        Decision::Isolate => isolate(before, plan, at),
        Decision::Keep => keep(before, plan, at),
        Decision::Withdraw if at.paused => stay(None),
        Decision::Withdraw => {
            let reason = if is_reverted(at) {
                "RevertRequested"
            } else {
                "PolicyGone"
            };
            let message = "taking the default deny away, then the allows";
            moved(before, plan, (Phase::Reverting, reason, message), at, true, None)
        }
        Decision::Hold(hold) => {
            let act = !at.paused && plan.start == Start::AtOnce && !plan.steps.is_empty();
            let message = held_message(plan);
            let to = (Phase::Held, hold_reason(&hold.why), message.as_str());
            moved(before, plan, to, at, act, Some(hold.until))
        }
    }
}

fn leave(before: &RemediationStatus, plan: &NetworkPlan, at: &Circumstances<'_>) -> Next {
    let settled = matches!(
        before.phase,
        None | Some(Phase::Closed | Phase::Reverted | Phase::Verifying | Phase::Probation | Phase::Succeeded)
    );
    // A closed namespace that is left alone is suspended or going away: its record stays.
    if settled {
        return Next {
            status: Some(before.clone()).filter(|status| status.phase.is_some()),
            act: false,
            wake: None,
        };
    }
    let to = if is_reverted(at) {
        (Phase::Reverted, "RevertRequested", "the policies are gone")
    } else {
        (Phase::Closed, "PolicyGone", "nothing asks for isolation any more")
    };
    moved(before, plan, to, at, false, None)
}

fn isolate(before: &RemediationStatus, plan: &NetworkPlan, at: &Circumstances<'_>) -> Next {
    let wait =
        |reason: &str, message: &str, wake| moved(before, plan, (Phase::Pending, reason, message), at, false, wake);
    if plan.preview {
        return wait("Preview", "the policy's mode is Preview", None);
    }
    if let Disposition::Held(held) = &plan.disposition {
        let reason = held.first().map_or("Unclear", Held::reason);
        return moved(
            before,
            plan,
            (Phase::Held, reason, &held_message(plan)),
            at,
            false,
            None,
        );
    }
    // What was begun is finished, with whatever the plan has become: half of the policies isolate what the other half keeps open.
    if before.phase == Some(Phase::Applying) {
        return moved(
            before,
            plan,
            (Phase::Applying, "Claimed", "applying the policies"),
            at,
            true,
            None,
        );
    }
    let stated = at.stated.map(|stated| stated.action);
    if stated == Some(DecisionAction::Hold) {
        let message = at
            .stated
            .map_or(String::new(), |stated| format!("{}: {}", stated.by, stated.reason));
        return moved(before, plan, (Phase::Held, "HeldByHuman", &message), at, false, None);
    }
    if let Some(why) = at.stopped {
        return moved(before, plan, (Phase::Held, "Stopped", why), at, false, None);
    }
    if at.paused {
        return wait("Paused", "repairs are paused here", None);
    }
    if !at.limits.windows.is_open(at.now) {
        return wait(
            "OutsideWindow",
            "no window is open",
            at.limits.windows.next_opening(at.now),
        );
    }
    let settled = settled_at(at);
    if at.now < settled {
        return wait("Settling", "what the plan rests on changed not long ago", Some(settled));
    }
    let Some(by) = approval(before, plan, at) else {
        return wait("AwaitingApproval", "a human must approve the plan", None);
    };
    let to = (Phase::Applying, "Claimed", "applying the policies");
    let by = match by {
        Approval::Human(name) => Some(name),
        Approval::Policy => None,
    };
    Next {
        status: Some(enter(before, plan, to, by, at.generation, at.now)),
        act: true,
        wake: None,
    }
}

/// Who lets a plan start.
enum Approval<'a> {
    /// The policy's `autoApprove`.
    Policy,
    /// A human.
    Human(&'a str),
}

/// Who approved, if anybody did. An approval is used up by what it started: after somebody took the deny away it takes another one.
fn approval<'a>(before: &RemediationStatus, plan: &NetworkPlan, at: &Circumstances<'a>) -> Option<Approval<'a>> {
    if at.limits.auto_approve.covers(plan.risk) {
        return Some(Approval::Policy);
    }
    let stated = at
        .stated
        .filter(|stated| at.guarded && stated.action == DecisionAction::Approve)?;
    let approved = stated.plan.as_deref().filter(|prefix| prefix.len() >= 12)?;
    let is_new = before.observed_generation.is_none_or(|seen| seen < at.generation);
    let used = before.history.iter().any(|entry| {
        entry.phase == Phase::Applying
            && entry.by.as_ref() == Some(&stated.by)
            && entry.plan.as_ref() == Some(&plan.hash.0)
    });
    (plan.hash.0.starts_with(approved) && (is_new || !used)).then_some(Approval::Human(&stated.by))
}

fn keep(before: &RemediationStatus, plan: &NetworkPlan, at: &Circumstances<'_>) -> Next {
    let settled = settled_at(at);
    let urgent = plan.start == Start::AtOnce;
    let act = !at.paused && !plan.steps.is_empty() && (urgent || at.now >= settled);
    let later = (!plan.steps.is_empty() && !act && !at.paused).then_some(settled);
    let soaked = before
        .history
        .iter()
        .rev()
        .find(|entry| entry.phase == Phase::Verifying)
        .map(|entry| after(entry.time.timestamp(), at.limits.soak));
    let (to, wake) = match (before.phase, soaked) {
        (Some(Phase::Succeeded), _) => ((Phase::Succeeded, "Verified", KEPT), later),
        (Some(Phase::Verifying), Some(soaked)) if at.now >= soaked => ((Phase::Succeeded, "Verified", KEPT), later),
        (Some(Phase::Verifying), soaked) => ((Phase::Verifying, "Soaking", SOAKING), earliest(later, soaked)),
        _ => {
            let soaked = after(at.now, at.limits.soak);
            ((Phase::Verifying, "Soaking", SOAKING), earliest(later, Some(soaked)))
        }
    };
    moved(before, plan, to, at, act, wake)
}

const KEPT: &str = "ingress is denied by default, and what is known to be needed is allowed";
const SOAKING: &str = "the policies stand; workloads are watched for the soak time";

fn moved(
    before: &RemediationStatus,
    plan: &NetworkPlan,
    to: (Phase, &str, &str),
    at: &Circumstances<'_>,
    act: bool,
    wake: Option<Timestamp>,
) -> Next {
    Next {
        status: Some(enter(before, plan, to, None, at.generation, at.now)),
        act,
        wake,
    }
}

fn is_reverted(at: &Circumstances<'_>) -> bool {
    at.stated.is_some_and(|stated| stated.action == DecisionAction::Revert)
}

fn held_message(plan: &NetworkPlan) -> String {
    match &plan.disposition {
        Disposition::Held(held) => held.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        _ => String::new(),
    }
}

fn settled_at(at: &Circumstances<'_>) -> Timestamp {
    after(at.settled_since, at.limits.settle)
}

fn after(time: Timestamp, span: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(span)
        .ok()
        .and_then(|span| time.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

fn earliest(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}

#[cfg(test)]
mod tests {
    use ironside_crds::remediation::DecisionAction;
    use ironside_engine::model::Kind;
    use ironside_engine::network::{Memory, Settings, plan_namespace};
    use ironside_engine::policy::{AutoApprove, PolicyId};
    use ironside_engine::world::{Object, Snapshot};
    use serde_json::{Value, json};

    use super::super::record::memory;
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    /// A namespace with one Deployment, and policies of ours where `closed`.
    fn plan(closed: bool, remembered: &Memory) -> NetworkPlan {
        let settings = Settings {
            policies: vec![PolicyId::namespaced("shop", "team")],
            enforce: true,
            ..Settings::default()
        };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "uid": "u"}});
        let workload = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web"}}}},
        });
        let mut objects = vec![namespace, workload];
        let of = |objects: &[Value]| {
            let decoded = objects.iter().map(|object| {
                let text = |field: &str| object[field].as_str().unwrap();
                let kind = Kind::from_manifest(text("apiVersion"), text("kind")).unwrap();
                Object::decode(kind, object.clone()).unwrap()
            });
            plan_namespace(&Snapshot::of(decoded), "shop", &settings, remembered, now()).unwrap()
        };
        if closed {
            let open = of(&objects);
            objects.extend(open.wanted.iter().map(|policy| {
                let mut stored = policy.object.clone();
                stored["metadata"]["managedFields"] =
                    json!([{"manager": "ironside/owned", "operation": "Apply", "fieldsV1": {}}]);
                stored
            }));
        }
        of(&objects)
    }

    fn at<'a>(limits: &'a Limits, stated: Option<&'a Stated>) -> Circumstances<'a> {
        Circumstances {
            stated,
            generation: 2,
            limits,
            paused: false,
            stopped: None,
            guarded: true,
            settled_since: now() - SignedDuration::from_hours(1),
            now: now(),
        }
    }

    fn stands(next: &Next) -> (Phase, &str) {
        let status = next.status.as_ref().unwrap();
        (status.phase.unwrap(), status.reason.as_str())
    }

    fn approve(plan: &NetworkPlan) -> Stated {
        Stated {
            action: DecisionAction::Approve,
            plan: Some(plan.hash.short().to_owned()),
            by: "alice".to_owned(),
            reason: String::new(),
        }
    }

    fn automatic() -> Limits {
        Limits {
            auto_approve: AutoApprove::Medium,
            ..Limits::default()
        }
    }

    #[test]
    fn a_plan_waits_for_what_is_missing() {
        let plan = plan(false, &Memory::default());
        let none = RemediationStatus::default();
        let by_hand = Limits::default();
        let waiting = next(&none, &plan, &at(&by_hand, None));
        assert_eq!(
            (stands(&waiting), waiting.act),
            ((Phase::Pending, "AwaitingApproval"), false)
        );
        let limits = automatic();
        let fresh = Circumstances {
            settled_since: now(),
            ..at(&limits, None)
        };
        let settling = next(&none, &plan, &fresh);
        assert_eq!(stands(&settling), (Phase::Pending, "Settling"));
        assert_eq!(settling.wake, Some(after(now(), limits.settle)));
        let paused = Circumstances {
            paused: true,
            ..at(&limits, None)
        };
        assert_eq!(stands(&next(&none, &plan, &paused)), (Phase::Pending, "Paused"));
        let going = next(&none, &plan, &at(&limits, None));
        assert_eq!((stands(&going), going.act), ((Phase::Applying, "Claimed"), true));
    }

    #[test]
    fn an_approval_counts_once_and_only_where_admission_guards_it() {
        let plan = plan(false, &Memory::default());
        let limits = Limits::default();
        let stated = approve(&plan);
        let unguarded = Circumstances {
            guarded: false,
            ..at(&limits, Some(&stated))
        };
        let none = RemediationStatus::default();
        assert_eq!(
            stands(&next(&none, &plan, &unguarded)),
            (Phase::Pending, "AwaitingApproval")
        );
        let going = next(&none, &plan, &at(&limits, Some(&stated)));
        assert!(going.act);
        let mut later = going.status.unwrap();
        assert_eq!(later.history.last().unwrap().by.as_deref(), Some("alice"));
        later.phase = Some(Phase::Pending);
        assert!(!next(&later, &plan, &at(&limits, Some(&stated))).act, "it is used up");
    }

    #[test]
    fn what_was_begun_is_finished() {
        let plan = plan(false, &Memory::default());
        let limits = Limits::default();
        let begun = RemediationStatus {
            phase: Some(Phase::Applying),
            reason: "Claimed".to_owned(),
            ..RemediationStatus::default()
        };
        assert!(next(&begun, &plan, &at(&limits, None)).act, "without another approval");
    }

    #[test]
    fn policies_that_stand_are_watched_then_kept() {
        let plan = plan(true, &Memory::default());
        assert_eq!(plan.decision, Decision::Keep);
        let limits = automatic();
        let watched = next(&RemediationStatus::default(), &plan, &at(&limits, None));
        assert_eq!(stands(&watched), (Phase::Verifying, "Soaking"));
        let status = watched.status.unwrap();
        assert!(memory(&status).closed);
        let later = Circumstances {
            now: after(now(), limits.soak),
            ..at(&limits, None)
        };
        assert_eq!(stands(&next(&status, &plan, &later)), (Phase::Succeeded, "Verified"));
    }

    #[test]
    fn a_hold_survives_in_the_status() {
        let closed = Memory {
            closed: true,
            ..Memory::default()
        };
        let plan = plan(false, &closed);
        let limits = automatic();
        let held = next(&RemediationStatus::default(), &plan, &at(&limits, None));
        assert_eq!(stands(&held), (Phase::Held, "DenyDeleted"));
        assert_eq!(memory(held.status.as_ref().unwrap()), plan.memory);
    }
}
