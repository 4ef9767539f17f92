//! Undoing: the patch for it, and the phases Reverting and Reverted, when a human asks.

use jiff::Timestamp;
use json_patch::Patch;
use serde_json::{Value, json};

use super::{Answer, Live, Observed, Phase, Reason, Record, Sent, Step, answer, blocked_until, event, wants_revert};
use crate::controls::CONTROLS;
use crate::model::{TemplateHash, Workload};
use crate::plan::{self, Scope};
use crate::remediate::{Action, Attempt, Effect, EventKind};

/// Starts to undo everything that is recorded on the target, because a human asked. Who asked is part of the history.
pub(super) fn begin(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    let mut next = record.clone();
    if let Some(decision) = wants_revert(record, seen) {
        next.decided_generation = decision.generation;
        next.note_as(Reason::RevertRequested, now, &decision.by);
    }
    if live.applied.is_none() {
        return reverted(record, next, live, now);
    }
    next.enter(
        Phase::Reverting,
        Reason::RevertRequested,
        "being undone because a human asked",
        now,
    );
    send(record, next, seen, live, now)
}

/// Reverting: sends until nothing of ours is left. What somebody else has changed since stays as it is.
pub(super) fn reverting(record: &Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    if live.applied.is_none() {
        return reverted(record, record.clone(), live, now);
    }
    send(record, record.clone(), seen, live, now)
}

fn send(record: &Record, mut next: Record, seen: &Observed<'_>, live: &Live<'_>, now: Timestamp) -> Step {
    if let Some(outcome) = answer(seen, live, &Sent::Undo) {
        if let Answer::Refused(why) = &outcome.answer {
            next.enter(Phase::Held, Reason::Denied, format!("undo was refused: {why}"), now);
            return Step::to(record, next, []);
        }
        if let Some(until) = blocked_until(outcome, now) {
            return Step::to(record, next, [Effect::WakeAt(until)]);
        }
    }
    match everything(live) {
        Ok(patch) => Step::to(record, next, [Effect::Undo { patch }]),
        Err(why) => {
            next.enter(Phase::Held, Reason::Irreversible, why, now);
            Step::to(record, next, [])
        }
    }
}

fn reverted(record: &Record, mut next: Record, live: &Live<'_>, now: Timestamp) -> Step {
    if let Some(attempt) = &mut next.attempt {
        attempt.rolled_back_at.get_or_insert(now);
    }
    next.enter(
        Phase::Reverted,
        Reason::RevertRequested,
        "nothing that Ironside wrote is left; only a human's Retry or Approve starts again",
        now,
    );
    let note = format!("repairs of {} were undone on request", live.workload.reference());
    Step::to(record, next, [event(EventKind::Reverted, note)])
}

fn everything(live: &Live<'_>) -> Result<Patch, String> {
    let Some(applied) = &live.applied else {
        return Err("nothing is recorded on the target".to_owned());
    };
    plan::undo_from(
        applied,
        Scope::All,
        live.workload.kind,
        &object(live.workload),
        CONTROLS,
    )
    .map(|undo| undo.patch)
    .map_err(|refused| refused.to_string())
}

/// The patch that takes an attempt back exactly: afterwards the template is the one before. Anything less is refused, whatever the record on the target says,
/// because the hash of the template before stands in our own status, where nobody else writes.
pub(super) fn exactly(attempt: &Attempt, live: &Live<'_>) -> Result<Patch, String> {
    let Some(applied) = &live.applied else {
        return Err("the record of the repair is gone from the target".to_owned());
    };
    let object = object(live.workload);
    let kind = live.workload.kind;
    let undo = plan::undo_from(applied, Scope::Attempt(attempt.id), kind, &object, CONTROLS)
        .map_err(|refused| refused.to_string())?;
    let after = patched_template(live.workload, &object, &undo.patch)?;
    if Some(after) == attempt.template_before {
        Ok(undo.patch)
    } else {
        Err("the record on the target does not lead back to the template before".to_owned())
    }
}

/// Hash of the template that a patch makes of an object.
pub(super) fn patched_template(workload: &Workload, object: &Value, patch: &Patch) -> Result<TemplateHash, String> {
    let mut after = object.clone();
    json_patch::patch(&mut after, patch).map_err(|error| error.to_string())?;
    after
        .pointer(Workload::template_pointer(workload.kind))
        .map(TemplateHash::of)
        .ok_or_else(|| "the object has no template".to_owned())
}

/// The part of the object that patches are made for: identity, our record, the template.
pub(super) fn object(workload: &Workload) -> Value {
    let meta = &workload.meta;
    let mut object = json!({"metadata": {
        "name": meta.name,
        "namespace": meta.namespace,
        "uid": meta.uid,
        "generation": meta.generation,
        "resourceVersion": meta.resource_version,
    }});
    if !meta.annotations.is_empty() {
        object["metadata"]["annotations"] = json!(meta.annotations);
    }
    let mut at = &mut object;
    for step in Workload::template_pointer(workload.kind).split('/').skip(1) {
        at = &mut at[step];
    }
    *at = workload.template.json();
    object
}

/// Whether a decision lets a reverted target go on.
pub(super) fn resumes(action: Action) -> bool {
    matches!(action, Action::Retry | Action::Approve)
}
