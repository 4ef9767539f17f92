//! What a repair wrote, as it is recorded on the target itself (annotation `hardening.ironside.dev/applied`): the undo list.
//!
//! The record travels with the change, in the same PATCH, so both exist or neither, and it survives the loss of our custom resources. It is read
//! back as input from strangers: anybody who may edit the target can write it, so [`parse_annotation`] is strict and undo trusts
//! only places that some control can write.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::place::Place;
use super::{Plan, PlanHash};

/// Key of the annotation.
pub const ANNOTATION: &str = ironside_crds::names::APPLIED_ANNOTATION;

/// Longest annotation in bytes. All annotations of an object share 256 KiB, and Deployments copy theirs to each ReplicaSet.
pub const LONGEST: usize = 8 * 1024;

/// Form of the record that is written, and the newest that is understood.
const VERSION: u32 = 1;

/// Everything that Ironside wrote on one object and that is still in place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applied {
    /// Form of the record.
    v: u32,
    /// UID of the object that it was written for. A copy of the manifest under another name, or one created anew, is not ours to undo.
    pub uid: String,
    /// Repairs, the newest first.
    pub applied: Vec<Application>,
}

/// What one attempt wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// Plan that was executed.
    pub plan: PlanHash,
    /// Number of the attempt on this target.
    pub attempt: i64,
    /// The leaves it wrote.
    pub undo: Vec<Written>,
}

/// One leaf that was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Written {
    /// Container, absent for a field of the pod spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Dotted path below the container or the pod spec; `[]` at the end means an item appended to that list.
    pub path: String,
    /// The value written.
    pub wrote: Value,
    /// The value before; absent where there was none (an explicit `null` is kept).
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    pub was: Option<Value>,
    /// How many of the nearest parents were created with it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub made: u8,
}

/// Why an annotation is not a record of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// More than [`LONGEST`] bytes.
    #[error("the record has {bytes} bytes, more than {LONGEST}")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// Not the JSON that we write.
    #[error("the record cannot be read: {0}")]
    Unreadable(String),
    /// Written by a newer Ironside.
    #[error("the record has form {0}, newer than this version of Ironside understands")]
    Newer(u32),
}

impl Applied {
    /// The record that is left when these repairs are in place; `None` if there are none.
    pub(super) fn of(uid: &str, applied: Vec<Application>) -> Option<Self> {
        let applied: Vec<_> = applied.into_iter().filter(|a| !a.undo.is_empty()).collect();
        (!applied.is_empty()).then(|| Self {
            v: VERSION,
            uid: uid.to_owned(),
            applied,
        })
    }

    /// The newest repair.
    pub fn newest(&self) -> Option<&Application> {
        self.applied.first()
    }

    /// The annotation's text.
    pub fn text(&self) -> String {
        // Strings, numbers and JSON values always serialise.
        serde_json::to_string(self).unwrap_or_default()
    }
}

impl Written {
    /// The place as the controls' catalogue names it ([`crate::controls::Control::writes`]).
    pub(super) fn catalogue_path(&self) -> String {
        match self.container {
            Some(_) => format!("containers[].{}", self.path),
            None => self.path.clone(),
        }
    }

    /// Field names of the path, and whether it means an item of the list there.
    pub(super) fn steps(&self) -> (Vec<&str>, bool) {
        match self.path.strip_suffix("[]") {
            Some(list) => (list.split('.').collect(), true),
            None => (self.path.split('.').collect(), false),
        }
    }
}

/// The annotation that goes into the same PATCH as the plan's changes. Repairs that are still in place stay recorded.
pub fn annotation(plan: &Plan, attempt: i64) -> String {
    let undo = plan
        .changes
        .iter()
        .map(|change| Written {
            container: change.container.clone(),
            path: Place::of(plan.target.kind, &change.pointer).map_or_else(String::new, |place| place.path()),
            wrote: change.to.clone(),
            was: change.from.clone(),
            made: change.made,
        })
        .collect();
    let newest = Application {
        plan: plan.hash.clone(),
        attempt,
        undo,
    };
    let all = std::iter::once(newest).chain(plan.earlier.iter().cloned()).collect();
    Applied::of(&plan.uid, all).map_or_else(String::new, |applied| applied.text())
}

/// Reads the annotation. Strict: what is not exactly what [`annotation`] writes is refused.
pub fn parse_annotation(text: &str) -> Result<Applied, Malformed> {
    #[derive(Deserialize)]
    struct Form {
        v: u32,
    }
    if text.len() > LONGEST {
        return Err(Malformed::TooLong { bytes: text.len() });
    }
    let unreadable = |error: serde_json::Error| Malformed::Unreadable(error.to_string());
    let Form { v } = serde_json::from_str(text).map_err(unreadable)?;
    if v > VERSION {
        return Err(Malformed::Newer(v));
    }
    serde_json::from_str(text).map_err(unreadable)
}

/// `"was": null` is a value, unlike an absent `was`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for this signature
fn is_zero(made: &u8) -> bool {
    *made == 0
}
