//! D-05: rights are widened.

use std::collections::BTreeSet;

use super::Detection;
use super::change::{Change, brief};
use crate::model::rbac::{Binding, PolicyRule, Role, Subject};
use crate::model::{Kind, ObjectRef, Resource};
use crate::world::Snapshot;

pub(super) fn role_changed(change: &mut Change<'_>, new: &Role) {
    let known = change.before.resource(&change.reference).cloned();
    let old: &[PolicyRule] = match known.as_deref() {
        Some(Resource::Role(old)) => &old.rules,
        // A role that nobody is bound to gives nothing. One that a binding was waiting for gives all that it says.
        _ if is_bound(change.before, &change.reference) => &[],
        _ => return,
    };
    let gained: Vec<String> = new
        .rules
        .iter()
        .filter(|rule| !is_covered(rule, old))
        .map(shown)
        .collect();
    if !gained.is_empty() {
        change.saw(Detection::D05, format!("now allows {}", brief(&gained)));
    }
}

pub(super) fn binding_put(change: &mut Change<'_>, new: &Binding) {
    let known = change.before.resource(&change.reference).cloned();
    let old: BTreeSet<&Subject> = match known.as_deref() {
        Some(Resource::Binding(old)) if old.role_ref == new.role_ref => old.subjects.iter().collect(),
        _ => BTreeSet::new(),
    };
    let gained = new.subjects.iter().filter(|subject| !old.contains(subject));
    let gained: Vec<String> = gained.map(named).collect();
    if !gained.is_empty() {
        let role = format!("{} {}", new.role_ref.kind, new.role_ref.name);
        change.saw(Detection::D05, format!("gives {role} to {}", brief(&gained)));
    }
}

/// Whether some binding gives this role to anybody.
fn is_bound(world: &Snapshot, role: &ObjectRef) -> bool {
    // A ClusterRole can be given everywhere, a Role within its namespace alone.
    let within = (role.kind == Kind::Role).then(|| role.namespace.to_string());
    [Kind::RoleBinding, Kind::ClusterRoleBinding]
        .into_iter()
        .flat_map(|kind| world.references(kind, within.as_deref()))
        .filter_map(|reference| world.resource(&reference))
        .any(|resource| match &**resource {
            Resource::Binding(binding) => {
                let names = &binding.role_ref;
                !binding.subjects.is_empty() && names.kind == role.kind.name() && *names.name == *role.name
            }
            _ => false,
        })
}

/// Whether one of the rules alone allows all of it. Rules that only together cover it are told: better once too often.
fn is_covered(rule: &PolicyRule, by: &[PolicyRule]) -> bool {
    by.iter().any(|old| {
        covers(&old.verbs, &rule.verbs)
            && covers(&old.api_groups, &rule.api_groups)
            && covers(&old.resources, &rule.resources)
            && covers(&old.non_resource_urls, &rule.non_resource_urls)
            && (old.resource_names.is_empty()
                || (!rule.resource_names.is_empty() && covers(&old.resource_names, &rule.resource_names)))
    })
}

fn covers(old: &[String], new: &[String]) -> bool {
    old.iter().any(|one| one == "*") || new.iter().all(|one| old.contains(one))
}

fn shown(rule: &PolicyRule) -> String {
    let list = |items: &[String]| items.join(",");
    let what = match (rule.resources.is_empty(), rule.resource_names.is_empty()) {
        (true, _) => list(&rule.non_resource_urls),
        (false, true) => list(&rule.resources),
        (false, false) => format!("{} {}", list(&rule.resources), list(&rule.resource_names)),
    };
    format!("{} {what}", list(&rule.verbs))
}

fn named(subject: &Subject) -> String {
    match subject.namespace.as_str() {
        "" => format!("{} {}", subject.kind, subject.name),
        namespace => format!("{} {namespace}/{}", subject.kind, subject.name),
    }
}
