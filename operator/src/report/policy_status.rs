//! The status of a policy: a pure function of what is known.

use std::collections::BTreeSet;

use ironside_crds::conditions::{Observed, reasons, set, types};
use ironside_crds::policy::{
    Component as WireComponent, ComponentStatus, ControlCounts, RemediationCounts, Responsibility,
    Threat as WireThreat, ThreatStatus,
};
use ironside_crds::{ConditionStatus, PolicyStatus};
use ironside_engine::controls::{Component, Threat};
use ironside_engine::evaluate::{Counts, Score, Share, Tally};
use ironside_engine::policy::{Pause, Problem};
use jiff::Timestamp;

use super::stops::Stop;
use crate::reconcile::Policy;

/// Ids of failing controls that a message names; more would make it unreadable.
const NAMED: usize = 12;

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
    /// Namespaces that it leaves out.
    pub exempt_namespaces: BTreeSet<String>,
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
        threats: score.threats.iter().map(of_threat).collect(),
        remediations: facts.remediations,
        exempt_namespaces: facts.exempt_namespaces.clone(),
    }
}

fn conditions_of(facts: &Facts<'_>) -> Vec<Observed> {
    let stalled = stalled(facts);
    vec![
        ready(facts, &stalled),
        reconciling(facts, &stalled),
        controls_resolved(facts),
        permissions_granted(facts),
        approval_guarded(facts),
        compliant(facts),
        remediation_stopped(facts),
        paused(facts),
        stalled,
    ]
}

/// Working on this spec; says nothing about whether the cluster complies.
fn ready(facts: &Facts<'_>, stalled: &Observed) -> Observed {
    let (status, reason, message) = if stalled.status == ConditionStatus::True {
        (false, stalled.reason, stalled.message.clone())
    } else if facts.score.is_none() {
        (false, reasons::SYNCING, "reading the cluster".to_owned())
    } else if !facts.stale.is_empty() {
        (
            false,
            reasons::STALE,
            format!("changes do not arrive: {}", list(facts.stale)),
        )
    } else if facts.policy.spec().suspend {
        (
            true,
            reasons::SUSPENDED,
            "nothing is judged and no repair starts because spec.suspend is true".to_owned(),
        )
    } else {
        (true, reasons::RECONCILED, "the policy is in effect".to_owned())
    };
    observed(types::READY, status, reason, message)
}

/// kstatus: in progress. Only while a spec was not processed yet; a policy that waits for something else is not reconciling for ever.
fn reconciling(facts: &Facts<'_>, stalled: &Observed) -> Observed {
    if facts.score.is_none() && stalled.status != ConditionStatus::True {
        return observed(
            types::RECONCILING,
            true,
            reasons::IN_PROGRESS,
            "reading the cluster".to_owned(),
        );
    }
    observed(
        types::RECONCILING,
        false,
        reasons::RECONCILED,
        "this spec has been processed".to_owned(),
    )
}

/// A spec that can never work. A problem of one control or window is not that: the rest works.
fn stalled(facts: &Facts<'_>) -> Observed {
    let fatal = facts
        .problems
        .iter()
        .find(|problem| matches!(problem.reason, reasons::UNKNOWN_PROFILE | reasons::INVALID_SELECTOR));
    match fatal {
        Some(problem) => observed(types::STALLED, true, problem.reason, problem.to_string()),
        None => observed(
            types::STALLED,
            false,
            reasons::RECONCILED,
            "this spec can work".to_owned(),
        ),
    }
}

fn controls_resolved(facts: &Facts<'_>) -> Observed {
    match facts.problems {
        [] => observed(
            types::CONTROLS_RESOLVED,
            true,
            reasons::RESOLVED,
            "every control, parameter, selector and schedule is understood".to_owned(),
        ),
        problems @ [first, ..] => {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            observed(types::CONTROLS_RESOLVED, false, first.reason, all.join("; "))
        }
    }
}

fn permissions_granted(facts: &Facts<'_>) -> Observed {
    if facts.missing_permissions.is_empty() {
        return observed(
            types::PERMISSIONS_GRANTED,
            true,
            reasons::GRANTED,
            "the operator may do what the enabled controls need".to_owned(),
        );
    }
    observed(
        types::PERMISSIONS_GRANTED,
        false,
        reasons::PERMISSION_DENIED,
        format!("the operator may not {}", list(facts.missing_permissions)),
    )
}

