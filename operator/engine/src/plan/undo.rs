//! Taking back what a record says was written: after a failed rollout (one attempt), or because a human asks for it (everything).
//!
//! The record is an annotation on a foreign object, so it is a claim. It is believed only for the object that it names, only at places that some
//! control can write, and only where the live value still is the written one. What somebody else has changed since is theirs.

use json_patch::{Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::{Value, json};

use super::applied::{ANNOTATION, Application, Applied, Written};
use super::patch::{annotation_path, remove, replace, test};
use super::place::find_container;
use crate::controls::Control;
use crate::model::{Kind, Workload};

/// How much is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// What one attempt wrote: a rollback. Earlier repairs stay, and stay recorded.
    Attempt(i64),
    /// Everything that is recorded: a revert.
    All,
}

/// A patch that takes back what is still there.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    /// Guarded patch, our annotation included: removed, or reduced to the repairs that stay.
    pub patch: Patch,
    /// Places (`web: securityContext.allowPrivilegeEscalation`) that hold another value now and are left alone.
    pub left: Vec<String>,
}

/// Why nothing at all is taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UndoRefused {
    /// The record was copied from another object, or the object was created anew.
    #[error("the record was written for another object (uid {recorded})")]
    OtherObject {
        /// UID in the record.
        recorded: String,
    },
    /// The record names a place that no control writes: it is forged or broken.
    #[error("the record names {path}, which no control writes")]
    NotOurs {
        /// The place.
        path: String,
    },
    /// The record has no such attempt.
    #[error("attempt {attempt} is not recorded")]
    NoSuchAttempt {
        /// Number of the attempt.
        attempt: i64,
    },
}

/// The patch that takes back what `record` says was written on `live` (the whole object as JSON). `catalogue` is the list of controls whose
/// declared places may be written.
pub fn undo_from(
    record: &Applied,
    scope: Scope,
    kind: Kind,
    live: &Value,
    catalogue: &[&Control],
) -> Result<Undo, UndoRefused> {
    if live.pointer("/metadata/uid").and_then(Value::as_str) != Some(record.uid.as_str()) {
        return Err(UndoRefused::OtherObject {
            recorded: record.uid.clone(),
        });
    }
    for written in record.applied.iter().flat_map(|application| &application.undo) {
        believe(written, catalogue)?;
    }
    let (taken_back, stays): (Vec<&Application>, Vec<&Application>) =
        record.applied.iter().partition(|application| match scope {
            Scope::All => true,
            Scope::Attempt(attempt) => application.attempt == attempt,
        });
    if let (Scope::Attempt(attempt), true) = (scope, taken_back.is_empty()) {
        return Err(UndoRefused::NoSuchAttempt { attempt });
    }
    let mut unwinding = Unwinding::of(kind, live.clone());
    for application in taken_back {
        unwinding.application(application);
    }
    let stays = Applied::of(&record.uid, stays.into_iter().cloned().collect());
    Ok(unwinding.finish(&record.uid, live, stays.as_ref()))
}

/// Earlier repairs whose values are still in place, seen from the newest back. What cannot be ours is dropped.
pub(super) fn still_in_place(record: &Applied, kind: Kind, live: &Value, catalogue: &[&Control]) -> Vec<Application> {
    let mut unwinding = Unwinding::of(kind, live.clone());
    record
        .applied
        .iter()
        .map(|application| {
            let mut ours = application.clone();
            ours.undo.retain(|written| believe(written, catalogue).is_ok());
            ours.undo = unwinding.application(&ours);
            ours
        })
        .filter(|application| !application.undo.is_empty())
        .collect()
}

fn believe(written: &Written, catalogue: &[&Control]) -> Result<(), UndoRefused> {
    let path = written.catalogue_path();
    let known = catalogue.iter().any(|control| control.writes.contains(&path.as_str()));
    let (steps, item) = written.steps();
    let parents = if item { steps.len() } else { steps.len() - 1 };
    let possible = usize::from(written.made) <= parents && !(item && written.was.is_some());
    if known && possible {
        Ok(())
    } else {
        Err(UndoRefused::NotOurs { path })
    }
}

/// A live object while it is taken back step by step.
struct Unwinding {
    pod_spec: String,
    object: Value,
    /// Tests of container names and of values written.
    tests: Vec<PatchOperation>,
    operations: Vec<PatchOperation>,
    /// Pointers of parents that were created with a leaf, the nearest first for each leaf.
    made: Vec<String>,
    left: Vec<String>,
}

