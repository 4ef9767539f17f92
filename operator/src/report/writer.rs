//! Keeps the status of policies and exceptions what it should be. One task, the only sender; the leader's alone.
//!
//! What should be is computed from the view and compared with what is stored; equal means no request. A new spec and a flipped condition are written at
//! once; counts at most every [`COUNTS`]. The first change after a quiet time never waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ironside_crds::conditions::{get, reasons, types};
use ironside_crds::{
    ClusterHardeningException, ClusterHardeningPolicy, Condition, ConditionStatus, ExceptionStatus, HardeningException,
    HardeningPolicy, PolicyStatus,
};
use ironside_engine::policy::PolicyId;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::ObjectMeta;
use kube::{Api, Resource as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::event::{Event, EventReason};
use super::exception_status::exception_status;
use super::facts::Overview;
use super::patch::{WriteError, write_status};
use crate::cluster::permissions::Missing;
use crate::process::Context;
use crate::reconcile::declared::Key;
use crate::reconcile::{Exception, Policy, View};

/// Least time between two writes of counts.
pub const COUNTS: Duration = Duration::from_secs(30);

/// Least time between two writes of anything to one object.
const URGENT: Duration = Duration::from_secs(1);

/// Changes of the view are gathered for so long before status is computed from them.
const GATHER: Duration = Duration::from_millis(100);

/// Status is computed anew after this time even if nothing was seen: staleness and pauses depend on time.
const LOOK: Duration = Duration::from_secs(5);

/// Pause after a failed write to an object.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Writes status.
pub struct StatusWriter {
    context: Context,
    missing: watch::Receiver<Arc<Missing>>,
    /// Set when the definitions in the cluster are older than this program.
    old_definitions: Arc<AtomicBool>,
    policies: BTreeMap<PolicyId, Written<PolicyStatus>>,
    exceptions: BTreeMap<Key, Written<ExceptionStatus>>,
}

/// What was written to one object last.
struct Written<S> {
    uid: Option<String>,
    version: Option<String>,
    status: Option<S>,
    /// When it was written, or tried.
    at: Instant,
    failed: bool,
}

/// Conditions whose turning to False is an event.
const TOLD: [(&str, EventReason); 3] = [
    (types::CONTROLS_RESOLVED, EventReason::ControlUnknown),
    (types::PERMISSIONS_GRANTED, EventReason::PermissionDenied),
    (types::EFFECTIVE, EventReason::ExceptionExpired),
];

/// How soon a difference has to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Urgency {
    None,
    Counts,
    Urgent,
}

impl StatusWriter {
    /// A writer that has written nothing yet.
    pub fn new(context: Context, missing: watch::Receiver<Arc<Missing>>, old_definitions: Arc<AtomicBool>) -> Self {
        Self {
            context,
            missing,
            old_definitions,
            policies: BTreeMap::new(),
            exceptions: BTreeMap::new(),
        }
    }

