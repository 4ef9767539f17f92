//! From findings to plans: what would be changed on one target, at which risk, or why it is not changed.
//!
//! A plan is complete data and leaves the executor no choices. What is not done is in it too, as [`Disposition::Held`] or [`Disposition::NotRepairable`].

mod applied;
mod fields;
mod hash;
mod held;
mod image;
mod leaves;
mod lint;
mod owner;
mod patch;
mod place;
mod planning;
mod proposals;
mod risk;
mod send;
mod shape;
mod snippet;
mod standing;
#[cfg(test)]
mod tests;
mod undo;

pub use applied::{ANNOTATION, Application, Applied, LONGEST, Malformed, Written, annotation, parse_annotation};
pub use held::Held;
pub use lint::lint;
pub(crate) use owner::releases_of;
pub use planning::{plan, plan_source, plan_without};
pub use risk::without_readiness;
pub use send::{TEST_FAILED, dry_run_matches, with_annotation};
pub use snippet::ignore_snippet;
pub use undo::{Scope, Undo, UndoRefused, undo_from};

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::controls::{ControlId, Evidence, Parameters, Risk};
use crate::model::{FieldOwner, Kind, ObjectRef, TemplateHash};

/// Content hash of a plan: target, changes, risk and restart class (and the image digest where the evidence is about the image), not the whole template, so that
/// an approval survives an image bump. 64 hexadecimal digits; people use the first 12.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanHash(pub String);

impl PlanHash {
    /// The form that people read and type: 12 digits.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One change of one leaf of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// JSON pointer from the root of the target. An item appended to a list of objects (a volume, a mount) has its index as the last step.
    pub pointer: String,
    /// Container that the field belongs to.
    pub container: Option<String>,
    /// Value before, `None` where the field is absent.
    pub from: Option<Value>,
    /// Value after.
    pub to: Value,
    /// How many parents are created with it, the nearest ones (`capabilities` and `securityContext` for `drop`: 2). Undo removes exactly those again.
    pub made: u8,
    /// Controls that want it.
    pub controls: Vec<ControlId>,
    /// Who owns the field now.
    pub owner: Option<FieldOwner>,
}

/// What a change of the template restarts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restart {
    /// `RollingUpdate`, `Recreate`, `OnDelete`, `NextRun` (CronJob) or `None` (nothing restarts).
    pub strategy: &'static str,
    /// Pods that will be replaced.
    pub pods: u32,
    /// Why the restart is forbidden outside an approved plan **and** a maintenance window (long drains, `safe-to-evict: "false"`,
    /// `karpenter.sh/do-not-disrupt`): with no window in the policy it never starts. `None` for ordinary workloads.
    pub only_in_window: Option<String>,
}

/// Whether a plan can be executed.
#[derive(Clone, Debug, PartialEq)]
pub enum Disposition {
    /// It can, once approved and past the gates.
    Ready,
    /// It could be, but is not done without a human, for these reasons.
    Held(Vec<Held>),
    /// Nothing that Ironside may change would repair it: the reason, and what a person can do instead.
    NotRepairable(String),
}

/// What would be done to one target. One plan and one patch per target, whatever the number of controls.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The object that is patched: always the topmost owner.
    pub target: ObjectRef,
    /// UID that the patch tests.
    pub uid: String,
    /// Generation that the patch tests.
    pub generation: i64,
    /// Template the plan was made for.
    pub template: TemplateHash,
    /// Controls repaired, sorted.
    pub controls: Vec<ControlId>,
    /// Settings that the controls were judged with: one entry for each (control, parameters) whose finding the plan answers.
    pub judged: Vec<(ControlId, Parameters)>,
    /// Leaves changed, sorted by pointer.
    pub changes: Vec<Change>,
    /// JSON Patch (RFC 6902) with its `test` operations; without the annotation, which carries the attempt and is added when it is sent.
    pub patch: json_patch::Patch,
    /// JSON Patch that takes the template back exactly, empty parents included.
    pub undo: json_patch::Patch,
    /// Highest risk of controls and restart.
    pub risk: Risk,
    /// Why it is not Low, in words; empty for Low.
    pub risk_reasons: Vec<String>,
    /// What the restart loses and no undo brings back, in words; empty for most.
    pub irreversible: Vec<String>,
    /// What restarts.
    pub restart: Restart,
    /// Evidence of the findings that the plan answers.
    pub evidence: Vec<Evidence>,
    /// Controls that fail on the target but are left out of the patch, each with its reason.
    pub left_out: Vec<(ControlId, Held)>,
    /// Containers that an exception spares from a control of this plan.
    pub spared: Vec<(ControlId, String)>,
    /// Image digests of the pods that evidence rests on, by container; part of the hash.
    pub image_digests: Vec<(String, String)>,
    /// Earlier repairs of this object that are still in place; they stay in its annotation.
    pub earlier: Vec<Application>,
    /// Every control is in mode Preview: shown and kept fresh, never executed.
    pub preview: bool,
    /// Content hash.
    pub hash: PlanHash,
    /// Whether it can be executed.
    pub disposition: Disposition,
}

impl Plan {
    /// What the repair does to the history of the target that people use in an incident; `None` where nothing restarts and there is none.
    pub fn effect_on_history(&self) -> Option<&'static str> {
        (self.target.kind == Kind::Deployment && !self.changes.is_empty()).then_some(
            "it makes a new revision: `kubectl rollout undo` then takes back this repair, not the last release",
        )
    }
}
