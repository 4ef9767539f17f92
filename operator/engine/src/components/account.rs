//! The account that a component's pods run as, and what it may do.

use crate::controls::Judgement;
use crate::model::rbac::PolicyRule;
use crate::rbac::{Identity, in_words, way_to_admin};
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
        let found = in_words(name, &way);
        return judgement.fail(NAME, Some(found.into()), expected);
    }
    // What everybody has is not this component's.
    for grant in graph.to_itself(&identity) {
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
