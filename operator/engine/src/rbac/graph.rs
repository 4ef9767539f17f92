//! Subjects, bindings and roles.

use std::sync::Arc;

use super::rules::{Request, covers};
use crate::model::rbac::{Binding, PolicyRule, Role, Subject};
use crate::model::{Kind, ObjectRef, Resource};
use crate::world::Snapshot;

/// Every binding of a cluster with the rules that it grants.
#[derive(Debug)]
pub struct Graph<'a> {
    grants: Vec<Grant<'a>>,
}

/// One binding and what it grants.
#[derive(Clone, Debug)]
pub struct Grant<'a> {
    /// The binding.
    pub binding: ObjectRef,
    /// Where it holds: a namespace, or `None` for everywhere.
    pub namespace: Option<Arc<str>>,
    /// To whom.
    pub subjects: &'a [Subject],
    /// The rules of its role, those of aggregated roles included; none where the role does not exist.
    pub rules: Vec<&'a PolicyRule>,
}

impl<'a> Graph<'a> {
    /// The graph of everything that was seen.
    pub fn of(world: &'a Snapshot) -> Self {
        let bindings = bindings(world);
        Self {
            grants: bindings
                .map(|(reference, binding)| Grant {
                    namespace: (reference.kind == Kind::RoleBinding).then(|| Arc::clone(&reference.namespace)),
                    rules: rules_of(world, &reference, binding),
                    subjects: &binding.subjects,
                    binding: reference,
                })
                .collect(),
        }
    }

    /// Every grant.
    pub fn grants(&self) -> impl Iterator<Item = &Grant<'a>> {
        self.grants.iter()
    }

    /// The grants to a subject, by its own name and by the groups that it is in.
    pub fn of_subject<'b>(&'b self, subject: &'b Subject) -> impl Iterator<Item = &'b Grant<'a>> {
        self.grants
            .iter()
            .filter(move |grant| grant.subjects.iter().any(|named| includes(named, subject)))
    }

    /// Whether a subject may do something in a namespace, or everywhere (`None`): what a SubjectAccessReview answers, as far as RBAC decides it.
    pub fn can(&self, subject: &Subject, request: &Request<'_>, namespace: Option<&str>) -> bool {
        self.of_subject(subject)
            .filter(|grant| grant.namespace.is_none() || grant.namespace.as_deref() == namespace)
            .any(|grant| grant.rules.iter().any(|rule| covers(rule, request)))
    }
}

/// The rules of a binding's role. Rules of an aggregated ClusterRole are written into it by the controller manager; manifests have only the selectors, so both
/// are read.
pub(crate) fn rules_of<'a>(world: &'a Snapshot, at: &ObjectRef, binding: &Binding) -> Vec<&'a PolicyRule> {
    let kind = match binding.role_ref.kind.as_str() {
        "Role" => Kind::Role,
        _ => Kind::ClusterRole,
    };
    let Some(role) = role(world, &ObjectRef::new(kind, &at.namespace, &binding.role_ref.name)) else {
        return Vec::new();
    };
    let selectors = role
        .aggregation_rule
        .iter()
        .flat_map(|rule| &rule.cluster_role_selectors);
    let aggregated = selectors.flat_map(|selector| {
        cluster_roles(world)
            .filter(|role| selector.matches(&role.metadata.labels))
            .flat_map(|role| &role.rules)
    });
    role.rules.iter().chain(aggregated).collect()
}

fn role<'a>(world: &'a Snapshot, reference: &ObjectRef) -> Option<&'a Role> {
    match world.resource(reference).map(AsRef::as_ref) {
        Some(Resource::Role(role)) => Some(role),
        _ => None,
    }
}

fn cluster_roles(world: &Snapshot) -> impl Iterator<Item = &Role> {
    let shard = world.shard("").into_iter();
    shard
        .flat_map(|shard| shard.resources_of(Kind::ClusterRole))
        .filter_map(|(_, resource)| match resource {
            Resource::Role(role) => Some(role),
            _ => None,
        })
}

