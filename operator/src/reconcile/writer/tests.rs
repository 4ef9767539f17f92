//! What the single writer makes of what the watches bring.

use ironside_crds::{HardeningPolicy, HardeningPolicySpec};
use ironside_engine::controls::Verdict;
use serde_json::json;

use super::*;
use crate::cluster::item::Unreadable;
use crate::detections::Detections;
use crate::reconcile::Views;
use crate::report::event::{Event, EventReason};

struct Scene {
    writer: Writer,
    views: Views,
    events: mpsc::Receiver<Event>,
}

/// A writer whose watches have all seen an empty cluster with one namespace and one policy in it.
fn scene() -> Scene {
    scene_that(false)
}

/// The same, with or without detections.
fn scene_that(detects: bool) -> Scene {
    let (feed, views) = Feed::new();
    let (reporter, events) = Reporter::new();
    let watches: Vec<(Source, Scope)> = Source::all().into_iter().map(|source| (source, None)).collect();
    let happenings = Arc::new(Happenings::new().unwrap());
    let detections = Detections::new(
        views.clone(),
        reporter.clone(),
        Arc::clone(&happenings),
        "ironside-system",
    );
    let mut writer = Writer::new("ironside-system", 37, watches.clone(), feed, happenings, reporter);
    if detects {
        writer = writer.with_detections(detections);
    }
    let now = Timestamp::UNIX_EPOCH;
    writer.step(
        watches.iter().skip(1).map(|(source, _)| replaced(*source, Vec::new())),
        now,
    );
    assert!(!views.latest().complete, "one watch has seen nothing yet");
    let shop = json!({"metadata": {"name": "shop"}});
    writer.step(
        [replaced(
            Source::Cluster(Kind::Namespace),
            vec![object(Kind::Namespace, shop)],
        )],
        now,
    );
    let mut policy = HardeningPolicy::new("team", HardeningPolicySpec::default());
    policy.metadata.namespace = Some("shop".to_owned());
    writer.step(
        [replaced(Source::Policy, vec![Ok(Item::Policy(Box::new(policy)))])],
        now,
    );
    Scene { writer, views, events }
}

fn message(source: Source, seen: Seen) -> Message {
    Message {
        source,
        scope: None,
        seen,
    }
}

fn replaced(source: Source, items: Vec<Result<Item, Unreadable>>) -> Message {
    message(source, Seen::Replaced(items))
}

#[allow(clippy::unnecessary_wraps)] // as watches hand it over
fn object(kind: Kind, object: impl std::borrow::Borrow<serde_json::Value>) -> Result<Item, Unreadable> {
    Ok(Item::Object(Box::new(Object::decode(kind, object.borrow()).unwrap())))
}

fn web(escalation: bool) -> Message {
    let deployment = json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
        "spec": {"template": {"spec": {"containers": [{
            "name": "app", "image": "registry.example.com/web:1",
            "securityContext": {"allowPrivilegeEscalation": escalation},
        }]}}},
    });
    let item = object(Kind::Deployment, deployment);
    message(Source::Cluster(Kind::Deployment), Seen::Applied(Box::new(item), None))
}

fn verdict(view: &View, control: &str) -> Option<Verdict> {
    let outcome = view.results.get(&ObjectRef::new(Kind::Deployment, "shop", "web"))?;
    let findings = &outcome.evaluation.findings;
    findings
        .iter()
        .find(|finding| finding.control.id.as_str() == control)
        .map(|finding| finding.verdict)
}

#[test]
fn a_change_becomes_a_verdict_and_drift_an_event() {
    let mut scene = scene();
    let now = Timestamp::UNIX_EPOCH;
    scene.writer.step([web(false)], now);
    assert_eq!(verdict(&scene.views.latest(), "POD-009"), Some(Verdict::Pass));
    scene.writer.step([web(true)], now);
    assert_eq!(verdict(&scene.views.latest(), "POD-009"), Some(Verdict::Fail));
    let event = scene.events.try_recv().unwrap();
    assert_eq!(event.reason, EventReason::DriftDetected);
    assert!(event.note.contains("POD-009"), "{}", event.note);
    scene.writer.step([web(true)], now);
    assert!(scene.events.try_recv().is_err(), "told once");
}

#[test]
fn our_own_undo_is_not_drift() {
    let mut scene = scene();
    let now = Timestamp::UNIX_EPOCH;
    let target = ObjectRef::new(Kind::Deployment, "shop", "web");
    scene.writer.step([web(false)], now);
    scene.views.undoing(&target, true);
    scene.writer.step([web(true)], now);
    assert_eq!(verdict(&scene.views.latest(), "POD-009"), Some(Verdict::Fail));
    assert!(
        scene.events.try_recv().is_err(),
        "nobody opened it: the repair was taken back"
    );
    scene.writer.step([web(false)], now);
    scene.views.undoing(&target, false);
    scene.writer.step([web(true)], now);
    assert_eq!(scene.events.try_recv().unwrap().reason, EventReason::DriftDetected);
}

