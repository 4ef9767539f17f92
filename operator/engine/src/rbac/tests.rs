//! The graph on worlds worked out by hand, and its shortcuts beside a plain search on worlds that chance makes.

use std::collections::{BTreeSet, VecDeque};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{Graph, Identity, Request, Step, way_to_admin};
use crate::model::Kind;
use crate::model::rbac::Subject;
use crate::testing::Case;
use crate::world::{Delta, Object, Snapshot, World};

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
    let graph = world.rights();
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
fn what_everybody_has_is_nobodys_own() {
    let mut case = Case::of(
        "
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: all}, roleRef: {kind: ClusterRole, name: x}, subjects: [{kind: Group, name: 'system:authenticated'}, {kind: ServiceAccount, name: web, namespace: bank}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: own, namespace: shop}, roleRef: {kind: ClusterRole, name: x}, subjects: [{kind: ServiceAccount, name: web}]}
",
    );
    let (world, _) = case.world.drain();
    let web = Identity::of_account("shop", "web");
    let names = |grants: Vec<&super::Grant>| -> Vec<String> {
        grants.iter().map(|grant| grant.binding.name.to_string()).collect()
    };
    assert_eq!(names(world.rights().to(&web).collect()), ["all", "own"]);
    assert_eq!(names(world.rights().to_itself(&web).collect()), ["own"]);
}

#[test]
fn who_makes_pods_becomes_their_accounts() {
    let mut case = Case::of(CLUSTER);
    let (world, _) = case.world.drain();
    let graph = world.rights();
    assert_eq!(
        way_to_admin(graph, &Identity::of_account("shop", "operator")).map(|way| way.len()),
        Some(1)
    );
    let way = way_to_admin(graph, &Identity::of_account("ci", "builder")).expect("over pods of shop");
    assert_eq!(way.len(), 2, "{way:?}");
    assert!(way[0].to_string().contains("shop/operator"), "{}", way[0]);
    assert!(way_to_admin(graph, &Identity::of_account("shop", "web")).is_none());
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
    let graph = world.rights();
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

/// One ClusterRole for each thing that a way can be made of.
fn roles() -> Vec<Value> {
    let role = |name: &str, verb: &str, resource: &str| {
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name},
            "rules": [{"verbs": [verb], "apiGroups": ["*"], "resources": [resource]}]})
    };
    vec![
        role("reader", "get", "secrets"),
        role("maker", "create", "pods"),
        role("viewer", "get", "pods"),
    ]
}

const PLACES: [&str; 3] = ["a", "b", "c"];

fn subject() -> impl Strategy<Value = Value> {
    let account = (select(&["x", "y", "default"][..]), select(&PLACES[..]))
        .prop_map(|(name, namespace)| json!({"kind": "ServiceAccount", "name": name, "namespace": namespace}));
    let here = Just(json!({"kind": "ServiceAccount", "name": "x"}));
    let other = select(
        &[
            "User/u",
            "Group/g",
            "Group/system:serviceaccounts",
            "Group/system:serviceaccounts:b",
            "User/system:serviceaccount:c:y",
        ][..],
    );
    let other = other.prop_map(|named| {
        let (kind, name) = named.split_once('/').unwrap();
        json!({"kind": kind, "name": name})
    });
    prop_oneof![4 => account, 1 => here, 1 => other]
}

fn bindings() -> impl Strategy<Value = Vec<Value>> {
    let place = prop_oneof![1 => Just(None), 4 => select(&PLACES[..]).prop_map(Some)];
    let one = (
        place,
        select(&["reader", "maker", "viewer", "unseen"][..]),
        vec(subject(), 1..3),
    );
    vec(one, 1..8).prop_map(|all| {
        let all = all.into_iter().enumerate();
        all.map(|(index, (place, role, subjects))| {
            let kind = if place.is_some() { "RoleBinding" } else { "ClusterRoleBinding" };
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": format!("b{index}"), "namespace": place},
                "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects})
        })
        .collect()
    })
}

fn world_of(objects: &[Value]) -> World {
    let mut world = World::new(37);
    for object in objects {
        world.apply(Delta::Apply(decoded(object)));
    }
    world
}

/// Steps to cluster-admin by a search that looks at every binding and every account each time.
fn plainly(world: &Snapshot, from: &Identity) -> Option<usize> {
    let graph = Graph::of(world);
    let holds = |identity: &Identity, verb, resource, place: Option<&str>| {
        let grants = graph.grants().filter(|grant| grant.namespace.as_deref() == place);
        let granted = grants.filter(|grant| {
            grant
                .rules()
                .any(|rule| super::covers(rule, &Request::any(verb, "", resource)))
        });
        granted
            .flat_map(super::graph::Grant::names)
            .any(|name| identity.names().any(|own| own == name))
    };
    let mut seen = BTreeSet::from([from.clone()]);
    let mut open = VecDeque::from([(from.clone(), 1)]);
    while let Some((at, steps)) = open.pop_front() {
        if holds(&at, "get", "secrets", None) {
            return Some(steps);
        }
        for place in PLACES {
            if holds(&at, "create", "pods", None) || holds(&at, "create", "pods", Some(place)) {
                for name in ["x", "y", "default"] {
                    let account = Identity::of_account(place, name);
                    if seen.insert(account.clone()) {
                        open.push_back((account, steps + 1));
                    }
                }
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn ways_are_as_short_as_a_plain_search_finds_them(bindings in bindings()) {
        let objects: Vec<Value> = roles().into_iter().chain(bindings).collect();
        let (world, _) = world_of(&objects).drain();
        let accounts = PLACES.iter().flat_map(|place| ["x", "y", "default", "unnamed"].map(|name| Identity::of_account(place, name)));
        for identity in accounts.chain([Identity::of_user("u", []), Identity::of_user("v", ["g".to_owned()])]) {
            let way = way_to_admin(world.rights(), &identity).map(|way| way.len());
            prop_assert_eq!(way, plainly(&world, &identity), "{}", identity);
        }
    }

    #[test]
    fn what_is_kept_of_rights_is_what_a_new_world_has(before in bindings(), after in bindings()) {
        let mut world = world_of(&roles());
        for binding in &before {
            world.apply(Delta::Apply(decoded(binding)));
        }
        let ways = |world: &Snapshot| -> Vec<Option<Vec<Step>>> {
            let accounts = PLACES.iter().flat_map(|place| ["x", "y", "default"].map(|name| Identity::of_account(place, name)));
            accounts.map(|account| way_to_admin(world.rights(), &account)).collect()
        };
        let (first, _) = world.drain();
        let earlier = ways(&first);
        for binding in &before {
            world.apply(Delta::Delete(decoded(binding).reference()));
        }
        for binding in &after {
            world.apply(Delta::Apply(decoded(binding)));
        }
        let objects: Vec<Value> = roles().into_iter().chain(after).collect();
        let (second, _) = world.drain();
        prop_assert_eq!(ways(&second), ways(&world_of(&objects).drain().0));
        prop_assert_eq!(ways(&first), earlier, "who still reads the earlier version");
    }
}

fn decoded(object: &Value) -> Object {
    let kind = Kind::from_manifest(object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap()).unwrap();
    Object::decode(kind, object).unwrap()
}
