//! The network of a namespace: each way through the phases.

use jiff::SignedDuration;

use super::super::{Action, Answer, Effect, EventKind, Phase, Reason, Shut};
use super::namespace::{Process, Server};
use super::scene::events;
use crate::policy::AutoApprove;

const DENY: &str = "ironside-default-deny-ingress";
/// Longer than probation.
const WEEKS: SignedDuration = SignedDuration::from_hours(24 * 8);
const HOUR: SignedDuration = SignedDuration::from_hours(1);

fn isolated() -> (Server, Process) {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    process.settle(&mut server);
    (server, process)
}

#[test]
fn an_isolation_is_tried_applied_watched_and_kept() {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    let effects = process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
    let order: Vec<&str> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::TryPolicies { .. } => Some("try"),
            Effect::Persist => Some("persist"),
            Effect::WritePolicies { .. } => Some("write"),
            _ => None,
        })
        .collect();
    assert_eq!(
        order,
        ["try", "persist", "write", "persist"],
        "the record before the policies"
    );
    assert_eq!(
        server.writes.last().unwrap(),
        &format!("apply {DENY}"),
        "the deny comes last"
    );
    let attempt = server.record.attempt.clone().unwrap();
    assert_eq!((attempt.id, attempt.epoch, attempt.baseline.ready), (1, 1, 4));

    let effects = process.watch(&mut server, HOUR);
    assert_eq!(server.stands(), (Phase::Probation, Reason::Watching));
    assert_eq!(events(&effects), [EventKind::Verified]);
    process.watch(&mut server, WEEKS);
    assert_eq!(server.stands(), (Phase::Succeeded, Reason::Verified));
    assert_eq!(server.policies().len(), 3);
}

#[test]
fn what_breaks_a_workload_is_taken_back_and_quarantined_until_retry() {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    server.web_needs_more = true;
    let effects = process.settle(&mut server);
    assert_eq!(
        server.stands(),
        (Phase::Held, Reason::Quarantined),
        "{:?}",
        server.record
    );
    assert!(events(&effects).contains(&EventKind::RolledBack));
    assert_eq!(server.policies(), Vec::<&str>::new());
    let deleted: Vec<_> = server
        .writes
        .iter()
        .filter(|write| write.starts_with("delete"))
        .collect();
    assert_eq!(deleted[0], &format!("delete {DENY}"), "the deny goes first");
    let failure = &server.record.memory.failures[0];
    assert!(failure.controls.contains("NET-002"));

    let before = server.writes.len();
    process.watch(&mut server, WEEKS);
    assert_eq!(server.stands(), (Phase::Held, Reason::Quarantined));
    assert_eq!(server.writes.len(), before, "it is not tried again");

    server.web_needs_more = false;
    process.decide(Action::Retry, None);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
    assert_eq!(server.record.attempt.as_ref().unwrap().id, 2);
}

#[test]
fn a_late_failure_in_probation_is_taken_back_as_well() {
    let (mut server, mut process) = isolated();
    process.watch(&mut server, HOUR);
    assert_eq!(server.record.phase, Phase::Probation);
    let now = server.now;
    super::namespace::set_ready(&mut server.objects, "worker-1", false, now);
    process.settle(&mut server);
    assert_eq!(server.record.phase, Phase::RollingBack, "the pod is not back");
    assert_eq!(server.policies(), Vec::<&str>::new());
    super::namespace::set_ready(&mut server.objects, "worker-1", true, now);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Held, Reason::Quarantined));
}

#[test]
fn a_workload_that_does_not_come_back_stops_everything() {
    let (mut server, mut process) = isolated();
    let now = server.now;
    super::namespace::set_ready(&mut server.objects, "worker-1", false, now);
    let effects = process.watch(&mut server, HOUR);
    assert_eq!(server.record.phase, Phase::RollbackFailed);
    assert!(effects.contains(&Effect::Stop));
    assert_eq!(events(&effects), [EventKind::RollbackFailed]);
    super::namespace::set_ready(&mut server.objects, "worker-1", true, now);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Held, Reason::Quarantined));
}

#[test]
fn what_would_be_stored_otherwise_is_not_sent() {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    server.dry_run = Answer::Differs("NetworkPolicy x".to_owned());
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Held, Reason::Mutated));
    server.dry_run = Answer::Done;
    process.watch(&mut server, WEEKS);
    assert_eq!(server.stands(), (Phase::Held, Reason::Mutated), "until a human asks");
    assert_eq!(server.writes, Vec::<String>::new());
    process.decide(Action::Retry, None);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
}

