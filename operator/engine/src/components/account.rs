//! The account that a component's pods run as, and what it may do.

use crate::controls::Judgement;
use crate::model::rbac::PolicyRule;
use crate::rbac::{Identity, way_to_admin};
use crate::world::Snapshot;

use super::Arguments;

/// Fails where the account of a component's pods can become cluster-admin, or has a right that `is_fit` does not find fit.
pub fn account_is_bounded(
    world: &Snapshot,
    process: &Arguments<'_>,
    judgement: &mut Judgement,
    expected: &str,
    is_fit: fn(&PolicyRule) -> bool,
) {
    const NAME: &str = "spec.serviceAccountName";
    let Some(workload) = process.workload else { return };
    // The template that the process's container stands in.
    let template = process
        .pointer
        .rsplit_once("/spec/")
        .map_or("", |(template, _)| template);
    judgement.enter(template.to_owned(), None);
    let name = workload.template.spec.service_account();
    let identity = Identity::of_account(&workload.meta.namespace, name);
    let graph = world.rights();
    if let Some(way) = way_to_admin(graph, &identity) {
        let way: Vec<String> = way.iter().map(ToString::to_string).collect();
        let found = format!("{name} can become cluster-admin: {}", way.join(", then "));
        return judgement.fail(NAME, Some(found.into()), expected);
    }
    let own = format!("system:serviceaccount:{}:{name}", workload.meta.namespace);
    for grant in graph.to(&identity) {
        // What everybody has is not this component's.
        let is_own = |subject: &crate::model::rbac::Subject| {
            (subject.kind == "ServiceAccount" && subject.name == name)
                || (subject.kind == "User" && subject.name == own)
        };
        if !grant.subjects().iter().any(is_own) {
            continue;
        }
        match grant.rules().find(|rule| !is_fit(rule)) {
            None => judgement.pass(),
            Some(rule) => {
                let found = format!(
                    "{} gives {}: {} on {}",
                    grant.binding,
                    grant.role,
                    rule.verbs.join(", "),
                    rule.resources.join(", ")
                );
                judgement.fail(NAME, Some(found.into()), expected);
            }
        }
    }
}
