//! Keeps the status of policies and exceptions what it should be. One task, the only sender; the leader's alone.
//!
//! What should be is computed from the view and compared with what is stored; equal means no request. A new spec and a flipped condition are written at
//! once; counts at most every 30 s. The first change after a quiet time never waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironside_crds::conditions::{get, reasons, types};
use ironside_crds::{
    ClusterHardeningException, ClusterHardeningPolicy, Condition, ConditionStatus, ExceptionStatus, HardeningException,
    HardeningPolicy, PolicyStatus,
};
use ironside_engine::policy::PolicyId;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Api, Resource as _};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::due::{AFTER_FAILURE, Written, due, newest, urgency_of_exception, urgency_of_policy};
use super::event::{Event, EventReason};
use super::exception_status::exception_status;
use super::facts::Overview;
use super::patch::{WriteError, write_status};
use crate::cluster::permissions::Missing;
use crate::process::Context;
use crate::reconcile::declared::Key;
use crate::reconcile::{Exception, Policy, View};

/// Changes of the view are gathered for so long before status is computed from them.
const GATHER: Duration = Duration::from_millis(100);

/// Status is computed anew after this time even if nothing was seen: staleness and pauses depend on time.
const LOOK: Duration = Duration::from_secs(5);

/// Writes status.
pub struct StatusWriter {
    context: Context,
    missing: watch::Receiver<Arc<Missing>>,
    /// Set when the definitions in the cluster are older than this program.
    old_definitions: Arc<AtomicBool>,
    policies: BTreeMap<PolicyId, Written<PolicyStatus>>,
    exceptions: BTreeMap<Key, Written<ExceptionStatus>>,
}

/// Conditions whose turning to False is an event.
const TOLD: [(&str, EventReason); 3] = [
    (types::CONTROLS_RESOLVED, EventReason::ControlUnknown),
    (types::PERMISSIONS_GRANTED, EventReason::PermissionDenied),
    (types::EFFECTIVE, EventReason::ExceptionExpired),
];

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
            let urgency = urgency_of_exception(known, &desired);
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

    /// Events about conditions that turned and that somebody has to do something about. The stored condition is the memory: each turn is told once, also
    /// over restarts.
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
        let expiring = |conditions: &[Condition]| {
            get(conditions, types::EFFECTIVE)
                .filter(|it| it.reason == reasons::EXPIRING)
                .cloned()
        };
        if let (Some(condition), None) = (expiring(now), before.and_then(|before| expiring(before))) {
            self.context.reporter.report(Event {
                reason: EventReason::ExceptionExpiring,
                regarding: about.clone(),
                related: None,
                note: condition.message,
            });
        }
    }

    fn forget(&mut self, view: &View) {
        self.policies.retain(|id, _| view.declared.policies.contains_key(id));
        self.exceptions
            .retain(|key, _| view.declared.exceptions.contains_key(key));
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
