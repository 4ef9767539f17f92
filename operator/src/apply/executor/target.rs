//! One target: its step, the job that follows, and what became of it.

use std::sync::Arc;

use ironside_engine::model::{ObjectRef, Workload};
use ironside_engine::plan::Plan;
use ironside_engine::remediate::{Count, CountedOutcome, Effect, Phase, Record, step};
use jiff::Timestamp;

use super::{Executor, now};
use crate::apply::job::{Job, Report};
use crate::apply::observe::{Around, Seen};
use crate::apply::store::NotStored;
use crate::apply::{Entry, caps, convert, shown, stopping, tell};
use crate::reconcile::View;

impl Executor {
    /// One step of one target.
    pub(super) fn look_at(&mut self, view: &View, leader: Option<i64>, target: ObjectRef, now: Timestamp) {
        let planned = view.results.get(&target).is_some_and(|outcome| outcome.plan.is_some());
        if !planned && !self.entries.contains_key(&target) {
            return;
        }
        let in_flight = caps::in_flight(&self.entries, view, &target);
        let missing = Arc::clone(&self.missing.borrow());
        let entry = self.entries.entry(target.clone()).or_default();
        entry.wake = None;
        if let Some(left) = entry.outdated_for() {
            entry.wake = now.checked_add(left).ok();
            return;
        }
        let around = Around {
            view,
            missing: &missing,
            stops: &self.context.stops,
            leader,
            in_flight,
            now,
        };
        let seen = Seen::of(around, &target, entry);
        let step = step(&entry.record, &seen.observed(&target), now);
        let (workload, plan) = (seen.workload.clone(), seen.plan.as_deref().cloned());
        let mut effects = step.effects;
        let wake = effects.iter().find_map(|effect| match effect {
            Effect::WakeAt(at) => Some(*at),
            _ => None,
        });
        let lost = entry.stored.is_none() && entry.record.phase.in_flight();
        let stale = leader.is_some()
            && plan
                .as_ref()
                .is_some_and(|plan| shows_old_reasons(entry, &step.record, plan));
        if (lost || stale) && effects.first() != Some(&Effect::Persist) {
            effects.insert(0, Effect::Persist);
        }
        effects.retain(|effect| !matches!(effect, Effect::WakeAt(_)));
        if let Some(entry) = self.entries.get_mut(&target) {
            entry.wake = wake;
        }
        if effects.is_empty() {
            self.drop_if_empty(&target);
            return;
        }
        self.begin_job(view, target, &step.record, effects, workload, plan);
    }

    fn begin_job(
        &mut self,
        view: &View,
        target: ObjectRef,
        record: &Record,
        effects: Vec<Effect>,
        workload: Option<Arc<Workload>>,
        plan: Option<Plan>,
    ) {
        let creates = effects.first() == Some(&Effect::Persist)
            && self.entries.get(&target).is_some_and(|entry| entry.stored.is_none());
        let has_room = |plan| caps::Tally::with_new(view, &self.entries).has_room(&target.namespace, plan);
        if creates && !plan.as_ref().is_none_or(has_room) {
            self.drop_if_empty(&target);
            return;
        }
        let Some(entry) = self.entries.get_mut(&target) else {
            return;
        };
        if effects.first() == Some(&Effect::Persist) {
            tell::log(&target, &entry.record, record);
        }
        entry.busy = true;
        entry.claiming = record.phase == Phase::Applying;
        // Until the record says that it is over, which it does when the view shows the template as it was.
        let under_way = matches!(record.phase, Phase::RollingBack | Phase::Reverting);
        self.context.views.undoing(&target, under_way);
        let old = entry.stored.as_deref().and_then(|stored| stored.status.as_ref());
        let namespace = if target.namespace.is_empty() {
            self.context.own_namespace.to_string()
        } else {
            target.namespace.to_string()
        };
        let job = Job {
            client: self.context.client.clone(),
            leadership: self.context.leadership.clone(),
            namespace,
            stored: entry.stored.clone(),
            status: convert::status(record, plan.as_ref().map(shown::shown_plan), old),
            workload,
            plan,
            effects,
            target,
        };
        self.jobs.spawn(job.run());
    }

    /// An entry about which nothing is stored is not worth keeping.
    fn drop_if_empty(&mut self, target: &ObjectRef) {
        let empty = self.entries.get(target).is_some_and(|entry| {
            entry.stored.is_none()
                && entry.record.phase == Phase::New
                && entry.wake.is_none()
                && entry.outcome.is_none()
        });
        if empty {
            self.entries.remove(target);
        }
    }

    /// Takes in what became of a job.
    pub(super) fn finish(&mut self, report: Report) {
        let view = self.context.views.latest();
        let now = now();
        let target = report.target.clone();
        let Some(entry) = self.entries.get_mut(&target) else {
            return; // of another term
        };
        entry.busy = false;
        entry.claiming = false;
        if let Some(stored) = report.stored {
            entry.keep(stored);
        }
        match report.not_stored {
            Some(NotStored::Lost | NotStored::Unknown) => entry.outdate(),
            Some(NotStored::Refused(why)) => {
                tracing::error!(%target, error = why, "the remediation cannot be stored");
                self.context.happenings.failed("apply", "refused");
                entry.outdate();
            }
            None => {}
        }
        if let Some(outcome) = report.outcome {
            entry.answered(outcome, report.written);
        }
        self.tell(&view, &target, &report.done, now);
        self.due.insert(target);
        self.due.extend(self.waiting_for_room());
    }

    fn tell(&self, view: &View, target: &ObjectRef, done: &[Effect], now: Timestamp) {
        let Some(entry) = self.entries.get(target) else { return };
        let uid = view
            .world
            .workload(target)
            .map(|workload| workload.meta.uid.clone())
            .unwrap_or_default();
        for effect in done {
            match effect {
                Effect::Event(event) => {
                    tell::event(&self.context.reporter, event, target, &uid, entry.stored.as_deref());
                }
                Effect::Count(what) => {
                    tell::count(&self.context.happenings, what, &entry.record, now);
                    if is_rollback(what) {
                        let others = self.entries.iter().map(|(target, entry)| (target, &entry.record));
                        stopping::rolled_back(view, &self.context.stops, target, &entry.record, &others, now);
                    }
                }
                Effect::Stop => stopping::rollback_failed(view, &self.context.stops, target, &entry.record),
                _ => {}
            }
        }
    }
}

/// Whether people read other reasons for the risk of a plan than it has by now. Its hash leaves them out, so that an approval outlives their wording; what
/// somebody approves by must be what is known.
fn shows_old_reasons(entry: &Entry, record: &Record, plan: &Plan) -> bool {
    let status = entry.stored.as_deref().and_then(|stored| stored.status.as_ref());
    let shown = status.and_then(|status| status.plan.as_ref());
    let waits = matches!(record.phase, Phase::Pending | Phase::Held) && record.plan.as_ref() == Some(&plan.hash);
    waits
        && shown.is_some_and(|shown| {
            shown.hash == plan.hash.0 && shown.risk_reasons != shown::shown_plan(plan).risk_reasons
        })
}

fn is_rollback(what: &Count) -> bool {
    matches!(
        what,
        Count::Remediation {
            outcome: CountedOutcome::RolledBack,
            ..
        }
    )
}