impl Unwinding {
    fn of(kind: Kind, object: Value) -> Self {
        Self {
            pod_spec: format!("{}/spec", Workload::template_pointer(kind)),
            object,
            tests: Vec::new(),
            operations: Vec::new(),
            made: Vec::new(),
            left: Vec::new(),
        }
    }

    /// Takes back what is still there of one repair, and returns that part of it.
    fn application(&mut self, application: &Application) -> Vec<Written> {
        let mut undone = Vec::new();
        for written in application.undo.iter().rev() {
            if self.leaf(written).is_some() {
                undone.push(written.clone());
            } else {
                let place = written.container.as_deref().map(|name| format!("{name}: "));
                self.left.push(format!("{}{}", place.unwrap_or_default(), written.path));
            }
        }
        self.prune();
        undone.reverse();
        undone
    }

    /// Takes back one leaf, if it still holds what was written.
    fn leaf(&mut self, written: &Written) -> Option<()> {
        let container = match &written.container {
            Some(name) => find_container(self.object.pointer(&self.pod_spec)?, name)?,
            None => String::new(),
        };
        let base = format!("{}{container}", self.pod_spec);
        let (steps, item) = written.steps();
        let mut pointer = steps.iter().fold(base.clone(), |at, step| format!("{at}/{step}"));
        if item {
            let items = self.object.pointer(&pointer)?.as_array()?;
            let index = items.iter().position(|item| *item == written.wrote)?;
            pointer = format!("{pointer}/{index}");
        } else if self.object.pointer(&pointer)? != &written.wrote {
            return None;
        }
        if let Some(name) = &written.container {
            let guard = test(&format!("{base}/name"), json!(name));
            if !self.tests.contains(&guard) {
                self.tests.push(guard);
            }
        }
        self.operations.push(test(&pointer, written.wrote.clone()));
        match &written.was {
            Some(was) => {
                self.operations.push(replace(&pointer, was.clone()));
                *self.object.pointer_mut(&pointer)? = was.clone();
            }
            None => self.remove(&pointer)?,
        }
        let mut parent = pointer.as_str();
        for _ in 0..written.made {
            parent = parent.rsplit_once('/')?.0;
            self.made.push(parent.to_owned());
        }
        Some(())
    }

    /// Removes parents that were created for leaves which are gone, unless somebody put something else into them.
    fn prune(&mut self) {
        let mut made = std::mem::take(&mut self.made);
        made.sort_by_key(|pointer| std::cmp::Reverse(pointer.matches('/').count()));
        made.dedup();
        for parent in made {
            let empty = match self.object.pointer(&parent) {
                Some(Value::Object(fields)) => fields.is_empty(),
                Some(Value::Array(items)) => items.is_empty(),
                _ => false,
            };
            if empty {
                self.remove(&parent);
            }
        }
    }

    fn remove(&mut self, pointer: &str) -> Option<()> {
        let (parent, last) = pointer.rsplit_once('/')?;
        match self.object.pointer_mut(parent)? {
            Value::Object(fields) => drop(fields.remove(last)?),
            Value::Array(items) => drop(items.remove(last.parse().ok()?)),
            _ => return None,
        }
        self.operations.push(remove(pointer));
        Some(())
    }

    /// All guards, then the steps, then our annotation.
    fn finish(self, uid: &str, live: &Value, stays: Option<&Applied>) -> Undo {
        let mut operations = vec![test("/metadata/uid", json!(uid))];
        if let Some(generation) = live.pointer("/metadata/generation") {
            operations.push(test("/metadata/generation", generation.clone()));
        }
        operations.extend(self.tests);
        operations.extend(self.operations);
        let annotation = live
            .get("metadata")
            .and_then(|metadata| metadata.get("annotations")?.get(ANNOTATION));
        if let Some(text) = annotation {
            operations.push(PatchOperation::Test(TestOperation {
                path: annotation_path(),
                value: text.clone(),
            }));
            operations.push(match stays {
                Some(record) => PatchOperation::Replace(ReplaceOperation {
                    path: annotation_path(),
                    value: json!(record.text()),
                }),
                None => PatchOperation::Remove(RemoveOperation {
                    path: annotation_path(),
                }),
            });
        }
        Undo {
            patch: Patch(operations),
            left: self.left,
        }
    }
}
