//! What the policies of a namespace say about its network.

use ironside_crds::policy::IsolationDirection;
use jiff::Timestamp;

use super::infer::ExtraAllow;
use crate::controls::net::net_002;
use crate::model::{Kind, ObjectRef};
use crate::plan::Held;
use crate::policy::{ExceptionSet, InNamespace, Mode, PolicyId};

/// What the policies say about the network of a namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Policies that ask for ingress isolation and vote Preview or Enforce on NET-002, sorted. None: no isolation is wanted.
    pub policies: Vec<PolicyId>,
    /// Whether one of them votes Enforce; else the plan is shown only.
    pub enforce: bool,
    /// Whether a suspended policy asks for isolation: what stands stays as it is.
    pub suspended: bool,
    /// Whether what stands is to be taken away, whatever the policies ask: an isolation that is rolled back or reverted.
    pub take_away: bool,
    /// Connections that they add to the inferred ones.
    pub extra: Vec<ExtraAllow>,
    /// Reasons from outside this module not to start: exceptions.
    pub held: Vec<Held>,
}

impl Settings {
    /// Reads the policies of a namespace. Extra allows of all policies that isolate count: they say what is needed, and what is needed is not cut.
    pub fn of(here: &InNamespace, exceptions: &ExceptionSet, namespace: &str, now: Timestamp) -> Self {
        let control = net_002::CONTROL.id;
        let mode_of = |policy: &PolicyId| {
            let votes = here.votes_on(control).iter().filter(|vote| vote.policy == *policy);
            votes.map(|vote| vote.mode).max().unwrap_or_default()
        };
        let isolating: Vec<_> = here
            .network()
            .filter(|(_, network)| network.isolate.contains(&IsolationDirection::Ingress))
            .filter(|(policy, _)| mode_of(policy) >= Mode::Preview)
            .collect();
        let target = ObjectRef::new(Kind::Namespace, "", namespace);
        Self {
            enforce: isolating.iter().any(|(policy, _)| mode_of(policy) == Mode::Enforce),
            suspended: here
                .suspended_network()
                .any(|network| network.isolate.contains(&IsolationDirection::Ingress)),
            take_away: false,
            extra: isolating
                .iter()
                .flat_map(|(_, network)| &network.extra_allows)
                .filter_map(ExtraAllow::of)
                .collect(),
            held: exceptions
                .covering(here, control, &target, None, now)
                .map(|exception| Held::Exception {
                    name: exception.id.to_string(),
                })
                .collect(),
            policies: isolating.into_iter().map(|(policy, _)| policy.clone()).collect(),
        }
    }
}
