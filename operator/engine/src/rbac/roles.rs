//! What a role holds, with what is aggregated into it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use super::escalation::{becomes_accounts, power};
use crate::model::rbac::{PolicyRule, Role};
use crate::model::{Kind, ObjectRef, Resource};
use crate::world::Snapshot;

/// The rules of one role, shared by all of its bindings.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    roles: Vec<Arc<Resource>>,
    /// It is `cluster-admin`, and stands in no manifest.
    is_admin: bool,
    /// What in it amounts to cluster-admin where it is bound for the whole cluster.
    pub(super) power: Option<&'static str>,
    /// How it lets somebody become the service accounts of where it is bound.
    pub(super) means: Option<&'static str>,
}

impl Holdings {
    /// Every rule.
    pub(super) fn rules(&self) -> impl Iterator<Item = &PolicyRule> {
        let own = self.roles.iter().filter_map(|role| as_role(role));
        let everything: &[PolicyRule] = if self.is_admin { &*EVERYTHING } else { &[] };
        own.flat_map(|role| &role.rules).chain(everything)
    }
}

/// What `cluster-admin` holds in every cluster; manifests bind it and do not have it.
static EVERYTHING: LazyLock<[PolicyRule; 2]> = LazyLock::new(|| {
    let all = || vec!["*".to_owned()];
    [
        PolicyRule {
            verbs: all(),
            api_groups: all(),
            resources: all(),
            ..PolicyRule::default()
        },
        PolicyRule {
            verbs: all(),
            non_resource_urls: all(),
            ..PolicyRule::default()
        },
    ]
});

/// The roles of a cluster, each looked through once.
pub(super) struct Roles<'a> {
    world: &'a Snapshot,
    known: HashMap<ObjectRef, Arc<Holdings>>,
}

impl<'a> Roles<'a> {
    pub(super) fn of(world: &'a Snapshot) -> Self {
        Self {
            world,
            known: HashMap::new(),
        }
    }

    /// What the role holds that a binding names; nothing if it was not seen.
    pub(super) fn holdings(&mut self, role: &ObjectRef) -> Arc<Holdings> {
        if let Some(known) = self.known.get(role) {
            return Arc::clone(known);
        }
        let mut holdings = Holdings {
            roles: aggregated(self.world, role),
            ..Holdings::default()
        };
        let is_admin = role.kind == Kind::ClusterRole && *role.name == *"cluster-admin";
        holdings.is_admin = is_admin && holdings.roles.is_empty();
        (holdings.power, holdings.means) = (power(&holdings), becomes_accounts(&holdings));
        let holdings = Arc::new(holdings);
        self.known.insert(role.clone(), Arc::clone(&holdings));
        holdings
    }
}

/// A role and all that are aggregated into it. Their rules are written into it by the controller manager; manifests have only the selectors, so both are read.
fn aggregated(world: &Snapshot, role: &ObjectRef) -> Vec<Arc<Resource>> {
    let mut taken: Vec<Arc<Resource>> = world.resource(role).cloned().into_iter().collect();
    taken.retain(|resource| as_role(resource).is_some());
    let mut seen = BTreeSet::from([role.name.to_string()]);
    let mut next = 0;
    // What is taken in may itself take in others, and may do so in a circle.
    while let Some(role) = taken.get(next).cloned() {
        next += 1;
        let selectors = as_role(&role).and_then(|role| role.aggregation_rule.as_ref());
        for selector in selectors.iter().flat_map(|rule| &rule.cluster_role_selectors) {
            let selected = cluster_roles(world).filter(|(_, role)| selector.matches(&role.metadata.labels));
            let new = selected.filter(|(_, role)| seen.insert(role.metadata.name.clone()));
            taken.extend(new.map(|(resource, _)| Arc::clone(resource)));
        }
    }
    taken
}

fn as_role(resource: &Resource) -> Option<&Role> {
    match resource {
        Resource::Role(role) => Some(role),
        _ => None,
    }
}

fn cluster_roles(world: &Snapshot) -> impl Iterator<Item = (&Arc<Resource>, &Role)> {
    let shard = world.shard("").into_iter();
    shard
        .flat_map(|shard| shard.resources_of(Kind::ClusterRole))
        .filter_map(|(_, resource)| as_role(resource).map(|role| (resource, role)))
}