#[test]
fn a_plan_waits_for_what_is_missing() {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    process.limits.auto_approve = AutoApprove::None;
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Pending, Reason::AwaitingApproval));
    process.limits.auto_approve = AutoApprove::Medium;
    process.shut = Some(Shut {
        reason: Reason::Paused,
        message: "paused".to_owned(),
        opens: None,
        since: None,
    });
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Pending, Reason::Paused));
    process.shut = None;
    process.settings.enforce = false;
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Pending, Reason::Preview));
    assert_eq!(server.writes, Vec::<String>::new());
}

#[test]
fn an_approval_is_for_one_hash_and_counts_once() {
    let (mut server, mut process) = (Server::new(), Process::new(1));
    process.limits.auto_approve = AutoApprove::None;
    process.decide(Action::Approve, Some("000000000000"));
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Pending, Reason::AwaitingApproval));
    let hash = process.plan(&server).hash.0;
    process.decide(Action::Approve, Some(&hash[..12]));
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
    // Somebody opens the network in an incident: it stays open for a day, and then until it is approved again.
    server.delete(DENY);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Held, Reason::DenyDeleted));
    assert_eq!(server.policies(), Vec::<&str>::new(), "an allow alone isolates");
    process.watch(&mut server, SignedDuration::from_hours(23));
    assert_eq!(server.stands(), (Phase::Held, Reason::DenyDeleted));
    process.watch(&mut server, SignedDuration::from_hours(2));
    assert_eq!(server.stands(), (Phase::Pending, Reason::AwaitingApproval));
    process.decide(Action::Approve, Some(&hash[..12]));
    server.now += SignedDuration::from_secs(1);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
}

#[test]
fn retry_ends_the_wait_after_a_deleted_deny() {
    let (mut server, mut process) = isolated();
    server.delete(DENY);
    process.settle(&mut server);
    process.decide(Action::Retry, None);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
    assert!(server.policies().contains(&DENY));
}

#[test]
fn a_revert_takes_all_away_and_only_a_human_starts_again() {
    let (mut server, mut process) = isolated();
    process.decide(Action::Revert, None);
    let effects = process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Reverted, Reason::RevertRequested));
    assert!(events(&effects).contains(&EventKind::Reverted));
    assert_eq!(server.policies(), Vec::<&str>::new());
    process.watch(&mut server, WEEKS);
    assert_eq!(server.policies(), Vec::<&str>::new());
    process.decide(Action::Retry, None);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
}

#[test]
fn a_policy_that_goes_takes_all_away_and_one_that_comes_back_starts_again() {
    let (mut server, mut process) = isolated();
    let policies = std::mem::take(&mut process.settings.policies);
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Closed, Reason::PolicyGone));
    assert_eq!(server.policies(), Vec::<&str>::new());
    process.settings.policies = policies;
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
}

#[test]
fn a_pause_and_a_suspended_policy_change_nothing_that_stands() {
    let (mut server, mut process) = isolated();
    let before = server.writes.len();
    process.settings.policies.clear();
    process.settings.suspended = true;
    process.watch(&mut server, HOUR);
    process.settings.suspended = false;
    process.paused = true;
    process.watch(&mut server, HOUR);
    assert_eq!(server.writes.len(), before);
    assert_eq!(server.policies().len(), 3);
}

#[test]
fn a_rollback_finishes_although_its_policy_is_suspended() {
    let (mut server, mut process) = isolated();
    let now = server.now;
    super::namespace::set_ready(&mut server.objects, "worker-1", false, now);
    process.run(&mut server, None);
    assert_eq!(server.record.phase, Phase::RollingBack);
    process.settings.policies.clear();
    process.settings.suspended = true;
    process.settle(&mut server);
    assert_eq!(server.policies(), Vec::<&str>::new());
}

#[test]
fn a_deleted_allow_is_put_back_before_anything_is_written_down() {
    let (mut server, mut process) = isolated();
    let allow = server
        .policies()
        .into_iter()
        .find(|name| *name != DENY)
        .unwrap()
        .to_owned();
    server.delete(&allow);
    process.see(&server);
    let effects = process.run(&mut server, None);
    assert!(matches!(effects[0], Effect::WritePolicies { .. }), "{effects:?}");
    assert!(server.policies().contains(&allow.as_str()));
}

#[test]
fn a_record_that_is_lost_is_written_anew_and_the_isolation_watched_again() {
    let (mut server, mut process) = isolated();
    process.watch(&mut server, WEEKS);
    server.record = super::super::Record::default();
    let before = server.writes.len();
    process.settle(&mut server);
    assert_eq!(server.stands(), (Phase::Verifying, Reason::Soaking));
    assert_eq!(server.writes.len(), before, "nothing has to be written");
}
