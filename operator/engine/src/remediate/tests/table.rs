//! One test for each row of the table of transitions, and for what the stories of harm ask of it.

use serde_json::json;

use super::super::{
    Action, Decision, Effect, EventKind, Fate, HANDS_OFF, Phase, Reason, Record, Shut, Symptom, Target,
};
use super::cluster::{Cluster, Image, POINTER, START, plan_for};
use super::process::{Log, Process, Store};
use crate::model::{Kind, ObjectRef};
use crate::policy::{AutoApprove, Mode};

/// A cluster, a process that leads, and what they share.
struct Scene {
    cluster: Cluster,
    store: Store,
    log: Log,
    process: Process,
}

impl Scene {
    fn new(image: Image) -> Self {
        let cluster = Cluster::new(3, image);
        let store = Store::default();
        let process = Process::new(1, &cluster, &store);
        Self {
            cluster,
            store,
            log: Log::default(),
            process,
        }
    }

    /// The target is settled and everything that may start has started.
    fn started(image: Image) -> Self {
        let mut scene = Self::new(image);
        scene.cluster.skip_hours(1);
        scene.settle();
        scene
    }

    fn settle(&mut self) -> Vec<Effect> {
        self.process.settle(&mut self.cluster, &mut self.store, &mut self.log)
    }

    /// Time passes in which the process looks every few seconds.
    fn watch(&mut self, seconds: i64) -> Vec<Effect> {
        let mut all = Vec::new();
        for _ in 0..seconds / 10 {
            self.cluster.pass(10);
            all.extend(self.settle());
        }
        all
    }

    fn skip_hours(&mut self, hours: i64) {
        self.watch(60);
        self.cluster.skip_hours(hours);
        self.settle();
    }

    fn record(&self) -> &Record {
        &self.store.record
    }

    fn stands(&self) -> (Phase, Reason) {
        (self.record().phase, self.record().reason)
    }

    fn decide(&mut self, action: Action, plan: Option<&str>) {
        let generation = self.process.decision.as_ref().map_or(1, |decision| decision.generation) + 1;
        self.process.decision = Some(Decision {
            action,
            plan: plan.map(str::to_owned),
            by: "alice@example.com".to_owned(),
            reason: "because".to_owned(),
            generation,
        });
    }
}

