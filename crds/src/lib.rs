//! Custom resources of Ironside: the five kinds of group `hardening.ironside.dev` as Rust types, their validation rules and their generated
//! definitions.
//!
//! This crate owns the wire format and nothing else. It must not know how a policy is evaluated, planned or applied: no client, no runtime,
//! no clock. Domain types with invariants live in the engine, which parses these once.
//!
//! Every doc comment on a serialized type or field is what a user reads in `kubectl explain`.

// kube's KubeSchema derive repeats each struct, `pub` and all, inside a function body.
#![allow(unreachable_pub)]
// clippy takes the `type_` of several printer columns for one attribute.
#![allow(clippy::duplicated_attributes)]

#[cfg(feature = "cases")]
pub mod cases;
pub mod conditions;
mod definitions;
mod display;
pub mod duration;
pub mod exception;
pub mod names;
pub mod policy;
pub mod remediation;
mod schema;
pub mod selector;
pub mod time;

pub use conditions::{Condition, ConditionStatus};
pub use definitions::definitions;
pub use duration::Duration;
pub use exception::{
    ClusterHardeningException, ClusterHardeningExceptionSpec, ExceptionEffect, ExceptionSpec, ExceptionStatus,
    ExceptionTarget, HardeningException, HardeningExceptionSpec,
};
pub use names::{API_VERSION, GROUP, VERSION};
pub use policy::{
    ClusterHardeningPolicy, ClusterHardeningPolicySpec, ControlMode, ControlOverride, HardeningPolicy,
    HardeningPolicySpec, Mode, PolicySpec, PolicyStatus, Profile, ProfileName,
};
pub use remediation::{
    Decision, DecisionAction, HardeningRemediation, HardeningRemediationSpec, Phase, RemediationStatus, Risk, Target,
};
pub use selector::LabelSelector;
pub use time::Time;

/// Whether a value is its type's default: such fields are left out when an object is written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
