//! Rows of the table of transitions from the start of a repair on: verified, taken back, undone by others, undone on request.

use serde_json::json;

use super::super::{Action, Effect, EventKind, Fate, NOBODY_NAMED, Phase, Reason, Symptom, Target};
use super::cluster::{Image, POINTER, START, plan_for};
use super::process::{Process, Store};
use super::scene::{Scene, events};
use crate::model::{Kind, ObjectRef};

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
        let manager = if keeps_record { "argo-like" } else { NOBODY_NAMED };
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
