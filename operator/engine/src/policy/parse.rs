//! One policy, parsed from its custom resource. Nothing in a spec makes the rest of it fail: what cannot work is a [`Problem`].

use std::collections::BTreeMap;
use std::sync::Arc;

use ironside_crds::conditions::reasons;
use ironside_crds::policy::{NetworkSettings, PodSecurityLevel, PodSecuritySettings};
use ironside_crds::{ControlOverride, PolicySpec};

use super::delegation::Delegation;
use super::detections::Allowed;
use super::scope::{Scope, selector};
use super::{Limits, Mode, Pause, PolicyId, Problem, Window, Windows, profile};
use crate::controls::{CONTROLS, Control, ControlId, Parameters, find};
use crate::model::LabelSelector;

/// One policy.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Name.
    pub id: PolicyId,
    /// Whether it neither judges nor starts repairs.
    pub suspend: bool,
    /// What its pause annotation says.
    pub pause: Option<Pause>,
    /// The controls it asks for; a disabled one is not among them.
    pub ballots: BTreeMap<ControlId, Ballot>,
    /// What bounds repairs that it asks for, before delegation.
    pub limits: Limits,
    /// Network settings, as given.
    pub network: NetworkSettings,
    /// Pod Security Admission settings, as given; `None` means hands off the labels. Never from a namespaced policy.
    pub pod_security: Option<PodSecuritySettings>,
    /// What in the spec cannot work.
    pub problems: Vec<Problem>,
    /// Where it applies.
    pub(super) scope: Scope,
    /// Where Enforce acts; `None` for nowhere. Elsewhere Enforce counts as Preview: the plan is shown before the namespace is opened for repairs.
    pub(super) enforce_in: Option<LabelSelector>,
    /// What it lets the namespaces decide.
    pub(super) delegation: Delegation,
    /// Who may do what without being told of; `None` where the policy says nothing about it.
    pub(super) detections: Option<Allowed>,
}

/// What one policy says about one control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// What is done with a finding.
    pub mode: Mode,
    /// Settings of the control.
    pub parameters: Arc<Parameters>,
}

impl Policy {
    /// Parses a policy of either kind. The fields that only cluster policies have are refused in a namespaced one at admission, and ignored here.
    pub(super) fn parse(id: PolicyId, annotations: Option<&BTreeMap<String, String>>, spec: &PolicySpec) -> Self {
        let mut problems = Vec::new();
        let repair = &spec.remediation;
        let windows = repair.windows.iter().map(|window| {
            let field = format!("spec.remediation.windows[{}]", window.name);
            Window::parse(window, &field, &mut problems)
        });
        let limits = Limits::of(repair, Windows::of(windows.collect()));
        let cluster = id.namespace.is_none();
        let (scope, enforce_in) = if cluster {
            let of_namespaces = spec.namespace_selector.clone().unwrap_or_default();
            let scope = Scope::Selected {
                selector: selector(&of_namespaces, "spec.namespaceSelector", &mut problems),
                exclude: spec.exclude_namespaces.clone(),
                system: spec.system_namespaces.clone(),
            };
            let enforce_in = repair
                .namespace_selector
                .as_ref()
                .map(|s| selector(s, "spec.remediation.namespaceSelector", &mut problems));
            (scope, enforce_in)
        } else {
            (Scope::Own, Some(LabelSelector::default()))
        };
        let delegation = spec.delegation.as_ref().filter(|_| cluster);
        let detections = spec.detections.as_ref().filter(|_| cluster);
        Self {
            suspend: spec.suspend,
            pause: annotations.and_then(Pause::of),
            ballots: ballots(spec, spec.pod_security.as_ref().filter(|_| cluster), &mut problems),
            limits,
            network: spec.network.clone(),
            pod_security: spec.pod_security.clone().filter(|_| cluster),
            delegation: delegation
                .map(|d| Delegation::parse(d, &mut problems))
                .unwrap_or_default(),
            detections: detections.map(|it| Allowed::parse(it, &mut problems)),
            problems,
            scope,
            enforce_in,
            id,
        }
    }
}

