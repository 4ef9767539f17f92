//! Subjects, bindings and roles.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::escalation::Ways;
use super::identity::{Identity, Name};
use super::roles::{Holdings, Roles};
use super::rules::{Asked, Request, allows};
use crate::model::rbac::{Binding, PolicyRule, Subject};
use crate::model::{Kind, ObjectRef, Resource};
use crate::world::Snapshot;

/// Every binding of a cluster with the rules that it grants, found by whom it is to.
#[derive(Debug, Default)]
pub struct Graph {
    /// Sorted by binding.
    grants: Vec<Grant>,
    by_name: HashMap<Name, Vec<usize>>,
    /// Which accounts become cluster-admin. Worked out when first asked for: few readers do.
    ways: OnceLock<Ways>,
}

/// One binding and what it grants.
#[derive(Clone, Debug)]
pub struct Grant {
    /// The binding.
    pub binding: ObjectRef,
    /// Where it holds: a namespace, or `None` for everywhere.
    pub namespace: Option<Arc<str>>,
    /// What is granted.
    pub role: ObjectRef,
    object: Arc<Resource>,
    pub(super) holdings: Arc<Holdings>,
}

impl Grant {
    /// To whom.
    pub fn subjects(&self) -> &[Subject] {
        match &*self.object {
            Resource::Binding(binding) => &binding.subjects,
            _ => &[],
        }
    }

    /// The rules of its role, those of aggregated roles included; none where the role was not seen.
    pub fn rules(&self) -> impl Iterator<Item = &PolicyRule> {
        self.holdings.rules()
    }

    /// The names that the API server compares with who asks.
    pub(super) fn names(&self) -> impl Iterator<Item = Name> {
        let place = self.namespace.as_deref();
        self.subjects()
            .iter()
            .filter_map(move |subject| Name::of(subject, place))
    }
}

impl Graph {
    /// The graph of everything that was seen.
    pub fn of(world: &Snapshot) -> Self {
        let mut roles = Roles::of(world);
        let mut grants: Vec<Grant> = bindings(world)
            .map(|(reference, object, binding)| {
                let role = role_of(&reference, binding);
                Grant {
                    namespace: (reference.kind == Kind::RoleBinding).then(|| Arc::clone(&reference.namespace)),
                    holdings: roles.holdings(&role),
                    object: Arc::clone(object),
                    role,
                    binding: reference,
                }
            })
            .collect();
        grants.sort_by(|a, b| a.binding.cmp(&b.binding));
        let mut by_name: HashMap<Name, Vec<usize>> = HashMap::new();
        for (index, grant) in grants.iter().enumerate() {
            for name in grant.names() {
                by_name.entry(name).or_default().push(index);
            }
        }
        Self {
            grants,
            by_name,
            ways: OnceLock::new(),
        }
    }

    /// Every grant.
    pub fn grants(&self) -> impl Iterator<Item = &Grant> {
        self.grants.iter()
    }

    /// What a binding grants.
    pub fn grant(&self, binding: &ObjectRef) -> Option<&Grant> {
        let found = self.grants.binary_search_by(|grant| grant.binding.cmp(binding));
        found.ok().map(|index| &self.grants[index])
    }

    /// The grants to somebody, by its own name and by the groups that it is in.
    pub fn to(&self, identity: &Identity) -> impl Iterator<Item = &Grant> {
        self.to_any(identity.names())
    }

    /// The grants to somebody by its own name: what it has and others of its groups have not.
    pub fn to_itself(&self, identity: &Identity) -> impl Iterator<Item = &Grant> {
        self.to_any(identity.names().filter(|name| matches!(name, Name::User(_))))
    }

    fn to_any(&self, names: impl Iterator<Item = Name>) -> impl Iterator<Item = &Grant> {
        let mut found: Vec<usize> = names
            .filter_map(|name| self.by_name.get(&name))
            .flatten()
            .copied()
            .collect();
        // One binding may name somebody twice.
        found.sort_unstable();
        found.dedup();
        found.into_iter().map(|index| &self.grants[index])
    }

    /// The grants and rules that let somebody do something in a namespace, or everywhere (`None`).
    pub fn granting<'a>(
        &'a self,
        identity: &Identity,
        asked: &'a Asked<'a>,
        namespace: Option<&'a str>,
    ) -> impl Iterator<Item = (&'a Grant, &'a PolicyRule)> {
        self.to(identity)
            .filter(move |grant| grant.namespace.is_none() || grant.namespace.as_deref() == namespace)
            .flat_map(move |grant| {
                let allowing = grant.rules().filter(|rule| allows(rule, asked));
                allowing.map(move |rule| (grant, rule))
            })
    }

    /// Whether a subject may do something in a namespace, or everywhere (`None`): what a SubjectAccessReview answers, as far as RBAC decides it.
    pub fn can(&self, subject: &Subject, request: &Request<'_>, namespace: Option<&str>) -> bool {
        let identity = Identity::of(subject);
        let asked = Asked::Resource(*request);
        self.granting(&identity, &asked, namespace).next().is_some()
    }

    /// Whether some binding names an account, or a group of accounts that it is in: most accounts have no rights but everybody's.
    pub fn has_rights(&self, account: &Identity) -> bool {
        let everybody = Name::group("system:authenticated");
        let names = account.names().filter(|name| *name != everybody);
        self.to_any(names).next().is_some()
    }

    pub(super) fn ways(&self) -> &Ways {
        self.ways.get_or_init(|| Ways::of(self))
    }
}

/// The role that a binding names.
fn role_of(at: &ObjectRef, binding: &Binding) -> ObjectRef {
    let kind = match binding.role_ref.kind.as_str() {
        "Role" => Kind::Role,
        _ => Kind::ClusterRole,
    };
    ObjectRef::new(kind, &at.namespace, &binding.role_ref.name)
}

/// Every binding of the cluster.
fn bindings(world: &Snapshot) -> impl Iterator<Item = (ObjectRef, &Arc<Resource>, &Binding)> {
    world.shards.iter().flat_map(|(namespace, shard)| {
        let kind = if namespace.is_empty() {
            Kind::ClusterRoleBinding
        } else {
            Kind::RoleBinding
        };
        shard
            .resources_of(kind)
            .filter_map(move |(name, resource)| match &**resource {
                Resource::Binding(binding) => Some((ObjectRef::new(kind, namespace, name), resource, binding)),
                _ => None,
            })
    })
}
