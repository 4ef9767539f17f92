//! The controls: what is judged, why, and how it is repaired. One control, one file.
//!
//! A control is data ([`Control`]) plus one check and at most one repair. The registry below is the only list; documentation, `explain`, RBAC needs,
//! framework tables and the tests that every control has good and bad examples come from it.

// First: the controls use its macros.
#[macro_use]
mod kinds;
#[macro_use]
mod remedy;

pub mod api;
pub mod aud;
pub mod catalogue;
pub mod ccm;
pub mod control;
pub mod dns;
pub mod edit;
pub mod etcd;
mod id;
pub mod img;
mod judge;
pub mod judgement;
pub mod kcm;
pub mod kubelet;
mod live;
pub mod net;
pub mod node;
pub mod ns;
pub mod page;
pub mod pod;
pub mod proxy;
pub mod rbac;
pub mod res;
pub mod rt;
pub mod sa;
pub mod sched;
pub mod scope;
pub mod sec;
pub mod ver;
mod written;

pub use control::{
    Check, Component, Control, Docs, Framework, Mapping, Need, Parameter, Repair, RepairBy, Risk, Severity, Threat,
};
pub use edit::{Edit, TemplateEdit};
pub use id::ControlId;
pub use judge::Proposal;
pub use judgement::{Evidence, Gap, Judgement, Responsibility, Verdict};
pub use scope::{ContainerScope, NamespaceScope, ObjectScope, Parameters, TemplateScope, WorkloadScope};

/// Every control, sorted by id. Ids are never reused.
pub const CONTROLS: &[&Control] = &[
    &api::api_001::CONTROL,
    &api::api_002::CONTROL,
    &api::api_003::CONTROL,
    &api::api_004::CONTROL,
    &api::api_005::CONTROL,
    &api::api_006::CONTROL,
    &api::api_007::CONTROL,
    &api::api_008::CONTROL,
    &api::api_009::CONTROL,
    &api::api_010::CONTROL,
    &api::api_011::CONTROL,
    &api::api_012::CONTROL,
    &api::api_013::CONTROL,
    &aud::aud_001::CONTROL,
    &aud::aud_003::CONTROL,
    &aud::aud_004::CONTROL,
    &aud::aud_005::CONTROL,
    &ccm::ccm_001::CONTROL,
    &ccm::ccm_002::CONTROL,
    &dns::dns_001::CONTROL,
    &dns::dns_002::CONTROL,
    &dns::dns_003::CONTROL,
    &etcd::etcd_001::CONTROL,
    &etcd::etcd_002::CONTROL,
    &etcd::etcd_003::CONTROL,
    &etcd::etcd_004::CONTROL,
    &etcd::etcd_005::CONTROL,
    &img::img_001::CONTROL,
    &img::img_002::CONTROL,
    &img::img_003::CONTROL,
    &img::img_006::CONTROL,
    &kcm::kcm_001::CONTROL,
    &kcm::kcm_002::CONTROL,
    &kubelet::kubelet_001::CONTROL,
    &kubelet::kubelet_002::CONTROL,
    &kubelet::kubelet_003::CONTROL,
    &kubelet::kubelet_004::CONTROL,
    &kubelet::kubelet_005::CONTROL,
    &kubelet::kubelet_006::CONTROL,
    &kubelet::kubelet_007::CONTROL,
    &kubelet::kubelet_008::CONTROL,
    &kubelet::kubelet_009::CONTROL,
    &net::net_002::CONTROL,
    &net::net_003::CONTROL,
    &net::net_004::CONTROL,
    &net::net_005::CONTROL,
    &net::net_006::CONTROL,
    &net::net_007::CONTROL,
    &net::net_008::CONTROL,
    &net::net_009::CONTROL,
    &net::net_011::CONTROL,
    &net::net_012::CONTROL,
    &node::node_002::CONTROL,
    &node::node_003::CONTROL,
    &ns::ns_001::CONTROL,
    &ns::ns_002::CONTROL,
    &ns::ns_003::CONTROL,
    &ns::ns_004::CONTROL,
    &pod::pod_001::CONTROL,
    &pod::pod_002::CONTROL,
    &pod::pod_003::CONTROL,
    &pod::pod_004::CONTROL,
    &pod::pod_005::CONTROL,
    &pod::pod_006::CONTROL,
    &pod::pod_007::CONTROL,
    &pod::pod_008::CONTROL,
    &pod::pod_009::CONTROL,
    &pod::pod_010::CONTROL,
    &pod::pod_011::CONTROL,
    &pod::pod_012::CONTROL,
    &pod::pod_013::CONTROL,
    &pod::pod_014::CONTROL,
    &pod::pod_015::CONTROL,
    &pod::pod_016::CONTROL,
    &pod::pod_017::CONTROL,
    &pod::pod_018::CONTROL,
    &pod::pod_019::CONTROL,
    &proxy::proxy_001::CONTROL,
    &rbac::rbac_001::CONTROL,
    &rbac::rbac_002::CONTROL,
    &rbac::rbac_003::CONTROL,
    &rbac::rbac_004::CONTROL,
    &rbac::rbac_005::CONTROL,
    &rbac::rbac_006::CONTROL,
    &rbac::rbac_007::CONTROL,
    &rbac::rbac_008::CONTROL,
    &rbac::rbac_009::CONTROL,
    &rbac::rbac_010::CONTROL,
    &rbac::rbac_011::CONTROL,
    &rbac::rbac_012::CONTROL,
    &rbac::rbac_013::CONTROL,
    &rbac::rbac_014::CONTROL,
    &rbac::rbac_015::CONTROL,
    &res::res_001::CONTROL,
    &res::res_002::CONTROL,
    &res::res_003::CONTROL,
    &res::res_004::CONTROL,
    &res::res_005::CONTROL,
    &rt::rt_001::CONTROL,
    &rt::rt_002::CONTROL,
    &sa::sa_001::CONTROL,
    &sa::sa_002::CONTROL,
    &sa::sa_003::CONTROL,
    &sa::sa_004::CONTROL,
    &sa::sa_005::CONTROL,
    &sched::sched_001::CONTROL,
    &sec::sec_001::CONTROL,
    &sec::sec_002::CONTROL,
    &sec::sec_003::CONTROL,
    &sec::sec_004::CONTROL,
    &sec::sec_005::CONTROL,
    &sec::sec_006::CONTROL,
    &ver::ver_001::CONTROL,
    &ver::ver_002::CONTROL,
    &ver::ver_003::CONTROL,
    &ver::ver_005::CONTROL,
];

/// The control with this id.
pub fn find(id: &str) -> Option<&'static Control> {
    // Sorted by id; asked for each control of each object.
    let place = CONTROLS.binary_search_by(|control| control.id.as_str().cmp(id)).ok()?;
    Some(CONTROLS[place])
}