fn ballots(
    spec: &PolicySpec,
    labels: Option<&PodSecuritySettings>,
    problems: &mut Vec<Problem>,
) -> BTreeMap<ControlId, Ballot> {
    let version = profile::parse_version(&spec.profile.version);
    if version.is_none() {
        problems.push(Problem {
            field: "spec.profile.version".to_owned(),
            message: format!(
                "{:?} is not a version of the profiles, so their controls are only audited; the newest is v{}",
                spec.profile.version,
                profile::LATEST
            ),
            reason: reasons::UNKNOWN_PROFILE,
        });
    }
    let of_policy = Mode::from(spec.mode);
    let of_labels = Arc::new(labels.map_or_else(Parameters::default, label_targets));
    let of_spec = |control: &Control| match control.id.as_str() {
        "NS-001" => Arc::clone(&of_labels),
        _ => Arc::new(profile::parameters(spec.profile.name, control)),
    };
    let mut ballots: BTreeMap<ControlId, Ballot> = CONTROLS
        .iter()
        .filter(|control| profile::contains(spec.profile.name, control))
        .map(|control| {
            let known = version.is_some_and(|version| profile::since(control) <= version);
            let mode = if known { of_policy } else { of_policy.min(Mode::Audit) };
            let parameters = of_spec(control);
            (control.id, Ballot { mode, parameters })
        })
        .collect();
    for change in &spec.controls {
        let field = format!("spec.controls[{}]", change.id);
        let Some(control) = find(&change.id) else {
            problems.push(Problem {
                field,
                message: format!(
                    "{:?} is not a control that this version of Ironside knows; `ironside controls` lists them",
                    change.id
                ),
                reason: reasons::UNKNOWN_CONTROL,
            });
            continue;
        };
        let in_profile = ballots.get(&control.id).map_or(of_policy, |ballot| ballot.mode);
        let mut mode = change.mode.map_or(in_profile, Mode::from);
        let before = problems.len();
        let mut parameters = parameters(control, change, &field, problems);
        for (name, values) in &of_spec(control).0 {
            parameters.0.entry(name.clone()).or_insert_with(|| values.clone());
        }
        let parameters = Arc::new(parameters);
        if problems.len() > before {
            // Half-understood settings may be looked at, not acted on.
            mode = mode.min(Mode::Audit);
        }
        match mode {
            Mode::Disabled => ballots.remove(&control.id),
            _ => ballots.insert(control.id, Ballot { mode, parameters }),
        };
    }
    ballots
}

/// `spec.podSecurity` says which labels are wanted, so the control that judges them asks for the same: for nothing where it keeps its hands off.
fn label_targets(settings: &PodSecuritySettings) -> Parameters {
    let level = |level: Option<PodSecurityLevel>| match level {
        None | Some(PodSecurityLevel::Privileged) => "Privileged",
        Some(PodSecurityLevel::Baseline) => "Baseline",
        Some(PodSecurityLevel::Restricted) => "Restricted",
    };
    let targets = [
        ("enforce", level(settings.enforce)),
        ("audit", level(settings.audit)),
        ("warn", level(settings.warn)),
        ("version", settings.version.as_str()),
    ];
    Parameters(
        targets
            .into_iter()
            .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
            .collect(),
    )
}

/// The parameters that are understood; the others have their defaults.
fn parameters(control: &Control, change: &ControlOverride, field: &str, problems: &mut Vec<Problem>) -> Parameters {
    let mut understood = BTreeMap::new();
    for (name, values) in &change.parameters {
        let field = format!("{field}.parameters.{name}");
        let Some(parameter) = control.parameters.iter().find(|parameter| parameter.name == name) else {
            let names: Vec<&str> = control.parameters.iter().map(|parameter| parameter.name).collect();
            let message = match names.as_slice() {
                [] => format!("{} takes no parameters; leave it out", control.id),
                names => format!("{} has no such parameter; it takes {}", control.id, names.join(", ")),
            };
            problems.push(Problem {
                field,
                message,
                reason: reasons::INVALID_PARAMETER,
            });
            continue;
        };
        let refused: Vec<String> = values
            .iter()
            .filter_map(|value| (parameter.accepts)(value).err())
            .collect();
        if refused.is_empty() {
            understood.insert(name.clone(), values.clone());
        } else {
            problems.push(Problem {
                field,
                message: format!(
                    "{}; until then the control is audited with its default",
                    refused.join("; ")
                ),
                reason: reasons::INVALID_PARAMETER,
            });
        }
    }
    Parameters(understood)
}
