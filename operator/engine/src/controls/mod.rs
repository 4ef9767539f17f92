//! The controls: what is judged, why, and how it is repaired. One control, one file.
//!
//! A control is data ([`Control`]) plus one check and at most one repair. The registry below is the only list; documentation, `explain`, RBAC needs,
//! framework tables and the tests that every control has good and bad examples come from it.

pub mod catalogue;
pub mod control;
pub mod edit;
mod judge;
pub mod judgement;
mod live;
pub mod net;
pub mod ns;
pub mod page;
pub mod pod;
pub mod sa;
pub mod scope;

pub use control::{
    Check, Component, Control, ControlId, Docs, Framework, Mapping, Need, Parameter, Repair, RepairBy, Risk, Severity,
    Threat,
};
pub use edit::{Edit, TemplateEdit};
pub use judge::Proposal;
pub use judgement::{Evidence, Gap, Judgement, Responsibility, Verdict};
pub use scope::{ContainerScope, NamespaceScope, Parameters, TemplateScope, WorkloadScope};

/// Every control, sorted by id. Ids are never reused.
pub const CONTROLS: &[&Control] = &[
    &net::net_002::CONTROL,
    &ns::ns_001::CONTROL,
    &pod::pod_001::CONTROL,
    &pod::pod_002::CONTROL,
    &pod::pod_003::CONTROL,
    &pod::pod_005::CONTROL,
    &pod::pod_007::CONTROL,
    &pod::pod_009::CONTROL,
    &pod::pod_010::CONTROL,
    &pod::pod_011::CONTROL,
    &pod::pod_012::CONTROL,
    &pod::pod_013::CONTROL,
    &sa::sa_001::CONTROL,
];

/// The control with this id.
pub fn find(id: &str) -> Option<&'static Control> {
    CONTROLS.iter().copied().find(|control| control.id.as_str() == id)
}
