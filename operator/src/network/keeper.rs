//! The task that keeps the networks of namespaces as their policies ask: looks at a namespace when something about it changed, and does what follows.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use ironside_crds::remediation::DecisionAction;
use ironside_crds::{HardeningRemediation, Phase, RemediationStatus};
use ironside_engine::model::Kind;
use ironside_engine::model::network::ApiServerBackend;
use ironside_engine::network::generate::CONTROL;
use ironside_engine::network::restore::reverted;
use ironside_engine::network::{Decision, NetworkPlan, Settings, Start, Step};
use ironside_engine::plan::Held;
use ironside_engine::policy::Limits;
use jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::live::live;
use super::place::{Place, SHOWN};
use super::record;
use super::standing::{Circumstances, Next, next};
use super::steps::{Left, StepError, send};
use crate::metrics::happenings::{Outcome, actor_class};
use crate::process::Context;
use crate::reconcile::{Dirty, Policy, View};
use crate::report::event::{self, Event, EventReason};
use crate::report::write_status;

/// What other namespaces say about one is looked at so long after a change: their pods take longer to start.
const ELSEWHERE: Duration = Duration::from_secs(1);
/// Pauses after failures: the first, and the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_mins(2);

/// The task's state.
pub struct Keeper {
    context: Context,
    places: BTreeMap<String, Place>,
    /// When to look at which namespace.
    due: BTreeMap<String, Instant>,
    callers: Arc<Vec<ApiServerBackend>>,
}

impl Keeper {
    /// A keeper for the operator's cluster.
    pub fn new(context: Context) -> Self {
        Self {
            context,
            places: BTreeMap::new(),
            due: BTreeMap::new(),
            callers: Arc::default(),
        }
    }

