//! Whether a subject can become cluster-admin, and by which steps.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use super::graph::{Grant, Graph};
use super::identity::Identity;
use super::rules::{Request, covers, is_everything};
use crate::model::rbac::Subject;

/// One step on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The binding that allows it.
    pub binding: String,
    /// What is done.
    pub does: String,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.does, self.binding)
    }
}

/// The shortest way on which somebody becomes cluster-admin; `None` if there is none. Steps are: power that amounts to it, and becoming a service account by
/// making pods of its namespace or tokens of its own.
pub fn way_to_admin(graph: &Graph<'_>, identity: &Identity) -> Option<Vec<Step>> {
    let mut seen: BTreeSet<Identity> = BTreeSet::from([identity.clone()]);
    let mut open: VecDeque<(Identity, Vec<Step>)> = VecDeque::from([(identity.clone(), Vec::new())]);
    while let Some((at, way)) = open.pop_front() {
        if at.is_master() {
            let step = Step {
                binding: "group system:masters".to_owned(),
                does: "may do everything, whatever the roles say".to_owned(),
            };
            return Some(way.into_iter().chain([step]).collect());
        }
        for grant in graph.to(&at) {
            if let Some(power) = power_of(grant) {
                let mut way = way;
                way.push(step(grant, power.to_owned()));
                return Some(way);
            }
        }
        for grant in graph.to(&at) {
            let Some(means) = becomes_accounts(grant) else { continue };
            for account in accounts(graph, grant.namespace.as_ref()) {
                let becomes = Identity::of(&account);
                if seen.insert(becomes.clone()) {
                    let mut way = way.clone();
                    let does = format!("{means} becomes ServiceAccount {}/{}", account.namespace, account.name);
                    way.push(step(grant, does));
                    open.push_back((becomes, way));
                }
            }
        }
    }
    None
}

fn step(grant: &Grant<'_>, does: String) -> Step {
    Step {
        binding: grant.binding.to_string(),
        does,
    }
}

/// What in a grant amounts to cluster-admin.
fn power_of(grant: &Grant<'_>) -> Option<&'static str> {
    const RBAC: &str = "rbac.authorization.k8s.io";
    if grant.namespace.is_some() {
        return None;
    }
    let may = |verb, group, resource| {
        grant
            .rules
            .iter()
            .any(|rule| covers(rule, &Request::any(verb, group, resource)))
    };
    if grant.rules.iter().any(|rule| is_everything(rule)) {
        Some("may do everything")
    } else if may("escalate", RBAC, "clusterroles")
        && (may("update", RBAC, "clusterroles") || may("patch", RBAC, "clusterroles"))
    {
        Some("may give a role of its own every right")
    } else if may("bind", RBAC, "clusterroles") && may("create", RBAC, "clusterrolebindings") {
        Some("may bind cluster-admin")
    } else if may("impersonate", "", "groups") || may("impersonate", "", "users") {
        Some("may act as an administrator")
    } else if may("get", "", "secrets") || may("list", "", "secrets") {
        Some("may read every Secret, tokens of administrators among them")
    } else if may("get", "", "nodes/proxy") || may("create", "", "nodes/proxy") {
        Some("may run commands in every pod through the kubelets")
    } else {
        None
    }
}

/// How a grant lets its subject become service accounts of where it holds.
fn becomes_accounts(grant: &Grant<'_>) -> Option<&'static str> {
    let may = |verb, group, resource| {
        grant
            .rules
            .iter()
            .any(|rule| covers(rule, &Request::any(verb, group, resource)))
    };
    let makers = [
        ("", "pods"),
        ("", "replicationcontrollers"),
        ("apps", "deployments"),
        ("apps", "daemonsets"),
        ("apps", "statefulsets"),
        ("apps", "replicasets"),
        ("batch", "jobs"),
        ("batch", "cronjobs"),
    ];
    if makers
        .into_iter()
        .any(|(group, resource)| may("create", group, resource))
    {
        Some("by making a pod it")
    } else if may("create", "", "serviceaccounts/token") {
        Some("by asking for a token it")
    } else if may("impersonate", "", "serviceaccounts") {
        Some("by acting as it, it")
    } else {
        None
    }
}

/// The service accounts that something is granted to, of a namespace or of all.
fn accounts(graph: &Graph<'_>, namespace: Option<&Arc<str>>) -> BTreeSet<Subject> {
    graph
        .grants()
        .flat_map(|grant| grant.subjects)
        .filter(|subject| subject.kind == "ServiceAccount")
        .filter(|subject| namespace.is_none_or(|namespace| **namespace == *subject.namespace))
        .cloned()
        .collect()
}