    /// Works until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut views = self.context.views.subscribe();
        let mut epochs = self.context.leadership.epochs();
        let mut next = LOOK;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = views.changed() => if changed.is_none() { return },
                changed = epochs.changed() => if changed.is_err() { return },
                changed = self.missing.changed() => if changed.is_err() { return },
                () = tokio::time::sleep(next) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(GATHER) => {}
            }
            next = self.flush().await;
        }
    }

    /// Writes what is due; says when to come again.
    async fn flush(&mut self) -> Duration {
        if !self.context.leadership.leads() {
            return LOOK;
        }
        let view = self.context.views.latest();
        let now = Timestamp::now();
        let missing = Arc::clone(&self.missing.borrow_and_update());
        let policies = self.flush_policies(&view, &missing, now).await;
        let exceptions = self.flush_exceptions(&view, now).await;
        self.forget(&view);
        policies.min(exceptions).min(LOOK)
    }

    async fn flush_policies(&mut self, view: &View, missing: &Missing, now: Timestamp) -> Duration {
        let overview = Overview::of(view, missing, &self.context.stops, now);
        let mut next = LOOK;
        for (id, policy) in view.declared.policies.iter() {
            let known = newest(self.policies.get(id), policy.meta(), policy.status());
            let policy_as_known = with_status(policy, known.cloned());
            let desired = overview.status(&policy_as_known, now);
            let urgency = urgency_of_policy(known, &desired);
            match due(self.policies.get(id), urgency) {
                None => {}
                Some(wait) if !wait.is_zero() => next = next.min(wait),
                Some(_) => {
                    let outcome = self.write_policy(policy, &desired).await;
                    next = next.min(self.note("policy", outcome.as_ref().err()));
                    if outcome.is_ok() {
                        self.tell(
                            &policy_reference(policy),
                            known.map(|known| &known.conditions),
                            &desired.conditions,
                        );
                    }
                    let written = Written::of(policy.meta(), outcome, desired);
                    self.policies.insert(id.clone(), written);
                }
            }
        }
        next
    }

    async fn flush_exceptions(&mut self, view: &View, now: Timestamp) -> Duration {
        let mut next = LOOK;
        if !view.complete {
            return next;
        }
        let evaluations = view.results.outcomes().map(|(_, outcome)| &outcome.evaluation);
        let states = view.exceptions.states(&view.policies, &view.world, evaluations, now);
        for (id, state) in states {
            let key: Key = (
                id.namespace.as_deref().unwrap_or_default().to_owned(),
                id.name.to_string(),
            );
            let Some(exception) = view.declared.exceptions.get(&key) else {
                continue;
            };
            let known = newest(self.exceptions.get(&key), exception.meta(), exception.status());
            let desired = exception_status(&exception_with_status(exception, known.cloned()), &state, now);
            let urgency = match known {
                Some(known) if *known == desired => Urgency::None,
                Some(known) if known.conditions == desired.conditions => Urgency::Counts,
                _ => Urgency::Urgent,
            };
            match due(self.exceptions.get(&key), urgency) {
                None => {}
                Some(wait) if !wait.is_zero() => next = next.min(wait),
                Some(_) => {
                    let outcome = self.write_exception(exception, &desired).await;
                    next = next.min(self.note("exception", outcome.as_ref().err()));
                    if outcome.is_ok() {
                        let about = exception_reference(exception);
                        self.tell(&about, known.map(|known| &known.conditions), &desired.conditions);
                    }
                    let written = Written::of(exception.meta(), outcome, desired);
                    self.exceptions.insert(key, written);
                }
            }
        }
        next
    }

    async fn write_policy(&self, policy: &Policy, status: &PolicyStatus) -> Result<Option<String>, WriteError> {
        let name = policy.meta().name.as_deref().unwrap_or_default();
        match policy {
            Policy::Cluster(_) => {
                let api = Api::<ClusterHardeningPolicy>::all(self.context.client.clone());
                let stored = write_status(&api, &self.context.leadership, name, status).await?;
                Ok(stored.metadata.resource_version)
            }
            Policy::Namespaced(policy) => {
                let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
                let api = Api::<HardeningPolicy>::namespaced(self.context.client.clone(), namespace);
                let stored = write_status(&api, &self.context.leadership, name, status).await?;
                Ok(stored.metadata.resource_version)
            }
        }
    }

    async fn write_exception(
        &self,
        exception: &Exception,
        status: &ExceptionStatus,
    ) -> Result<Option<String>, WriteError> {
        let name = exception.meta().name.as_deref().unwrap_or_default();
        match exception {
            Exception::Cluster(_) => {
                let api = Api::<ClusterHardeningException>::all(self.context.client.clone());
                let stored = write_status(&api, &self.context.leadership, name, status).await?;
                Ok(stored.metadata.resource_version)
            }
            Exception::Namespaced(exception) => {
                let namespace = exception.metadata.namespace.as_deref().unwrap_or_default();
                let api = Api::<HardeningException>::namespaced(self.context.client.clone(), namespace);
                let stored = write_status(&api, &self.context.leadership, name, status).await?;
                Ok(stored.metadata.resource_version)
            }
        }
    }

    /// Counts and logs the outcome of a write; says when to look again.
    fn note(&self, kind: &'static str, error: Option<&WriteError>) -> Duration {
        let Some(error) = error else {
            self.old_definitions.store(false, Ordering::Relaxed);
            self.context.happenings.status_written(kind, "ok");
            return LOOK;
        };
        self.context.happenings.status_written(kind, error.category());
        if error.is_gone() || matches!(error, WriteError::NotLeading) {
            return LOOK;
        }
        self.context.happenings.failed("status", error.category());
        if matches!(error, WriteError::OldDefinition(_)) {
            self.old_definitions.store(true, Ordering::Relaxed);
        }
        tracing::warn!(kind, error = %error, "status was not written, trying again");
        AFTER_FAILURE
    }

    /// Events about conditions that turned and that somebody has to do something about.
    fn tell(&self, about: &ObjectReference, before: Option<&Vec<Condition>>, now: &[Condition]) {
        for (type_, reason) in TOLD {
            let Some(condition) = get(now, type_).filter(|condition| condition.status == ConditionStatus::False) else {
                continue;
            };
            let was = before.and_then(|before| get(before, type_));
            let turned = was.is_none_or(|was| was.status != condition.status || was.reason != condition.reason);
            if turned && (reason != EventReason::ExceptionExpired || condition.reason == reasons::EXPIRED) {
                self.context.reporter.report(Event {
                    reason,
                    regarding: about.clone(),
                    related: None,
                    note: condition.message.clone(),
                });
            }
        }
    }

    fn forget(&mut self, view: &View) {
        self.policies.retain(|id, _| view.declared.policies.contains_key(id));
        self.exceptions
            .retain(|key, _| view.declared.exceptions.contains_key(key));
    }
}

impl<S> Written<S> {
    fn of(meta: &ObjectMeta, outcome: Result<Option<String>, WriteError>, status: S) -> Self {
        let failed = outcome.is_err();
        Self {
            uid: meta.uid.clone(),
            status: (!failed).then_some(status),
            version: outcome.ok().flatten(),
            at: Instant::now(),
            failed,
        }
    }
}

