//! The status of a policy: a pure function of what is known.

use std::collections::BTreeSet;

use ironside_crds::PolicyStatus;
use ironside_crds::conditions::set;
use ironside_crds::policy::{
    Component as WireComponent, ComponentStatus, ControlCounts, OpenWays, RemediationCounts, Responsibility,
    Threat as WireThreat, ThreatStatus,
};
use ironside_engine::attack::Way;
use ironside_engine::controls::{Component, Threat};
use ironside_engine::evaluate::{Counts, Score, Share, Tally};
use ironside_engine::policy::{Pause, Problem};
use jiff::Timestamp;

use super::policy_conditions::conditions_of;
use super::stops::Stop;
use crate::reconcile::Policy;

/// What the status of one policy is made from.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The policy as stored, with its present status.
    pub policy: &'a Policy,
    /// What is wrong with its spec.
    pub problems: &'a [Problem],
    /// How it stands; `None` while not everything was looked at once.
    pub score: Option<Score>,
    /// Ids of the controls that some object fails.
    pub failing: BTreeSet<String>,
    /// What may not be read or written although its controls need it, in words, sorted.
    pub missing_permissions: &'a BTreeSet<String>,
    /// What is not up to date although its controls need it, in words, sorted.
    pub stale: &'a BTreeSet<String>,
    /// Whether approvals are guarded.
    pub approval_guarded: bool,
    /// Whether the pause switch of the operator, or its own annotation, is active.
    pub paused: Option<(Pause, PausedBy)>,
    /// Whether repairs under it were stopped.
    pub stop: Option<Stop>,
    /// Repairs by state.
    pub remediations: RemediationCounts,
    /// Whether some plan is shown by no remediation, because there are as many as the limits allow.
    pub unrecorded: bool,
    /// Namespaces that it leaves out.
    pub exempt_namespaces: BTreeSet<String>,
    /// Ways from workloads that it judges, the shortest first.
    pub ways: Vec<&'a Way>,
}

/// What paused a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PausedBy {
    /// The annotation on the policy.
    Annotation,
    /// `ironside pause`.
    Command,
}

/// The status as it should be now. Conditions that say what they said keep the time since when they say it.
pub fn policy_status(facts: &Facts<'_>, now: Timestamp) -> PolicyStatus {
    let generation = facts.policy.meta().generation;
    let mut conditions = facts
        .policy
        .status()
        .map(|status| status.conditions.clone())
        .unwrap_or_default();
    for observed in conditions_of(facts) {
        set(&mut conditions, observed, generation, now.into());
    }
    let score = facts.score.clone().unwrap_or_else(|| Score::of(&Tally::new()));
    let Counts {
        passed,
        failed,
        not_applicable,
        unknown,
        excepted,
    } = score.controls;
    PolicyStatus {
        observed_generation: generation,
        conditions,
        score_percent: score.score_percent,
        coverage_percent: score.coverage_percent,
        controls: ControlCounts {
            passed,
            failed,
            not_applicable,
            unknown,
            excepted,
        },
        components: score.components.iter().map(of_component).collect(),
        threats: score
            .threats
            .iter()
            .map(|threat| of_threat(threat, &facts.ways))
            .collect(),
        remediations: facts.remediations,
        exempt_namespaces: facts.exempt_namespaces.clone(),
    }
}

fn of_component((component, share): &(Component, Share)) -> ComponentStatus {
    ComponentStatus {
        name: match component {
            Component::KubeApiserver => WireComponent::KubeApiserver,
            Component::Etcd => WireComponent::Etcd,
            Component::KubeScheduler => WireComponent::KubeScheduler,
            Component::KubeControllerManager => WireComponent::KubeControllerManager,
            Component::CloudControllerManager => WireComponent::CloudControllerManager,
            Component::ContainerRuntime => WireComponent::ContainerRuntime,
            Component::Kubelet => WireComponent::Kubelet,
            Component::KubeProxy => WireComponent::KubeProxy,
            Component::ClusterDns => WireComponent::ClusterDns,
            Component::Workloads => WireComponent::Workloads,
        },
        passed: share.passed,
        failed: share.failed,
        unknown: share.unknown,
        responsibility: if share.provider {
            Responsibility::Provider
        } else {
            Responsibility::Owner
        },
        score_percent: share.score_percent(),
        coverage_percent: share.coverage_percent(),
    }
}

fn of_threat((threat, share): &(Threat, Share), ways: &[&Way]) -> ThreatStatus {
    ThreatStatus {
        name: match threat {
            Threat::SupplyChain => WireThreat::SupplyChain,
            Threat::MaliciousActor => WireThreat::MaliciousActor,
            Threat::InsiderThreat => WireThreat::InsiderThreat,
        },
        passed: share.passed,
        failed: share.failed,
        unknown: share.unknown,
        ways: match threat {
            Threat::MaliciousActor => Some(open_ways(ways.iter().filter(|way| way.entry.is_some()))),
            Threat::SupplyChain => Some(open_ways(ways.iter())),
            Threat::InsiderThreat => None,
        },
    }
}

