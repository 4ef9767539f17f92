//! `ironside can`: who may do what, by which chain, and the way to cluster-admin.

use serde_json::Value;

use super::{Folder, err, ironside, out};

const RIGHTS: &str = "
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: deployer, namespace: shop}, rules: [{apiGroups: [apps], resources: [deployments, deployments/scale], verbs: [create, patch]}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: ci, namespace: shop}, roleRef: {kind: Role, name: deployer}, subjects: [{kind: ServiceAccount, name: ci, namespace: tools}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: web}, roleRef: {kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: web, namespace: shop}]}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: people, namespace: shop}, roleRef: {kind: ClusterRole, name: view}, subjects: [{kind: Group, name: developers}]}
";

/// Asks about the roles above: what is said, and the exit code.
fn can(arguments: &[&str]) -> (String, Option<i32>) {
    let output = ironside(&[&["can"], arguments, &["-f", "-"]].concat(), RIGHTS);
    assert_eq!(err(&output), "");
    (out(&output), output.status.code())
}

#[test]
fn the_chain_and_the_way_to_cluster_admin_are_shown() {
    let (said, code) = can(&["serviceaccount/tools/ci", "create", "deployments", "-n", "shop"]);
    assert_eq!(code, Some(0));
    assert_eq!(
        said,
        "yes: ServiceAccount tools/ci can create deployments.apps in shop
  RoleBinding shop/ci gives Role shop/deployer: create, patch on deployments, deployments/scale of apps
ServiceAccount tools/ci can become cluster-admin:
  1. by making a pod it becomes ServiceAccount shop/web (RoleBinding shop/ci)
  2. may do everything (ClusterRoleBinding web)
"
    );
}

#[test]
fn a_no_says_where_else_and_what_was_not_seen() {
    let (said, code) = can(&["system:serviceaccount:tools:ci", "patch", "deployment/scale"]);
    assert_eq!(code, Some(1));
    let begins = "no: nothing lets ServiceAccount tools/ci patch deployments.apps/scale everywhere\n  only in shop\n";
    assert!(said.starts_with(begins), "{said}");
    let (said, _) = can(&["alice", "get", "pods", "-n", "shop", "--group", "developers"]);
    let unseen = "RoleBinding shop/people gives ClusterRole view, which has no rules or was not given";
    assert!(said.contains(unseen), "{said}");
    let (said, code) = can(&["root", "get", "/metrics", "--group", "system:masters"]);
    assert!(
        said.starts_with("yes: User root can get /metrics\n") && code == Some(0),
        "{said}"
    );
}

#[test]
fn programs_get_the_same() {
    let (said, _) = can(&["sa/tools/ci", "create", "deployments.apps", "-n", "shop", "-o", "json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["kind"], "AccessAnswers");
    let answer = &said["answers"][0];
    assert_eq!(answer["allowed"], true, "{answer}");
    assert_eq!(answer["because"][0]["binding"], "RoleBinding shop/ci", "{answer}");
    assert_eq!(answer["wayToClusterAdmin"].as_array().map(Vec::len), Some(2));
    assert_eq!(answer["groups"].as_array().map(Vec::len), Some(3), "{answer}");
}

#[test]
fn what_is_not_a_question_is_refused_with_what_to_write() {
    let folder = Folder::new("can-reviews");
    let review = |text: &str| {
        folder.put("review.yaml", format!("apiVersion: authorization.k8s.io/v1\n{text}\n"));
        let file = format!("{}/review.yaml", folder.path());
        ironside(&["can", "--reviews", &file, "-f", "-"], RIGHTS)
    };
    let good = review(
        "kind: SubjectAccessReview\nspec: {user: root, groups: ['system:masters'], nonResourceAttributes: {path: /metrics, verb: get}}",
    );
    assert_eq!(
        (out(&good).as_str(), good.status.code()),
        ("yes  User root  get /metrics  the API server itself\n", Some(0))
    );
    for (text, says) in [
        ("kind: Pod", "not a SubjectAccessReview"),
        ("kind: SubjectAccessReview", "spec is missing"),
        (
            "kind: SubjectAccessReview\nspec: {user: a}",
            "write either resourceAttributes or",
        ),
    ] {
        let output = review(text);
        assert!(
            err(&output).contains(says) && output.status.code() == Some(2),
            "{}",
            err(&output)
        );
    }
    for (arguments, says) in [
        (
            &["serviceaccount/web", "get", "pods", "-f", "-"][..],
            "serviceaccount/NAMESPACE/NAME",
        ),
        (&["alice", "get", "/metrics", "-n", "shop", "-f", "-"], "is a path"),
        (&["alice", "get", "pods"], "--cluster"),
    ] {
        let output = ironside(&[&["can"], arguments].concat(), RIGHTS);
        assert!(
            err(&output).contains(says) && output.status.code() == Some(2),
            "{}",
            err(&output)
        );
    }
}