fn events(effects: &[Effect]) -> Vec<EventKind> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Event(event) => Some(event.kind),
            _ => None,
        })
        .collect()
}

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
fn stop_after_holds() {
    let mut scene = Scene::new(Image::Works);
    scene.process.shut = Some(Shut {
        reason: Reason::Stopped,
        message: "repairs have stopped".to_owned(),
        opens: None,
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
fn a_rollout_that_breaks_is_taken_back_exactly_and_quarantined() {
    let mut scene = Scene::new(Image::Crashes);
    let before = scene.cluster.template();
    scene.cluster.skip_hours(1);
    scene.settle();
    let effects = scene.watch(120);
    assert_eq!(scene.stands(), (Phase::Held, Reason::Quarantined));
    assert_eq!(events(&effects), [EventKind::RolledBack]);
    assert_eq!(scene.cluster.template(), before, "no empty securityContext is left");
    assert_eq!(scene.cluster.available(), 3);
    let failure = &scene.record().memory.failures[0];
    assert_eq!(failure.reason, Symptom::CrashLoopBackOff.reason());
    assert!(failure.controls.contains("POD-009"));
    let phases: Vec<Phase> = scene.record().history.iter().map(|entry| entry.phase).collect();
    assert!(
        phases.ends_with(&[Phase::RollingBack, Phase::RolledBack, Phase::Held]),
        "{phases:?}"
    );
    scene.skip_hours(24 * 30);
    assert_eq!(scene.log.hardened, 1, "not tried again by itself");
}

#[test]
fn story_07_a_new_release_does_not_lift_a_quarantine() {
    let mut scene = Scene::started(Image::Crashes);
    scene.watch(120);
    scene.cluster.foreign("argo-like", |object| {
        *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = json!("web:2");
    });
    scene.skip_hours(24);
    assert_eq!(scene.stands(), (Phase::Held, Reason::Quarantined));
    assert_eq!(scene.log.hardened, 1);
}

#[test]
fn retry_lifts_a_quarantine() {
    let mut scene = Scene::started(Image::Crashes);
    scene.watch(120);
    scene.cluster.image = Image::Works;
    scene.decide(Action::Retry, None);
    scene.skip_hours(1);
    scene.watch(900);
    assert_eq!(scene.stands().0, Phase::Probation);
    assert_eq!(scene.log.hardened, 2);
    assert_eq!(scene.record().attempt.as_ref().unwrap().id, 2);
}

#[test]
fn an_environmental_cause_rolls_back_without_blame() {
    let mut scene = Scene::started(Image::CannotPull);
    scene.watch(120);
    assert_eq!(scene.stands(), (Phase::Held, Reason::Environment));
    assert!(!scene.cluster.is_hardened());
    scene.skip_hours(24);
    assert_eq!(scene.log.hardened, 1, "time alone does not start it again");
    scene.cluster.image = Image::Works;
    scene.cluster.foreign("argo-like", |object| {
        *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = json!("web:2");
    });
    scene.skip_hours(1);
    scene.watch(900);
    assert_eq!(scene.stands().0, Phase::Probation, "a changed target does");
}

#[test]
fn a_late_failure_in_probation_is_taken_back() {
    let mut scene = Scene::started(Image::CrashesLater(3600));
    scene.watch(900);
    assert_eq!(scene.stands().0, Phase::Probation);
    scene.watch(3600);
    assert_eq!(scene.stands(), (Phase::Held, Reason::Quarantined));
    assert!(!scene.cluster.is_hardened());
    assert_eq!(scene.cluster.available(), 3);
}

#[test]
fn story_05_what_the_server_would_change_is_held() {
    // Held(Mutated) and Held(Denied) stay for this very plan and end with another one.
    use super::super::{Answer, Outcome, Sent, step};
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
        let mut seen = super::super::Observed {
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
fn one_foreign_revert_ends_it_and_names_the_manager() {
    for keeps_record in [true, false] {
        let mut scene = Scene::new(Image::Works);
        let before = scene.cluster.template();
        scene.cluster.skip_hours(1);
        scene.settle();
        scene.watch(900);
        assert_eq!(scene.stands().0, Phase::Probation);
        if keeps_record {
            scene.cluster.foreign_revert("argo-like");
        } else {
            scene.cluster.rollout_undo(&before);
        }
        let effects = scene.settle();
        assert_eq!(scene.stands(), (Phase::Held, Reason::Fight));
        assert_eq!(events(&effects), [EventKind::Conflict]);
        let manager = if keeps_record { "argo-like" } else { "kubectl-rollout" };
        assert!(scene.record().message.contains(manager), "{}", scene.record().message);
        scene.skip_hours(24 * 80);
        assert_eq!((scene.log.hardened, scene.log.undone), (1, 0));
    }
}

#[test]
fn a_revert_after_success_is_a_fight_too_and_retry_ends_it() {
    let mut scene = Scene::started(Image::Works);
    scene.watch(900);
    scene.skip_hours(200);
    assert_eq!(scene.stands().0, Phase::Succeeded);
    scene.cluster.foreign_revert("kubectl-edit");
    scene.settle();
    assert_eq!(scene.stands(), (Phase::Held, Reason::Fight));
    scene.decide(Action::Retry, None);
    scene.skip_hours(1);
    scene.watch(900);
    assert_eq!(scene.stands().0, Phase::Probation);
    assert_eq!(scene.log.hardened, 2);
}

#[test]
fn a_revert_is_seen_even_when_our_own_objects_are_lost() {
    let mut scene = Scene::started(Image::Works);
    scene.watch(900);
    scene.store = Store::default();
    scene.cluster.foreign_revert("argo-like");
    scene.process = Process::new(1, &scene.cluster, &scene.store);
    scene.skip_hours(1);
    assert_eq!(scene.stands(), (Phase::Held, Reason::Fight));
}

#[test]
fn another_writers_change_that_keeps_our_fields_is_verified_anew_and_never_rolled_back() {
    let mut scene = Scene::started(Image::Works);
    scene.watch(900);
    assert_eq!(scene.stands().0, Phase::Probation);
    scene.cluster.image = Image::CrashesLater(60);
    scene.cluster.foreign("argo-like", |object| {
        *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = json!("web:2");
    });
    scene.settle();
    assert_eq!(scene.stands(), (Phase::Verifying, Reason::TemplateChanged));
    scene.watch(300);
    assert_eq!(scene.stands(), (Phase::Held, Reason::TemplateChanged));
    assert!(
        scene.cluster.is_hardened(),
        "what somebody else wrote is not ours to roll back"
    );
    assert_eq!(scene.log.undone, 0);
    scene.decide(Action::Revert, None);
    scene.settle();
    assert_eq!(scene.stands(), (Phase::Reverted, Reason::RevertRequested));
    assert!(!scene.cluster.is_hardened());
    assert_eq!(
        scene
            .cluster
            .deployment
            .pointer("/spec/template/spec/containers/0/image"),
        Some(&json!("web:2"))
    );
}

#[test]
fn story_15_without_pods_nothing_is_proven_and_the_undo_stays_armed() {
    let mut scene = Scene::new(Image::Crashes);
    scene
        .cluster
        .foreign("autoscaler", |object| object["spec"]["replicas"] = json!(0));
    scene.skip_hours(1);
    assert_eq!(scene.stands(), (Phase::Verifying, Reason::NoPodsYet));
    scene.skip_hours(24 * 30);
    assert_eq!(scene.stands(), (Phase::Verifying, Reason::NoPodsYet), "no deadline");
    scene
        .cluster
        .foreign("autoscaler", |object| object["spec"]["replicas"] = json!(3));
    scene.watch(120);
    assert_eq!(scene.stands(), (Phase::Held, Reason::Quarantined));
    assert!(!scene.cluster.is_hardened());
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
fn revert_undoes_in_flight_and_after_success_and_stays_undone() {
    for wait in [0, 900, 300 * 3600] {
        let mut scene = Scene::new(Image::Works);
        let before = scene.cluster.template();
        scene.cluster.skip_hours(1);
        scene.settle();
        scene.watch(wait.min(900));
        if wait > 900 {
            scene.skip_hours(wait / 3600);
            assert_eq!(scene.stands().0, Phase::Succeeded);
        }
        scene.decide(Action::Revert, None);
        scene.settle();
        scene.watch(60);
        assert_eq!(scene.stands(), (Phase::Reverted, Reason::RevertRequested));
        assert_eq!(scene.cluster.template(), before);
        scene.skip_hours(24 * 100);
        assert_eq!((scene.log.hardened, scene.log.undone), (1, 1));
        assert!(scene.record().memory.is_empty(), "nobody failed and nobody fought");
        scene.decide(Action::Retry, None);
        scene.skip_hours(1);
        assert_eq!(scene.log.hardened, 2);
    }
}

#[test]
fn a_target_that_is_gone_closes_its_record() {
    let mut scene = Scene::started(Image::Works);
    scene.cluster.foreign("alice", |object| {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z")
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

#[test]
fn story_06_a_forged_record_does_not_lead_the_rollback_elsewhere() {
    let mut scene = Scene::started(Image::CrashesLater(300));
    scene.watch(100);
    assert_eq!(scene.stands().0, Phase::Verifying);
    scene.cluster.foreign("mallory", |object| {
        let text = object["metadata"]["annotations"][crate::plan::ANNOTATION]
            .as_str()
            .unwrap();
        let forged = text
            .replace("\"wrote\":false", "\"wrote\":false,\"was\":true")
            .replace(",\"made\":1", "");
        assert_ne!(text, forged);
        object["metadata"]["annotations"][crate::plan::ANNOTATION] = json!(forged);
    });
    let effects = scene.watch(600);
    assert_eq!(scene.stands().0, Phase::RollbackFailed);
    assert!(effects.contains(&Effect::Stop));
    assert_ne!(scene.cluster.deployment.pointer(POINTER), Some(&json!(true)));
}

#[test]
fn a_restart_in_any_phase_goes_on_where_the_target_is() {
    let mut scene = Scene::new(Image::CrashesLater(30));
    scene.cluster.skip_hours(1);
    for _ in 0..60 {
        scene.process.restart(2, &scene.cluster, &scene.store);
        scene.settle();
        scene.cluster.pass(START / 2);
    }
    assert_eq!(scene.stands(), (Phase::Held, Reason::Quarantined));
    assert_eq!((scene.log.hardened, scene.log.undone), (1, 1));
}

#[test]
fn the_fate_of_our_fields_is_read_from_the_target() {
    let mut scene = Scene::started(Image::Works);
    let attempt = scene.record().attempt.clone().unwrap();
    let fate = |scene: &Scene| {
        let view = scene.cluster.snapshot();
        let workload = view.workload(&ObjectRef::new(Kind::Deployment, "shop", "web")).unwrap();
        let plan = plan_for(&view);
        match Target::of(&view, Some(workload), Some(&attempt), Phase::Verifying, None) {
            Target::Live(live) => live.fate(&attempt, plan.as_ref()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fate(&scene), Fate::Intact);
    scene.cluster.foreign("argo-like", |object| {
        *object.pointer_mut("/spec/template/spec/containers/0/image").unwrap() = json!("web:2");
    });
    assert_eq!(fate(&scene), Fate::Kept);
    scene.cluster.foreign("argo-like", |object| {
        *object.pointer_mut("/spec/template/spec/containers").unwrap() = json!([{"name": "api", "image": "api:1"}]);
    });
    assert_eq!(fate(&scene), Fate::Dropped);
}