/// Ways that status shows in full.
const SHOWN: usize = 3;
/// Longest text of one, in characters; the schema allows as many.
const LONGEST: usize = 1024;

fn open_ways<'w>(ways: impl Iterator<Item = &'w &'w Way> + Clone) -> OpenWays {
    let shown = ways.clone().take(SHOWN);
    OpenWays {
        open: u32::try_from(ways.count()).unwrap_or(u32::MAX),
        shortest: shown
            .map(|way| way.to_string().chars().take(LONGEST).collect())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use ironside_crds::conditions::{get, reasons};
    use ironside_crds::{ConditionStatus, HardeningPolicy, HardeningPolicySpec};
    use ironside_engine::controls::ControlId;
    use ironside_engine::evaluate::Line;

    use super::*;

    fn policy() -> Policy {
        let mut policy = HardeningPolicy::new("team", HardeningPolicySpec::default());
        policy.metadata.namespace = Some("shop".to_owned());
        policy.metadata.generation = Some(3);
        Policy::Namespaced(Box::new(policy))
    }

    fn score(passed: u32, failed: u32, unknown: u32) -> Score {
        let counts = Counts {
            passed,
            failed,
            unknown,
            ..Counts::default()
        };
        Score::of(&Tally::from([(
            ControlId::new("POD-009"),
            Line { counts, provider: 0 },
        )]))
    }

    fn status(problems: &[Problem], score: Option<Score>) -> PolicyStatus {
        let policy = policy();
        let none = BTreeSet::new();
        let facts = Facts {
            policy: &policy,
            problems,
            failing: score
                .iter()
                .filter(|score| score.findings.failed > 0)
                .map(|_| "POD-009".to_owned())
                .collect(),
            score,
            missing_permissions: &none,
            stale: &none,
            approval_guarded: true,
            paused: None,
            stop: None,
            remediations: RemediationCounts::default(),
            unrecorded: false,
            exempt_namespaces: BTreeSet::new(),
            ways: Vec::new(),
        };
        policy_status(&facts, Timestamp::UNIX_EPOCH)
    }

    fn says(status: &PolicyStatus, type_: &str) -> (ConditionStatus, String) {
        let condition = get(&status.conditions, type_).unwrap();
        (condition.status, condition.reason.clone())
    }

    #[test]
    fn failures_make_a_policy_not_compliant_but_ready() {
        let status = status(&[], Some(score(1, 1, 0)));
        assert_eq!(says(&status, "Ready"), (ConditionStatus::True, "Reconciled".to_owned()));
        assert_eq!(
            says(&status, "Compliant"),
            (ConditionStatus::False, "ControlsFailed".to_owned())
        );
        assert_eq!(says(&status, "Reconciling").0, ConditionStatus::False);
        assert_eq!(status.score_percent, Some(50));
        assert_eq!(status.observed_generation, Some(3));
        assert_eq!(status.conditions.len(), 10);
        assert!(
            status
                .conditions
                .iter()
                .all(|condition| condition.observed_generation == Some(3))
        );
    }

    #[test]
    fn nothing_judged_is_not_a_pass() {
        assert_eq!(
            says(&status(&[], Some(Score::of(&Tally::new()))), "Compliant").0,
            ConditionStatus::Unknown
        );
        assert_eq!(
            says(&status(&[], Some(score(5, 0, 1))), "Compliant").0,
            ConditionStatus::Unknown
        );
        assert_eq!(
            says(&status(&[], Some(score(5, 0, 0))), "Compliant").0,
            ConditionStatus::True
        );
    }

    #[test]
    fn before_everything_was_read_a_policy_is_reconciling() {
        let status = status(&[], None);
        assert_eq!(says(&status, "Ready"), (ConditionStatus::False, "Syncing".to_owned()));
        assert_eq!(says(&status, "Reconciling").0, ConditionStatus::True);
        assert_eq!(status.score_percent, None);
    }

    #[test]
    fn a_selector_that_can_never_match_is_stalled_a_wrong_parameter_is_not() {
        let problem = |reason| Problem {
            field: "spec.namespaceSelector".to_owned(),
            message: "never matches".to_owned(),
            reason,
        };
        let stalled = status(&[problem(reasons::INVALID_SELECTOR)], Some(score(1, 0, 0)));
        assert_eq!(says(&stalled, "Stalled").0, ConditionStatus::True);
        assert_eq!(says(&stalled, "Ready").0, ConditionStatus::False);
        let resolved = status(&[problem(reasons::INVALID_PARAMETER)], Some(score(1, 0, 0)));
        assert_eq!(says(&resolved, "Stalled").0, ConditionStatus::False);
        assert_eq!(says(&resolved, "Ready").0, ConditionStatus::True);
        assert_eq!(says(&resolved, "ControlsResolved").0, ConditionStatus::False);
    }

    #[test]
    fn messages_carry_no_counters() {
        let few = status(&[], Some(score(1, 1, 0)));
        let many = status(&[], Some(score(900, 77, 5)));
        assert_eq!(few.conditions, many.conditions);
    }
}
