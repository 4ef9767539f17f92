//! What became of the fields that an attempt wrote: still ours, undone by somebody, or part of a template that somebody else has changed since.

use serde_json::Value;

use super::{Attempt, Live};
use crate::model::Workload;
use crate::plan::{Application, Change, Disposition, Held, Plan, Written};

/// Fate of an attempt's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The template is exactly the one that the attempt made.
    Intact,
    /// Somebody else changed the template; our fields are still there, or hold other values that pass.
    Kept,
    /// Somebody took our fields away and the finding is back.
    Undone,
    /// The containers of our fields are gone, and the fields with them.
    Dropped,
}

/// Whether one written leaf is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Kept,
    Replaced,
    ContainerGone,
}

/// The fate of an attempt.
pub(super) fn of(live: &Live<'_>, attempt: &Attempt, plan: Option<&Plan>) -> Fate {
    let template = &live.workload.template;
    if template.hash == attempt.template_after {
        return Fate::Intact;
    }
    if Some(template.hash) == attempt.template_before {
        return Fate::Undone;
    }
    let record = live
        .applied
        .as_ref()
        .and_then(|applied| applied.applied.iter().find(|a| a.attempt == attempt.id));
    match record {
        Some(application) => of_application(live.workload, application, plan),
        // Whoever takes the record away (`kubectl rollout undo` does) leaves only the findings to tell.
        None if fails_again(attempt, plan) => Fate::Undone,
        None => Fate::Kept,
    }
}

/// Whether fields of any recorded repair were taken away and the finding is back, whatever is remembered: the record outlives our own objects.
pub(super) fn any_undone(live: &Live<'_>, plan: Option<&Plan>) -> bool {
    live.applied.as_ref().is_some_and(|applied| {
        applied
            .applied
            .iter()
            .any(|application| of_application(live.workload, application, plan) == Fate::Undone)
    })
}

/// Whether everything that a recorded repair wrote is still there, as far as its containers are.
pub(super) fn stands(workload: &Workload, application: &Application) -> bool {
    let template = workload.template.json();
    let all: Vec<Standing> = application
        .undo
        .iter()
        .map(|written| standing(written, &template))
        .collect();
    all.contains(&Standing::Kept) && !all.contains(&Standing::Replaced)
}

fn of_application(workload: &Workload, application: &Application, plan: Option<&Plan>) -> Fate {
    let template = workload.template.json();
    let mut kept = false;
    for written in &application.undo {
        match standing(written, &template) {
            Standing::Replaced if plan.is_some_and(|plan| wants_again(plan, written)) => return Fate::Undone,
            Standing::Kept | Standing::Replaced => kept = true,
            Standing::ContainerGone => {}
        }
    }
    if kept { Fate::Kept } else { Fate::Dropped }
}

fn standing(written: &Written, template: &Value) -> Standing {
    let Some(spec) = template.get("spec") else {
        return Standing::ContainerGone;
    };
    let base = match &written.container {
        None => Some(spec),
        Some(name) => ["containers", "initContainers"].iter().find_map(|list| {
            let named = |container: &&Value| container.get("name").and_then(Value::as_str) == Some(name);
            spec.get(list)?.as_array()?.iter().find(named)
        }),
    };
    let Some(base) = base else {
        return Standing::ContainerGone;
    };
    let (path, item) = match written.path.strip_suffix("[]") {
        Some(list) => (list, true),
        None => (written.path.as_str(), false),
    };
    let value = path.split('.').try_fold(base, |at, step| at.get(step));
    let holds = match value {
        Some(Value::Array(items)) if item => items.contains(&written.wrote),
        Some(value) => *value == written.wrote,
        None => false,
    };
    if holds { Standing::Kept } else { Standing::Replaced }
}

/// Whether a plan would write the same place again, or would but for whoever states it now: an owner that puts its own value back has undone the repair as
/// much as a person has.
fn wants_again(plan: &Plan, written: &Written) -> bool {
    let tail = format!("/{}", written.path.trim_end_matches("[]").replace('.', "/"));
    let same = |change: &Change| {
        let pointer = change
            .pointer
            .trim_end_matches(|c: char| c.is_ascii_digit() || c == '/');
        change.container == written.container && (change.pointer.ends_with(&tail) || pointer.ends_with(&tail))
    };
    let stated = |held: &Held| match held {
        Held::FieldOwned { pointer, .. } => pointer.ends_with(&tail),
        _ => false,
    };
    let held = match &plan.disposition {
        Disposition::Held(reasons) => reasons.as_slice(),
        _ => &[],
    };
    plan.changes.iter().any(same) || plan.left_out.iter().any(|(_, held)| stated(held)) || held.iter().any(stated)
}

fn fails_again(attempt: &Attempt, plan: Option<&Plan>) -> bool {
    plan.is_some_and(|plan| {
        plan.controls
            .iter()
            .any(|control| attempt.controls.contains(control.as_str()))
    })
}