fn approval_guarded(facts: &Facts<'_>) -> Observed {
    if facts.approval_guarded {
        return observed(
            types::APPROVAL_GUARDED,
            true,
            reasons::GUARDED,
            "only users with the verb approve can decide on repairs".to_owned(),
        );
    }
    observed(
        types::APPROVAL_GUARDED,
        false,
        reasons::UNGUARDED,
        "ValidatingAdmissionPolicy ironside-approval or its binding is missing or was changed; approvals are ignored (apply config/admission/approval)"
            .to_owned(),
    )
}

fn compliant(facts: &Facts<'_>) -> Observed {
    let unknown = |message: &str| Observed {
        type_: types::COMPLIANT,
        status: ConditionStatus::Unknown,
        reason: reasons::INCOMPLETE,
        message: message.to_owned(),
    };
    let Some(score) = &facts.score else {
        return unknown("the cluster has not been read yet");
    };
    let total = score.findings;
    if !facts.failing.is_empty() {
        observed(
            types::COMPLIANT,
            false,
            reasons::CONTROLS_FAILED,
            format!("failing: {}", list(&facts.failing)),
        )
    } else if total.unknown > 0 {
        unknown("nothing fails, but not everything could be looked at")
    } else if facts.policy.spec().suspend {
        unknown("nothing is judged because spec.suspend is true")
    } else if total.passed + total.excepted == 0 {
        unknown("nothing was judged: no object is covered by an enabled control")
    } else {
        observed(
            types::COMPLIANT,
            true,
            reasons::ALL_PASSED,
            "every control passes or is excepted".to_owned(),
        )
    }
}

fn remediation_stopped(facts: &Facts<'_>) -> Observed {
    match &facts.stop {
        Some(stop) => observed(types::REMEDIATION_STOPPED, true, stop.reason, stop.message.clone()),
        None => observed(
            types::REMEDIATION_STOPPED,
            false,
            reasons::RUNNING,
            "repairs were not stopped".to_owned(),
        ),
    }
}

fn paused(facts: &Facts<'_>) -> Observed {
    let Some((pause, by)) = facts.paused else {
        return observed(
            types::PAUSED,
            false,
            reasons::RUNNING,
            "repairs are not paused".to_owned(),
        );
    };
    match (pause, by) {
        (Pause::Malformed, _) => observed(
            types::PAUSED,
            true,
            reasons::MALFORMED_PAUSE,
            "pause-until is not an RFC 3339 time, which counts as paused".to_owned(),
        ),
        (Pause::Until(until), PausedBy::Annotation) => observed(
            types::PAUSED,
            true,
            reasons::PAUSED_BY_ANNOTATION,
            format!("repairs do not start before {until}"),
        ),
        (Pause::Until(until), PausedBy::Command) => observed(
            types::PAUSED,
            true,
            reasons::PAUSED_BY_COMMAND,
            format!("all repairs are paused until {until} (ironside pause)"),
        ),
    }
}

fn observed(type_: &'static str, status: bool, reason: &'static str, message: String) -> Observed {
    Observed {
        type_,
        status: status.into(),
        reason,
        message: shortened(message),
    }
}

/// The definition allows 4,096 characters.
fn shortened(message: String) -> String {
    const LONGEST: usize = 2000;
    if message.chars().count() <= LONGEST {
        return message;
    }
    message.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// The first few, in order, so that the text does not change with the order of what was found.
fn list(items: &BTreeSet<String>) -> String {
    let named: Vec<&str> = items.iter().take(NAMED).map(String::as_str).collect();
    let rest = if items.len() > NAMED { " and others" } else { "" };
    format!("{}{rest}", named.join(", "))
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
    }
}

fn of_threat((threat, share): &(Threat, Share)) -> ThreatStatus {
    ThreatStatus {
        name: match threat {
            Threat::SupplyChain => WireThreat::SupplyChain,
            Threat::MaliciousActor => WireThreat::MaliciousActor,
            Threat::InsiderThreat => WireThreat::InsiderThreat,
        },
        passed: share.passed,
        failed: share.failed,
        unknown: share.unknown,
    }
}

#[cfg(test)]
mod tests {
    use ironside_crds::conditions::get;
    use ironside_crds::{HardeningPolicy, HardeningPolicySpec};
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
            exempt_namespaces: BTreeSet::new(),
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
        assert_eq!(status.conditions.len(), 9);
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
