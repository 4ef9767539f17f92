//! Rows of the table of transitions up to the start of a repair: what it waits for, who or what holds it.

use serde_json::json;

use super::super::{
    Action, Answer, Effect, EventKind, HANDS_OFF, Observed, Outcome, Phase, Reason, Record, Sent, Shut, Target, step,
};
use super::cluster::{Image, plan_for};
use super::scene::{Scene, events};
use crate::model::{Kind, ObjectRef};
use crate::policy::{AutoApprove, Mode};

#[test]
fn a_good_repair_goes_through_every_phase_in_five_writes_and_one_event() {
    let mut scene = Scene::started(Image::Works);
    assert_eq!(scene.stands(), (Phase::Verifying, Reason::Progressing));
    let effects = scene.watch(900);
    assert_eq!(scene.stands(), (Phase::Probation, Reason::Watching));
    assert_eq!(events(&effects), [EventKind::Verified]);
    scene.skip_hours(200);
    assert_eq!(scene.stands(), (Phase::Succeeded, Reason::Verified));
    assert!(scene.cluster.is_hardened());
    assert_eq!((scene.log.hardened, scene.log.undone), (1, 0));
    // Applying, Verifying, Probation, Succeeded: with the lock, the dry run, the patch and one event that makes eight requests.
    assert_eq!(scene.store.writes, 4);
    let history: Vec<Phase> = scene.record().history.iter().map(|entry| entry.phase).collect();
    assert_eq!(
        history,
        [Phase::Applying, Phase::Verifying, Phase::Probation, Phase::Succeeded]
    );
}

#[test]
fn without_finding_or_policy_nothing_is_written() {
    let mut scene = Scene::new(Image::Works);
    scene.process.mode = Mode::Audit;
    scene.skip_hours(1);
    assert_eq!(scene.store.writes, 0);
}

#[test]
fn preview_never_leaves_pending() {
    let mut scene = Scene::new(Image::Works);
    scene.process.mode = Mode::Preview;
    scene.skip_hours(100);
    assert_eq!(scene.stands(), (Phase::Pending, Reason::Preview));
    assert_eq!(scene.store.writes, 1);
    scene.process.mode = Mode::Audit;
    scene.settle();
    assert_eq!(scene.stands(), (Phase::Closed, Reason::PolicyGone));
}

#[test]
fn a_young_target_settles_first() {
    let mut scene = Scene::new(Image::Works);
    scene.settle();
    assert_eq!(scene.stands(), (Phase::Pending, Reason::Settling));
    scene.watch(300);
    assert_eq!(scene.stands(), (Phase::Pending, Reason::Settling));
    scene.watch(600);
    assert_eq!(scene.stands().0, Phase::Verifying);
}

#[test]
fn an_approval_is_for_exactly_one_plan_and_dies_with_it() {
    let mut scene = Scene::new(Image::Works);
    scene.process.limits.auto_approve = AutoApprove::None;
    scene.skip_hours(1);
    assert_eq!(scene.stands(), (Phase::Pending, Reason::AwaitingApproval));
    let hash = scene.record().plan.clone().unwrap();

    scene.decide(Action::Approve, Some(&hash.0[..11]));
    scene.settle();
    assert_eq!(
        scene.stands(),
        (Phase::Pending, Reason::AwaitingApproval),
        "eleven characters are too few"
    );

    scene.decide(Action::Approve, Some(hash.short()));
    scene.cluster.foreign("argo-like", |object| *object.pointer_mut("/spec/template/spec/containers/0").unwrap() =
        json!({"name": "web", "image": "web:2", "securityContext": {"allowPrivilegeEscalation": true},
            "readinessProbe": {"periodSeconds": 1}}));
    scene.skip_hours(1);
    assert_eq!(
        scene.stands(),
        (Phase::Pending, Reason::AwaitingApproval),
        "another plan by now"
    );
    assert!(
        scene.record().message.contains("another one"),
        "{}",
        scene.record().message
    );

    let hash = scene.record().plan.clone().unwrap();
    scene.decide(Action::Approve, Some(hash.short()));
    scene.process.guarded = false;
    scene.settle();
    assert!(
        scene.record().message.contains("ApprovalGuarded"),
        "{}",
        scene.record().message
    );

    scene.process.guarded = true;
    scene.settle();
    assert_eq!(scene.stands().0, Phase::Verifying);
    let by: Vec<_> = scene
        .record()
        .history
        .iter()
        .filter_map(|entry| entry.by.as_deref())
        .collect();
    assert!(!by.is_empty() && by.iter().all(|by| *by == "alice@example.com"));
}

#[test]
fn a_shut_gate_keeps_it_from_starting_and_not_from_finishing() {
    let mut scene = Scene::new(Image::CrashesLater(60));
    scene.process.shut = Some(Shut {
        reason: Reason::OutsideWindow,
        message: "no maintenance window is open".to_owned(),
        opens: None,
        since: None,
    });
    scene.skip_hours(1);
    assert_eq!(scene.stands(), (Phase::Pending, Reason::OutsideWindow));
    let shut = scene.process.shut.take();
    scene.settle();
    assert_eq!(scene.stands().0, Phase::Verifying);
    scene.process.shut = shut;
    scene.process.mode = Mode::Disabled;
    scene.watch(300);
    assert!(
        !scene.cluster.is_hardened(),
        "rolled back although the policy is gone and the gate shut"
    );
    assert_eq!(scene.cluster.available(), 3);
}

