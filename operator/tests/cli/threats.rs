//! `ironside threats`: what is open by threat, and the way from outside to cluster-admin.

use serde_json::Value;

use super::{Folder, err, ironside, out};

const SHOP: &str = "
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: shop}, spec: {selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: web, containers: [{name: web, image: 'web:1', securityContext: {privileged: true}}]}}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {type: LoadBalancer, selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: web}, roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}, subjects: [{kind: ServiceAccount, name: web, namespace: shop}]}
";

#[test]
fn every_threat_is_told_with_what_is_open_and_the_way_in() {
    let output = ironside(&["threats", "-"], SHOP);
    assert_eq!((err(&output).as_str(), output.status.code()), ("", Some(1)));
    let said = out(&output);
    for threat in ["SupplyChain", "MaliciousActor", "InsiderThreat"] {
        let line = said.lines().find(|line| line.starts_with(threat));
        assert!(
            line.is_some_and(|line| line.contains("score ") && line.contains("coverage ")),
            "{said}"
        );
    }
    assert!(said.contains("Critical  POD-001"), "{said}");
    let way = "  Service shop/web (a load balancer) -> Deployment shop/web -> ServiceAccount shop/web -> may do everything (ClusterRoleBinding web)\n";
    assert!(said.ends_with(way), "{said}");
}

#[test]
fn programs_get_all_of_it() {
    let output = ironside(&["threats", "-", "-o", "json"], SHOP);
    let said: Value = serde_json::from_str(&out(&output)).unwrap();
    assert_eq!(said["threats"].as_array().map(Vec::len), Some(3));
    let actor = &said["threats"][1];
    assert_eq!(actor["name"], "MaliciousActor");
    let open = actor["open"].as_array().unwrap();
    assert_eq!(open.len() as u64, actor["failed"].as_u64().unwrap());
    assert_eq!(said["ways"][0]["account"], "ServiceAccount shop/web");
    assert_eq!(said["ways"][0]["steps"][0]["binding"], "ClusterRoleBinding web");
}

#[test]
fn where_nothing_is_exposed_no_way_is_told() {
    let output = ironside(&["threats", "-"], &SHOP.replace("LoadBalancer", "ClusterIP"));
    assert!(
        out(&output).contains("No way from an exposed Service to cluster-admin"),
        "{}",
        out(&output)
    );
}

#[test]
fn where_nothing_is_given_it_is_refused_as_a_scan_refuses_it() {
    let folder = Folder::new("threats-nothing");
    for verb in ["threats", "scan"] {
        for (arguments, expected) in [
            (vec![verb], "nothing to look at"),
            (vec![verb, folder.path()], "no .yaml, .yml or .json file in"),
        ] {
            let output = ironside(&arguments, "");
            assert_eq!(output.status.code(), Some(2), "{arguments:?}");
            assert!(err(&output).contains(expected), "{expected} in:\n{}", err(&output));
        }
    }
}