    /// Works until `stop`, or until nothing is seen any more.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut subscription = self.context.views.subscribe();
        let mut epochs = self.context.leadership.epochs();
        loop {
            let due = self.due.values().min().copied();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = subscription.changed() => match changed {
                    Some((view, dirty)) => self.note(&view, &dirty),
                    None => return,
                },
                changed = epochs.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // What another process wrote meanwhile is in the view; what this one remembers may be older.
                    self.places.clear();
                    self.note_all(&self.context.views.latest());
                }
                () = sleep_until(due) => {}
            }
            let view = self.context.views.latest();
            if !view.complete || !self.context.leadership.leads() {
                continue;
            }
            let now = Instant::now();
            let ready: Vec<String> = self
                .due
                .iter()
                .filter(|(_, at)| **at <= now)
                .map(|(name, _)| name.clone())
                .collect();
            for namespace in ready {
                self.due.remove(&namespace);
                self.look(&namespace).await;
                if stop.is_cancelled() {
                    return;
                }
            }
        }
    }

    /// Notes which namespaces have to be looked at after a change.
    fn note(&mut self, view: &View, dirty: &Dirty) {
        let callers = &view.world.api_server_backends;
        let everything = dirty.is_empty() || !Arc::ptr_eq(callers, &self.callers);
        self.callers = Arc::clone(callers);
        if everything {
            return self.note_all(view);
        }
        let changed: BTreeSet<&str> = dirty
            .targets
            .iter()
            .filter(|target| target.kind == Kind::Namespace)
            .map(|target| target.name.as_ref())
            .collect();
        for namespace in &changed {
            self.look_at(namespace, Duration::ZERO);
        }
        for (namespace, name) in &dirty.remediations {
            if *name == record::name(namespace) {
                self.look_at(namespace, Duration::ZERO);
            }
        }
        // Somebody else may have begun to name a Service of a namespace that is kept.
        let kept: Vec<String> = self.places.keys().cloned().collect();
        for namespace in kept.iter().filter(|_| !changed.is_empty()) {
            self.look_at(namespace, ELSEWHERE);
        }
    }

    fn note_all(&mut self, view: &View) {
        for namespace in view.world.shards.keys().filter(|name| !name.is_empty()) {
            self.look_at(namespace, Duration::ZERO);
        }
    }

    fn look_at(&mut self, namespace: &str, after: Duration) {
        let at = Instant::now() + after;
        let due = self.due.entry(namespace.to_owned()).or_insert(at);
        *due = at.min(*due);
    }

    /// Looks at a namespace and does what follows.
    async fn look(&mut self, namespace: &str) {
        let view = self.context.views.latest();
        let now = Timestamp::now();
        let stored = view
            .declared
            .remediations
            .get(&(namespace.to_owned(), record::name(namespace)))
            .cloned();
        let here = view.policies.in_namespace(&view.world, namespace);
        let mut settings = Settings::of(&here, &view.exceptions, namespace, now);
        let live = live(&view, namespace);
        let concerned = !settings.policies.is_empty() || settings.suspended || stored.is_some() || !live.is_empty();
        if !concerned {
            self.places.remove(namespace);
            return;
        }
        let place = self.places.entry(namespace.to_owned()).or_default();
        if !place.is_shown(&live) {
            return self.look_at(namespace, SHOWN);
        }
        let stated = stored.as_ref().and_then(|stored| stored.spec.decision.clone());
        let generation = stored
            .as_ref()
            .and_then(|stored| stored.metadata.generation)
            .unwrap_or(1);
        let mut before = place.status(stored.as_deref());
        let news = before.observed_generation.is_none_or(|seen| seen < generation);
        match stated.as_ref().map(|stated| stated.action) {
            Some(DecisionAction::Revert) => settings.policies.clear(),
            Some(DecisionAction::Retry) if news => {
                before.phase = None;
                before.memory.reverts.clear();
                place.refused = None;
            }
            _ => {}
        }
        let limits = here.limits();
        if let Some((_, message)) = &place.refused {
            settings.held.push(Held::Denied {
                message: message.clone(),
            });
        }
        let mut memory = record::memory(&before);
        if let Some(manager) = place.tampered(&live).filter(|_| memory.closed && memory.hold.is_none()) {
            memory = reverted(memory, &manager, now);
            self.context.happenings.conflicted(actor_class(Some(&manager)));
        }
        place.stood = live.keys().cloned().collect();
        let planned = catch_unwind(AssertUnwindSafe(|| {
            place.plan(&view, namespace, &settings, &memory, now)
        }));
        let Ok(plan) = planned else {
            tracing::error!(
                namespace,
                "planning its network panicked; this is a bug, the namespace is left alone"
            );
            self.context.happenings.panicked();
            return;
        };
        let Some(plan) = plan else { return };
        place.note_plan(&plan, now);
        let stopped = stopped(&self.context, &view, &settings);
        let circumstances = Circumstances {
            stated: stated.as_ref(),
            generation,
            limits: &limits,
            paused: view.is_paused(&record::target(namespace), now),
            stopped: stopped.as_deref(),
            guarded: view.declared.approval_guarded(),
            settled_since: place.settled.as_ref().map_or(now, |(_, since)| *since),
            now,
        };
        let next = next(&before, &plan, &circumstances);
        self.follow(namespace, stored.as_deref(), &before, &plan, next, &limits)
            .await;
    }

    /// Writes the record and takes the steps. An allow that is put back is urgent: its record comes after it.
    async fn follow(
        &mut self,
        namespace: &str,
        stored: Option<&HardeningRemediation>,
        before: &RemediationStatus,
        plan: &NetworkPlan,
        next: Next,
        limits: &Limits,
    ) {
        let urgent = next.act && plan.decision == Decision::Keep && plan.start == Start::AtOnce;
        if urgent {
            self.act(namespace, plan).await;
        }
        let recorded = match &next.status {
            Some(status) => self.write(namespace, stored, before, status).await,
            None => true,
        };
        if let Some(status) = next.status.as_ref().filter(|_| recorded) {
            self.tell(namespace, before, status, plan);
        }
        if next.act && !urgent && recorded {
            self.act(namespace, plan).await;
        }
        if let Some(wake) = next.wake {
            let wait = Duration::try_from(wake.duration_since(Timestamp::now())).unwrap_or_default();
            self.look_at(namespace, wait.max(Duration::from_millis(1)));
        }
        tracing::debug!(namespace, decision = ?plan.decision, steps = plan.steps.len(), settle = ?limits.settle, "looked at a network");
    }

    async fn act(&mut self, namespace: &str, plan: &NetworkPlan) {
        let began = Instant::now();
        let mut left = Vec::new();
        let sent = send(
            &self.context.client,
            &self.context.leadership,
            namespace,
            &plan.steps,
            &mut left,
        )
        .await;
        let place = self.places.entry(namespace.to_owned()).or_default();
        for (name, left) in left {
            match &left {
                Left::There { .. } => _ = place.stood.insert(name.clone()),
                Left::Gone { .. } => _ = place.stood.remove(&name),
            }
            place.doubt.insert(name, left);
            place.doubt_since = Some(Instant::now());
        }
        let names: Vec<&str> = plan.steps.iter().map(Step::name).collect();
        match sent {
            Ok(()) => {
                place.pause = None;
                let outcome = match plan.decision {
                    Decision::Withdraw | Decision::Hold(_) => Outcome::Reverted,
                    _ => Outcome::Applied,
                };
                self.context.happenings.remediated(CONTROL, outcome);
                let took = began.elapsed();
                tracing::info!(namespace, policies = names.join(", "), ?took, decision = ?plan.decision, "network policies written");
                // The watch will show it; if it does not, look again.
                self.look_at(namespace, SHOWN);
            }
            Err(StepError::NotLeading) => {}
            Err(error) => self.failed(namespace, plan, &error),
        }
    }

    fn failed(&mut self, namespace: &str, plan: &NetworkPlan, error: &StepError) {
        self.context.happenings.failed("network", error.category());
        self.context.happenings.remediated(CONTROL, Outcome::Failed);
        tracing::warn!(namespace, error = %error, "a network policy was not written");
        let place = self.places.entry(namespace.to_owned()).or_default();
        // What was sent before the failure is known; what the failed request did is not: the next look plans from what is there.
        let pause = place.pause.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        place.pause = Some(pause);
        if let Some(message) = error.refusal().filter(|_| plan.decision == Decision::Isolate) {
            place.refused = Some((plan.hash.clone(), message));
        }
        self.look_at(namespace, pause);
    }

    /// Writes the status if it differs. Returns whether what follows from it may be done.
    async fn write(
        &mut self,
        namespace: &str,
        stored: Option<&HardeningRemediation>,
        before: &RemediationStatus,
        status: &RemediationStatus,
    ) -> bool {
        if status == before && stored.is_some() {
            return true;
        }
        let api: Api<HardeningRemediation> = Api::namespaced(self.context.client.clone(), namespace);
        if stored.is_none() && !self.create(namespace, &api).await {
            return false;
        }
        match write_status(&api, &self.context.leadership, &record::name(namespace), status).await {
            Ok(_) => {
                let place = self.places.entry(namespace.to_owned()).or_default();
                place.written = Some(status.clone());
                true
            }
            Err(error) => {
                self.context.happenings.failed("network", error.category());
                tracing::warn!(namespace, error = %error, "the record of its network was not written");
                self.look_at(namespace, FIRST_PAUSE);
                false
            }
        }
    }

    async fn create(&mut self, namespace: &str, api: &Api<HardeningRemediation>) -> bool {
        if !self.context.leadership.leads() {
            return false;
        }
        let parameters = PostParams {
            field_manager: Some(crate::report::FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        match api.create(&parameters, &record::fresh(namespace)).await {
            Ok(_) => true,
            Err(kube::Error::Api(status)) if status.code == 409 => true,
            Err(error) => {
                self.context.happenings.failed("network", "create");
                tracing::warn!(namespace, error = %error, "the record of its network was not created");
                self.look_at(namespace, FIRST_PAUSE);
                false
            }
        }
    }

    /// Events on transitions.
    fn tell(&self, namespace: &str, before: &RemediationStatus, status: &RemediationStatus, plan: &NetworkPlan) {
        if before.phase == status.phase && before.reason == status.reason {
            return;
        }
        let reason = match status.phase {
            Some(Phase::Pending) if before.phase.is_none_or(|phase| phase == Phase::Closed) => {
                EventReason::NetworkPolicyStaged
            }
            Some(Phase::Verifying) => EventReason::RemediationApplied,
            Some(Phase::Succeeded) => EventReason::RemediationVerified,
            Some(Phase::Reverting) => EventReason::RemediationReverted,
            Some(Phase::Held) if status.reason == record::FIGHT => EventReason::ReconcileConflict,
            Some(Phase::Held) => EventReason::RemediationSkipped,
            _ => return,
        };
        if status.phase == Some(Phase::Succeeded) {
            self.context.happenings.remediated(CONTROL, Outcome::Verified);
        }
        self.context.reporter.report(Event {
            reason,
            regarding: event::reference(&plan.namespace, &plan.uid),
            related: None,
            note: format!(
                "network of namespace {namespace}: {} ({})",
                status.message, status.reason
            ),
        });
    }
}

/// Why repairs under one of the isolating policies have stopped, if they have.
fn stopped(context: &Context, view: &View, settings: &Settings) -> Option<String> {
    let policies = settings.policies.iter().filter_map(|id| view.declared.policies.get(id));
    policies
        .filter_map(|policy: &Arc<Policy>| context.stops.of(policy))
        .map(|stop| stop.message)
        .next()
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
