//! Subjects, bindings and roles.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use super::identity::Identity;
use super::rules::{Asked, Request, allows};
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
    /// What is granted.
    pub role: ObjectRef,
    /// To whom.
    pub subjects: &'a [Subject],
    /// The rules of its role, those of aggregated roles included; none where the role was not seen.
    pub rules: Vec<&'a PolicyRule>,
}

impl Grant<'_> {
    /// Whether it is to somebody, by name or by a group.
    pub fn is_to(&self, identity: &Identity) -> bool {
        self.subjects
            .iter()
            .any(|named| identity.is(named, self.namespace.as_deref()))
    }
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
                    role: role_of(&reference, binding),
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

    /// The grants to somebody, by its own name and by the groups that it is in.
    pub fn to<'b>(&'b self, identity: &'b Identity) -> impl Iterator<Item = &'b Grant<'a>> {
        self.grants.iter().filter(|grant| grant.is_to(identity))
    }

    /// The grants and rules that let somebody do something in a namespace, or everywhere (`None`).
    pub fn granting<'b>(
        &'b self,
        identity: &'b Identity,
        asked: &'b Asked<'b>,
        namespace: Option<&'b str>,
    ) -> impl Iterator<Item = (&'b Grant<'a>, &'a PolicyRule)> {
        self.to(identity)
            .filter(move |grant| grant.namespace.is_none() || grant.namespace.as_deref() == namespace)
            .flat_map(move |grant| {
                let allowing = grant.rules.iter().filter(|rule| allows(rule, asked));
                allowing.map(move |rule| (grant, *rule))
            })
    }

    /// Whether a subject may do something in a namespace, or everywhere (`None`): what a SubjectAccessReview answers, as far as RBAC decides it.
    pub fn can(&self, subject: &Subject, request: &Request<'_>, namespace: Option<&str>) -> bool {
        let identity = Identity::of(subject);
        let asked = Asked::Resource(*request);
        self.granting(&identity, &asked, namespace).next().is_some()
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

/// The rules of a binding's role. Rules of an aggregated ClusterRole are written into it by the controller manager; manifests have only the selectors, so both
/// are read.
pub(crate) fn rules_of<'a>(world: &'a Snapshot, at: &ObjectRef, binding: &Binding) -> Vec<&'a PolicyRule> {
    let reference = role_of(at, binding);
    let Some(role) = role(world, &reference) else {
        let is_admin = reference.kind == Kind::ClusterRole && *reference.name == *"cluster-admin";
        return if is_admin {
            EVERYTHING.iter().collect()
        } else {
            Vec::new()
        };
    };
    let (mut seen, mut open, mut rules) = (BTreeSet::from([&*role.metadata.name]), vec![role], Vec::new());
    // What is taken in may itself take in others, and may do so in a circle.
    while let Some(role) = open.pop() {
        rules.extend(&role.rules);
        let selectors = role
            .aggregation_rule
            .iter()
            .flat_map(|rule| &rule.cluster_role_selectors);
        for selector in selectors {
            let selected = cluster_roles(world).filter(|role| selector.matches(&role.metadata.labels));
            open.extend(selected.filter(|role| seen.insert(&role.metadata.name)));
        }
    }
    rules
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
    let identity = Identity::of(subject);
    bindings(world).any(|(reference, binding)| {
        let place = Some(&*reference.namespace).filter(|namespace| !namespace.is_empty());
        let named = |named: &Subject| named.name != "system:authenticated" && identity.is(named, place);
        binding.subjects.iter().any(named)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Identity, Request, way_to_admin};
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
            way_to_admin(&graph, &Identity::of_account("shop", "operator")).map(|way| way.len()),
            Some(1)
        );
        let way = way_to_admin(&graph, &Identity::of_account("ci", "builder")).expect("over pods of shop");
        assert_eq!(way.len(), 2, "{way:?}");
        assert!(way[0].to_string().contains("shop/operator"), "{}", way[0]);
        assert!(way_to_admin(&graph, &Identity::of_account("shop", "web")).is_none());
    }
    #[test]
    fn aggregation_goes_through_roles_that_aggregate_and_ends_in_a_circle() {
        let mut case = Case::of(
            "
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: a, labels: {in: b}}, aggregationRule: {clusterRoleSelectors: [{matchLabels: {in: a}}]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: b, labels: {in: a}}, aggregationRule: {clusterRoleSelectors: [{matchLabels: {in: b}}]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: c, labels: {in: b}}, rules: [{apiGroups: [''], resources: [pods], verbs: [get]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: a}, roleRef: {kind: ClusterRole, name: a}, subjects: [{kind: User, name: alice}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: admin}, roleRef: {kind: ClusterRole, name: cluster-admin}, subjects: [{kind: User, name: root}]}
",
        );
        let (world, _) = case.world.drain();
        let graph = Graph::of(&world);
        let user = |name: &str| Subject {
            kind: "User".to_owned(),
            name: name.to_owned(),
            namespace: String::new(),
        };
        assert!(graph.can(&user("alice"), &Request::any("get", "", "pods"), None));
        assert!(!graph.can(&user("alice"), &Request::any("list", "", "pods"), None));
        assert!(
            graph.can(&user("root"), &Request::any("delete", "apps", "deployments"), None),
            "cluster-admin stands in no manifest"
        );
    }
}