#[test]
fn a_short_wait_is_not_written_down() {
    let mut scene = Scene::new(Image::Works);
    let soon = scene.cluster.now + jiff::SignedDuration::from_secs(5);
    scene.process.shut = Some(Shut {
        reason: Reason::Settling,
        message: "it changed a short time ago".to_owned(),
        opens: Some(soon),
        since: None,
    });
    scene.watch(2);
    assert_eq!(scene.stands().0, Phase::New, "nobody would read it");
    scene.process.shut.as_mut().unwrap().opens = Some(soon + jiff::SignedDuration::from_hours(1));
    scene.watch(10);
    assert_eq!(scene.stands(), (Phase::Pending, Reason::Settling));
}

#[test]
fn stop_after_holds() {
    let mut scene = Scene::new(Image::Works);
    scene.process.shut = Some(Shut {
        reason: Reason::Stopped,
        message: "repairs have stopped".to_owned(),
        opens: None,
        since: None,
    });
    scene.skip_hours(1);
    assert_eq!(scene.stands(), (Phase::Held, Reason::Stopped));
    scene.process.shut = None;
    scene.settle();
    assert_eq!(scene.stands().0, Phase::Verifying);
}

#[test]
fn a_follower_does_nothing() {
    let mut scene = Scene::new(Image::Works);
    scene.process.leader = None;
    scene.skip_hours(1);
    assert_eq!(scene.store.writes, 0);
    assert_eq!(scene.log.hardened, 0);
}

#[test]
fn story_05_what_the_server_would_change_is_held() {
    // Held(Mutated) and Held(Denied) stay for this very plan and end with another one.
    let mut scene = Scene::new(Image::Works);
    scene.cluster.skip_hours(1);
    for (answer, reason) in [
        (Answer::Differs("/spec/x".to_owned()), Reason::Mutated),
        (Answer::Refused("by policy".to_owned()), Reason::Denied),
    ] {
        let view = scene.cluster.snapshot();
        let workload = view.workload(&ObjectRef::new(Kind::Deployment, "shop", "web")).unwrap();
        let plan = plan_for(&view).unwrap();
        let outcome = Outcome {
            sent: Sent::DryRun(plan.hash.clone()),
            generation: workload.meta.generation,
            at: scene.cluster.now,
            answer,
        };
        let limits = scene.process.limits.clone();
        let mut seen = Observed {
            leader: Some(1),
            decision: None,
            approvals_guarded: true,
            mode: Mode::Enforce,
            limits: &limits,
            plan: Some(&plan),
            target: Target::of(&view, Some(workload), None, Phase::Pending, None),
            shut: None,
            outcome: Some(&outcome),
        };
        let held = step(&Record::default(), &seen, scene.cluster.now);
        assert_eq!((held.record.phase, held.record.reason), (Phase::Held, reason));
        seen.outcome = None;
        let after_a_restart = step(&held.record, &seen, scene.cluster.now);
        assert_eq!(after_a_restart.effects, []);
        let mut other = plan.clone();
        other.hash = crate::plan::PlanHash("f".repeat(64));
        seen.plan = Some(&other);
        let another_plan = step(&held.record, &seen, scene.cluster.now);
        assert!(
            another_plan
                .effects
                .iter()
                .any(|effect| matches!(effect, Effect::DryRun { .. }))
        );
    }
}

#[test]
fn story_20_a_humans_write_keeps_us_away_for_a_day() {
    let mut scene = Scene::new(Image::Works);
    scene.cluster.foreign("kubectl-edit", |object| {
        *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = json!("web:fix");
    });
    scene.skip_hours(1);
    assert_eq!(scene.stands(), (Phase::Held, Reason::RecentHumanWrite));
    assert!(scene.record().message.contains("kubectl-edit"));
    scene.skip_hours(i64::try_from(HANDS_OFF.as_secs() / 3600).unwrap());
    assert_eq!(scene.stands().0, Phase::Verifying);
}

#[test]
fn a_humans_hold_lasts_a_day_and_does_not_stop_what_runs() {
    let mut scene = Scene::new(Image::Works);
    scene.decide(Action::Hold, None);
    scene.skip_hours(1);
    assert_eq!(scene.stands(), (Phase::Held, Reason::HeldByHuman));
    assert!(scene.record().message.contains("alice@example.com: because"));
    scene.skip_hours(24);
    assert_eq!(scene.stands().0, Phase::Verifying);

    let mut scene = Scene::started(Image::Crashes);
    scene.decide(Action::Hold, None);
    scene.watch(120);
    assert!(!scene.cluster.is_hardened());
}

#[test]
fn a_target_that_is_gone_closes_its_record() {
    let mut scene = Scene::started(Image::Works);
    scene.cluster.foreign("alice", |object| {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
    });
    scene.settle();
    assert_eq!(scene.stands(), (Phase::Closed, Reason::TargetGone));
}

#[test]
fn a_finding_that_is_gone_closes_its_record() {
    let mut scene = Scene::new(Image::Works);
    scene.settle();
    scene.cluster.foreign("argo-like", |object| {
        object.pointer_mut("/spec/template/spec/containers/0").unwrap()["securityContext"] =
            json!({"allowPrivilegeEscalation": false});
    });
    scene.settle();
    assert_eq!(scene.stands(), (Phase::Closed, Reason::FindingGone));
}