/// The status as stored: what the watch saw, unless we wrote something newer that has not come back yet.
fn newest<'a, S>(written: Option<&'a Written<S>>, meta: &ObjectMeta, seen: Option<&'a S>) -> Option<&'a S> {
    let number = |version: Option<&String>| version.and_then(|version| version.parse::<u64>().ok());
    match written {
        Some(written)
            if written.uid == meta.uid
                && written.status.is_some()
                && number(written.version.as_ref()) > number(meta.resource_version.as_ref()) =>
        {
            written.status.as_ref()
        }
        _ => seen,
    }
}

/// How long a difference still has to wait; `None` if there is none.
fn due<S>(written: Option<&Written<S>>, urgency: Urgency) -> Option<Duration> {
    let least = match urgency {
        Urgency::None => return None,
        Urgency::Counts => COUNTS,
        Urgency::Urgent => URGENT,
    };
    let Some(written) = written else {
        return Some(Duration::ZERO);
    };
    let least = if written.failed { AFTER_FAILURE } else { least };
    Some(least.saturating_sub(written.at.elapsed()))
}

fn urgency_of_policy(known: Option<&PolicyStatus>, desired: &PolicyStatus) -> Urgency {
    let Some(known) = known else { return Urgency::Urgent };
    if known == desired {
        return Urgency::None;
    }
    let says = |status: &PolicyStatus| -> BTreeSet<(String, ConditionStatus, String)> {
        let conditions = status.conditions.iter();
        conditions
            .map(|condition| (condition.type_.clone(), condition.status, condition.reason.clone()))
            .collect()
    };
    if known.observed_generation != desired.observed_generation || says(known) != says(desired) {
        Urgency::Urgent
    } else {
        Urgency::Counts
    }
}

fn policy_reference(policy: &Policy) -> ObjectReference {
    match policy {
        Policy::Cluster(policy) => policy.object_ref(&()),
        Policy::Namespaced(policy) => policy.object_ref(&()),
    }
}

fn exception_reference(exception: &Exception) -> ObjectReference {
    match exception {
        Exception::Cluster(exception) => exception.object_ref(&()),
        Exception::Namespaced(exception) => exception.object_ref(&()),
    }
}

fn with_status(policy: &Policy, status: Option<PolicyStatus>) -> Policy {
    let mut policy = policy.clone();
    match &mut policy {
        Policy::Cluster(policy) => policy.status = status,
        Policy::Namespaced(policy) => policy.status = status,
    }
    policy
}

fn exception_with_status(exception: &Exception, status: Option<ExceptionStatus>) -> Exception {
    let mut exception = exception.clone();
    match &mut exception {
        Exception::Cluster(exception) => exception.status = status,
        Exception::Namespaced(exception) => exception.status = status,
    }
    exception
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(ago: Duration, version: &str) -> Written<PolicyStatus> {
        Written {
            uid: None,
            version: Some(version.to_owned()),
            status: Some(PolicyStatus {
                score_percent: Some(50),
                ..PolicyStatus::default()
            }),
            at: Instant::now().checked_sub(ago).unwrap(),
            failed: false,
        }
    }

    #[test]
    fn the_first_write_does_not_wait_the_next_counts_do() {
        assert_eq!(due::<PolicyStatus>(None, Urgency::Counts), Some(Duration::ZERO));
        let just_now = written(Duration::from_secs(2), "1");
        assert!(due(Some(&just_now), Urgency::Counts).unwrap() > Duration::from_secs(20));
        assert_eq!(due(Some(&just_now), Urgency::Urgent), Some(Duration::ZERO));
        assert_eq!(due(Some(&just_now), Urgency::None), None);
        assert_eq!(due(Some(&written(COUNTS, "1")), Urgency::Counts), Some(Duration::ZERO));
    }

    #[test]
    fn counts_alone_are_not_urgent() {
        let known = PolicyStatus {
            score_percent: Some(50),
            ..PolicyStatus::default()
        };
        let mut desired = known.clone();
        assert_eq!(urgency_of_policy(Some(&known), &desired), Urgency::None);
        desired.score_percent = Some(60);
        assert_eq!(urgency_of_policy(Some(&known), &desired), Urgency::Counts);
        desired.observed_generation = Some(2);
        assert_eq!(urgency_of_policy(Some(&known), &desired), Urgency::Urgent);
    }

    #[test]
    fn our_own_write_counts_until_the_watch_has_seen_it() {
        let written = written(Duration::ZERO, "20");
        let seen = PolicyStatus::default();
        let meta = |version: &str| ObjectMeta {
            resource_version: Some(version.to_owned()),
            ..ObjectMeta::default()
        };
        assert_eq!(
            newest(Some(&written), &meta("19"), Some(&seen)).unwrap().score_percent,
            Some(50)
        );
        assert_eq!(newest(Some(&written), &meta("20"), Some(&seen)), Some(&seen));
        assert_eq!(newest(Some(&written), &meta("21"), None), None);
    }
}
