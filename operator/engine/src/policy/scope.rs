//! Which namespaces a policy is about.

use std::collections::BTreeSet;

use ironside_crds as wire;
use ironside_crds::conditions::reasons;

use super::Problem;
use crate::model::selector::Requirement;
use crate::model::{LabelSelector, Labels};
use crate::world::Snapshot;

/// Namespaces that belong to Kubernetes itself. With the operator's own they are the system namespaces: audited only where a policy names them, repaired
/// never.
pub const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// The label that the API server sets on every Namespace to its name.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Which namespaces a policy is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scope {
    /// One: that of a `HardeningPolicy`.
    Own,
    /// Those that a `ClusterHardeningPolicy` selects.
    Selected {
        /// By labels; empty selects all.
        selector: LabelSelector,
        /// But not these, whatever else names them.
        exclude: BTreeSet<String>,
        /// And these, which are audited only.
        system: BTreeSet<String>,
    },
}

/// What a policy does in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything.
    Full,
    /// It audits.
    AuditOnly,
    /// It would select the namespace, but leaves it out.
    Exempt,
    /// Nothing.
    None,
}

/// What selectors see of a namespace.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    pub(super) name: &'a str,
    pub(super) labels: Labels,
    /// Whether it is one of [`SYSTEM_NAMESPACES`] or the operator's own.
    pub(super) system: bool,
}

impl<'a> Facts<'a> {
    /// Facts of a namespace; of one whose Namespace object was not seen only the name is known.
    pub(super) fn of(world: &Snapshot, name: &'a str, own_namespace: &str) -> Self {
        let labels = world
            .namespace(name)
            .map(|namespace| namespace.metadata.labels.clone())
            .unwrap_or_default()
            .with(NAME_LABEL, name);
        Self {
            name,
            labels,
            // What is in no namespace is nobody's own, also where no operator has one (the command line).
            system: SYSTEM_NAMESPACES.contains(&name) || (!name.is_empty() && name == own_namespace),
        }
    }
}

impl Scope {
    /// What a policy of this scope does in a namespace. `own` is the policy's own namespace, if it has one.
    pub(super) fn reach(&self, own: Option<&str>, namespace: &Facts<'_>) -> Reach {
        match self {
            Self::Own if own != Some(namespace.name) => Reach::None,
            Self::Own if namespace.system => Reach::AuditOnly,
            Self::Own => Reach::Full,
            Self::Selected {
                selector,
                exclude,
                system,
            } => {
                let listed = system.contains(namespace.name);
                let selected = listed || selector.matches(&namespace.labels);
                match selected {
                    false => Reach::None,
                    true if exclude.contains(namespace.name) => Reach::Exempt,
                    true if listed => Reach::AuditOnly,
                    true if namespace.system => Reach::Exempt,
                    true => Reach::Full,
                }
            }
        }
    }
}

/// The engine's form of a selector. One that can never match is a problem of the policy; it still matches nothing.
pub(super) fn selector(selector: &wire::LabelSelector, field: &str, problems: &mut Vec<Problem>) -> LabelSelector {
    let parsed = LabelSelector {
        match_labels: selector.match_labels.clone().into_iter().collect(),
        match_expressions: selector
            .match_expressions
            .iter()
            .map(|requirement| Requirement {
                key: requirement.key.clone(),
                operator: requirement.operator.as_str().to_owned(),
                values: requirement.values.iter().cloned().collect(),
            })
            .collect(),
    };
    if let Some(key) = contradiction(&parsed) {
        problems.push(Problem {
            field: field.to_owned(),
            message: format!(
                "asks contradictory things of label {key}, so it can match no namespace; keep one of its requirements"
            ),
            reason: reasons::INVALID_SELECTOR,
        });
    }
    parsed
}

/// The first label key whose requirements exclude each other.
fn contradiction(selector: &LabelSelector) -> Option<&str> {
    let by_expressions = selector
        .match_expressions
        .iter()
        .map(|requirement| requirement.key.as_str());
    selector
        .match_labels
        .keys()
        .chain(by_expressions)
        .find(|key| !satisfiable(selector, key))
}

/// Whether some value, or the absence, of a label satisfies all requirements on it. The values that are named, one that is not, and absence are all cases.
fn satisfiable(selector: &LabelSelector, key: &str) -> bool {
    let only = LabelSelector {
        match_labels: selector.match_labels.iter().filter(|(name, _)| *name == key).collect(),
        match_expressions: selector
            .match_expressions
            .iter()
            .filter(|requirement| requirement.key == key)
            .cloned()
            .collect(),
    };
    let named = only.match_labels.values().chain(
        only.match_expressions
            .iter()
            .flat_map(|requirement| &requirement.values)
            .map(String::as_str),
    );
    // No label value has a space, so this one is named by nobody.
    let unnamed = " ";
    only.matches(&Labels::default())
        || named
            .chain([unnamed])
            .any(|value| only.matches(&Labels::from([(key, value)])))
}
