//! What all policies together say in one namespace.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ironside_crds::policy::NetworkSettings;
use jiff::Timestamp;

use super::scope::{Facts, Reach};
use super::{AutoApprove, Limits, Mode, Pause, Policy, PolicyId};
use crate::controls::{Check, Control, ControlId, Parameters, RepairBy, find};

/// One policy's vote on one control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Who votes.
    pub policy: PolicyId,
    /// What it asks for here.
    pub mode: Mode,
    /// With which settings of the control.
    pub parameters: Arc<Parameters>,
}

/// The policies that apply in one namespace.
#[derive(Clone, Debug, Default)]
pub struct InNamespace {
    /// Those that select the namespace; suspended ones too, because what they do not delegate stays undelegated.
    policies: Vec<Arc<Policy>>,
    /// Sorted by control.
    votes: Vec<Votes>,
}

/// The votes on one control.
#[derive(Clone, Debug)]
struct Votes {
    on: ControlId,
    /// Looked up here once and not for each object; `None` for an id that names no control.
    control: Option<&'static Control>,
    /// At least one, sorted by policy.
    all: Vec<Vote>,
}

impl InNamespace {
    /// `policies` in the order of their ids.
    pub(super) fn of(policies: impl IntoIterator<Item = Arc<Policy>>, namespace: &Facts<'_>) -> Self {
        let mut here = Self::default();
        let mut votes = BTreeMap::new();
        for policy in policies {
            let ceiling = match policy.scope.reach(policy.id.namespace.as_deref(), namespace) {
                Reach::None | Reach::Exempt => continue,
                Reach::AuditOnly => Mode::Audit,
                Reach::Full => match &policy.enforce_in {
                    Some(selector) if selector.matches(&namespace.labels) => Mode::Enforce,
                    _ => Mode::Preview,
                },
            };
            if !policy.suspend {
                count(&mut votes, &policy, ceiling);
            }
            here.policies.push(policy);
        }
        let on_each = votes.into_iter();
        here.votes = on_each
            .map(|(on, votes)| Votes {
                on,
                control: find(on.as_str()),
                all: votes,
            })
            .collect();
        here
    }

    /// The controls that some policy asks for, each with its votes (at least one, sorted by policy).
    pub fn votes(&self) -> impl Iterator<Item = (&'static Control, &[Vote])> {
        self.votes
            .iter()
            .filter_map(|votes| Some((votes.control?, votes.all.as_slice())))
    }

    /// The votes on one control.
    pub fn votes_on(&self, control: ControlId) -> &[Vote] {
        let place = self.votes.binary_search_by_key(&control, |votes| votes.on);
        place.map_or(&[], |place| &self.votes[place].all)
    }

    /// The highest vote on a control.
    pub fn mode(&self, control: ControlId) -> Mode {
        self.votes_on(control)
            .iter()
            .map(|vote| vote.mode)
            .max()
            .unwrap_or_default()
    }

    /// The policies that judge here, sorted by id; suspended ones are not among them.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies.iter().filter(|policy| !policy.suspend)
    }

    /// The strictest limits of the policies that vote Enforce on some control here; where none does, of those that vote Preview; else the defaults.
    pub fn limits(&self) -> Limits {
        [Mode::Enforce, Mode::Preview]
            .into_iter()
            .find_map(|mode| {
                self.voting(mode)
                    .map(|policy| self.delegated(policy))
                    .reduce(Limits::strictest)
            })
            .unwrap_or_default()
    }

    /// Network settings of the policies that judge here, by policy.
    pub fn network(&self) -> impl Iterator<Item = (&PolicyId, &NetworkSettings)> {
        self.policies().map(|policy| (&policy.id, &policy.network))
    }

    /// Network settings of the suspended policies that apply here.
    pub fn suspended_network(&self) -> impl Iterator<Item = &NetworkSettings> {
        let suspended = self.policies.iter().filter(|policy| policy.suspend);
        suspended.map(|policy| &policy.network)
    }

    /// The first policy that votes Enforce here and is paused, with what its annotation says.
    pub fn paused(&self, now: Timestamp) -> Option<(&PolicyId, Pause)> {
        self.voting(Mode::Enforce).find_map(|policy| {
            let pause = policy.pause.filter(|pause| pause.is_active(now))?;
            Some((&policy.id, pause))
        })
    }

    /// Whether a namespaced exception from a control may count, and how long it may last at most. Every cluster policy that asks for the control must delegate
    /// it: a further policy can only tighten. Where none asks for it, the namespace decides alone.
    pub(super) fn exception_from(&self, control: ControlId) -> Delegated {
        self.policies
            .iter()
            .filter(|policy| policy.id.namespace.is_none() && policy.ballots.contains_key(&control))
            .map(|policy| match policy.delegation.exceptions.get(&control) {
                Some(longest) => Delegated::UpTo(*longest),
                None => Delegated::No,
            })
            .fold(Delegated::Freely, Delegated::and)
    }

    fn voting(&self, mode: Mode) -> impl Iterator<Item = &Arc<Policy>> {
        self.policies().filter(move |policy| {
            self.votes
                .iter()
                .flat_map(|votes| &votes.all)
                .any(|vote| vote.mode == mode && vote.policy == policy.id)
        })
    }

    /// A policy's limits; a namespaced one approves no more than every cluster policy here delegates.
    fn delegated(&self, policy: &Policy) -> Limits {
        let mut limits = policy.limits.clone();
        if policy.id.namespace.is_some() {
            let most = self
                .policies
                .iter()
                .filter(|policy| policy.id.namespace.is_none())
                .map(|policy| policy.delegation.max_auto_approve)
                .min()
                .unwrap_or(AutoApprove::Medium);
            limits.auto_approve = limits.auto_approve.min(most);
        }
        limits
    }
}

/// Counts the votes of a policy that may ask for no more than `ceiling`.
fn count(votes: &mut BTreeMap<ControlId, Vec<Vote>>, policy: &Policy, ceiling: Mode) {
    for (control, ballot) in &policy.ballots {
        let ceiling = match find(control.as_str()) {
            // A namespaced policy never touches the Namespace object.
            Some(control) if policy.id.namespace.is_some() && touches_namespace(control) => ceiling.min(Mode::Audit),
            _ => ceiling,
        };
        votes.entry(*control).or_default().push(Vote {
            policy: policy.id.clone(),
            mode: ballot.mode.min(ceiling),
            parameters: Arc::clone(&ballot.parameters),
        });
    }
}

/// Whether a namespace may make an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delegated {
    /// No.
    No,
    /// Yes, for so long.
    UpTo(Duration),
    /// Yes: no cluster policy asks for the control.
    Freely,
}

impl Delegated {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Freely, other) | (other, Self::Freely) => other,
            (Self::UpTo(a), Self::UpTo(b)) => Self::UpTo(a.min(b)),
        }
    }
}

/// Whether a repair of this control would write to a Namespace object.
fn touches_namespace(control: &Control) -> bool {
    let writes_within = control
        .repair
        .is_some_and(|repair| matches!(repair.by, RepairBy::NetworkPolicies));
    matches!(control.check, Check::Namespace(_)) && !writes_within
}