#[test]
fn a_new_object_that_fails_is_not_drift() {
    let mut scene = scene();
    scene.writer.step([web(true)], Timestamp::UNIX_EPOCH);
    assert_eq!(verdict(&scene.views.latest(), "POD-009"), Some(Verdict::Fail));
    assert!(scene.events.try_recv().is_err());
}

#[test]
fn an_object_that_cannot_be_read_is_unknown_not_forgotten() {
    let mut scene = scene();
    let now = Timestamp::UNIX_EPOCH;
    scene.writer.step([web(false)], now);
    let broken = Err(Unreadable {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
        reason: "containers: expected a sequence".to_owned(),
    });
    let seen = Seen::Applied(Box::new(broken), None);
    scene
        .writer
        .step([message(Source::Cluster(Kind::Deployment), seen)], now);
    assert_eq!(verdict(&scene.views.latest(), "POD-009"), Some(Verdict::Unknown));
    scene.writer.step([web(false)], now);
    assert_eq!(verdict(&scene.views.latest(), "POD-009"), Some(Verdict::Pass));
}

#[test]
fn a_refused_kind_lowers_coverage_until_it_is_read_again() {
    let mut scene = scene();
    let now = Timestamp::UNIX_EPOCH;
    scene.writer.step([web(false)], now);
    let coverage = |views: &Views| {
        views
            .latest()
            .scorecards()
            .values()
            .next()
            .unwrap()
            .score()
            .coverage_percent
    };
    assert_eq!(coverage(&scene.views), Some(100));
    let jobs = Source::Cluster(Kind::Job);
    scene
        .writer
        .step([message(jobs, Seen::Standing(Standing::Interrupted))], now);
    assert_eq!(coverage(&scene.views), Some(100), "an outage hides nothing");
    scene
        .writer
        .step([message(jobs, Seen::Standing(Standing::Denied))], now);
    assert!(coverage(&scene.views) < Some(100));
    scene.writer.step([replaced(jobs, Vec::new())], now);
    assert_eq!(coverage(&scene.views), Some(100));
}

#[test]
fn without_policies_nothing_is_judged() {
    let mut scene = scene();
    let now = Timestamp::UNIX_EPOCH;
    scene.writer.step([web(true)], now);
    scene.writer.step([replaced(Source::Policy, Vec::new())], now);
    assert_eq!(scene.views.latest().results.outcomes().count(), 0);
}

/// What was told as a detection since it was asked last.
fn told(events: &mut mpsc::Receiver<Event>) -> Vec<String> {
    let events = std::iter::from_fn(|| events.try_recv().ok());
    let sightings = events.filter(|event| event.reason == EventReason::SuspiciousActivity);
    sightings.map(|event| event.note).collect()
}

#[test]
fn a_change_that_loosens_is_told_and_our_own_undo_is_not() {
    let Scene {
        mut writer,
        views,
        mut events,
    } = scene_that(true);
    let now = Timestamp::UNIX_EPOCH;
    writer.step([web(false)], now);
    assert_eq!(told(&mut events), [""; 0], "what is new is not loosened");
    writer.step([web(true)], now);
    let notes = told(&mut events);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].starts_with(
            "D-24 (Security context loosened): Deployment shop/web: its pods may now: gain privileges (app)"
        ),
        "{notes:?}"
    );
    writer.step([web(false)], now);
    let target = ObjectRef::new(Kind::Deployment, "shop", "web");
    views.undoing(&target, true);
    writer.step([web(true)], now);
    assert_eq!(told(&mut events), [""; 0], "our undo is nobody's deed");
}

/// A NetworkPolicy that lets nothing in.
fn closed() -> Result<Item, Unreadable> {
    let closed = json!({"metadata": {"name": "closed", "namespace": "shop"}, "spec": {"podSelector": {}}});
    object(Kind::NetworkPolicy, closed)
}

#[test]
fn what_a_first_list_has_is_nobodys_deed_and_what_a_later_one_lacks_is() {
    let Scene {
        mut writer, mut events, ..
    } = scene_that(true);
    let now = Timestamp::UNIX_EPOCH;
    let list = |objects: Vec<Result<Item, Unreadable>>| replaced(Source::Cluster(Kind::NetworkPolicy), objects);
    writer.step([list(vec![closed()])], now);
    assert_eq!(told(&mut events), [""; 0]);
    // The watch broke, and the policy was gone when everything was listed anew.
    writer.step([list(Vec::new())], now);
    assert_eq!(
        told(&mut events),
        ["D-18 (Network policy removed or opened): NetworkPolicy shop/closed: is gone"]
    );
}

#[test]
fn what_changed_while_rights_were_missing_is_told_once_they_are_back() {
    let Scene {
        mut writer, mut events, ..
    } = scene_that(true);
    let now = Timestamp::UNIX_EPOCH;
    let source = Source::Cluster(Kind::NetworkPolicy);
    writer.step([replaced(source, vec![closed()])], now);
    writer.step([message(source, Seen::Standing(Standing::Denied))], now);
    writer.step([replaced(source, Vec::new())], now);
    assert_eq!(
        told(&mut events),
        ["D-18 (Network policy removed or opened): NetworkPolicy shop/closed: is gone"]
    );
}