/// Every binding of the cluster.
fn bindings(world: &Snapshot) -> impl Iterator<Item = (ObjectRef, &Binding)> {
    world.shards.iter().flat_map(|(namespace, shard)| {
        let kind = if namespace.is_empty() {
            Kind::ClusterRoleBinding
        } else {
            Kind::RoleBinding
        };
        shard
            .resources_of(kind)
            .filter_map(move |(name, resource)| match resource {
                Resource::Binding(binding) => Some((ObjectRef::new(kind, namespace, name), binding)),
                _ => None,
            })
    })
}

/// Whether some binding names a subject, or a group of accounts that it is in: most accounts have no rights but everybody's.
pub fn has_rights(world: &Snapshot, subject: &Subject) -> bool {
    bindings(world).any(|(_, binding)| {
        let named = |named: &Subject| named.name != "system:authenticated" && includes(named, subject);
        binding.subjects.iter().any(named)
    })
}

/// Whether a subject of a binding is this one, or a group that it is in. Groups of people are known to nobody but their identity provider.
fn includes(named: &Subject, subject: &Subject) -> bool {
    if named.kind != "Group" || subject.kind == "Group" {
        let same_place = named.kind != "ServiceAccount" || named.namespace == subject.namespace;
        return named.kind == subject.kind && named.name == subject.name && same_place;
    }
    let is_account = subject.kind == "ServiceAccount";
    match named.name.as_str() {
        "system:authenticated" => subject.name != "system:anonymous",
        "system:unauthenticated" => subject.name == "system:anonymous",
        "system:serviceaccounts" => is_account,
        group => is_account && group.strip_prefix("system:serviceaccounts:") == Some(subject.namespace.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Request, way_to_admin};
    use super::*;
    use crate::testing::Case;

    const CLUSTER: &str = "
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: reader}, rules: [{apiGroups: [''], resources: [secrets], verbs: [get]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: all}, aggregationRule: {clusterRoleSelectors: [{matchLabels: {part: x}}]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: part, labels: {part: x}}, rules: [{apiGroups: ['*'], resources: ['*'], verbs: ['*']}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: maker, namespace: shop}, rules: [{apiGroups: [''], resources: [pods], verbs: [create]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: a, namespace: shop}, roleRef: {kind: ClusterRole, name: reader}, subjects: [{kind: ServiceAccount, name: web, namespace: shop}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b, namespace: shop}, roleRef: {kind: Role, name: maker}, subjects: [{kind: Group, name: 'system:serviceaccounts:ci'}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: c}, roleRef: {kind: ClusterRole, name: all}, subjects: [{kind: ServiceAccount, name: operator, namespace: shop}]}
";

    fn account(namespace: &str, name: &str) -> Subject {
        Subject {
            kind: "ServiceAccount".to_owned(),
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        }
    }

    #[test]
    fn rights_hold_where_they_are_bound() {
        let mut case = Case::of(CLUSTER);
        let (world, _) = case.world.drain();
        let graph = Graph::of(&world);
        let secrets = Request::any("get", "", "secrets");
        let web = account("shop", "web");
        assert!(graph.can(&web, &secrets, Some("shop")));
        assert!(
            !graph.can(&web, &secrets, Some("bank")),
            "a RoleBinding holds in its namespace"
        );
        assert!(!graph.can(&web, &secrets, None));
        assert!(
            !graph.can(&account("bank", "web"), &secrets, Some("shop")),
            "another account"
        );
        assert!(graph.can(&account("shop", "operator"), &secrets, None), "aggregated");
        assert!(
            graph.can(&account("ci", "any"), &Request::any("create", "", "pods"), Some("shop")),
            "a group"
        );
    }

    #[test]
    fn who_makes_pods_becomes_their_accounts() {
        let mut case = Case::of(CLUSTER);
        let (world, _) = case.world.drain();
        let graph = Graph::of(&world);
        assert_eq!(
            way_to_admin(&graph, &account("shop", "operator")).map(|way| way.len()),
            Some(1)
        );
        let way = way_to_admin(&graph, &account("ci", "builder")).expect("over pods of shop");
        assert_eq!(way.len(), 2, "{way:?}");
        assert!(way[0].to_string().contains("shop/operator"), "{}", way[0]);
        assert!(way_to_admin(&graph, &account("shop", "web")).is_none());
    }
}
