//! `ironside threats`: what is open by threat, and the way from outside to cluster-admin.

use std::path::{Path, PathBuf};

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
    let ways = "
From outside to cluster-admin or to a node, the shortest way first
  Service shop/web (a load balancer) -> Deployment shop/web -> its node (container web is privileged)
  Service shop/web (a load balancer) -> Deployment shop/web -> ServiceAccount shop/web -> may do everything (ClusterRoleBinding web)
";
    assert!(said.ends_with(ways), "{said}");
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
    let [node, admin] = said["ways"].as_array().unwrap().as_slice() else {
        panic!("{said}")
    };
    assert_eq!(node["to"], "Node");
    assert_eq!(node["by"], "container web is privileged");
    assert_eq!(admin["to"], "ClusterAdmin");
    assert_eq!(admin["account"], "ServiceAccount shop/web");
    assert_eq!(admin["steps"][0]["binding"], "ClusterRoleBinding web");
}

#[test]
fn where_nothing_is_exposed_no_way_is_told() {
    let output = ironside(&["threats", "-"], &SHOP.replace("LoadBalancer", "ClusterIP"));
    let said = out(&output);
    assert!(
        said.contains("No way from an exposed Service to cluster-admin or to a node"),
        "{said}"
    );
    assert!(
        said.ends_with(
            "  Deployment shop/web -> ServiceAccount shop/web -> may do everything (ClusterRoleBinding web)\n"
        ),
        "{said}"
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

/// kubernetes-goat is vulnerable on purpose: its three pods that have their node, and its account that may do everything.
#[test]
#[allow(clippy::print_stdout)] // that it was skipped is to be seen
fn the_holes_of_an_application_that_is_made_of_them_are_found() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/corpus");
    let corpus = std::env::var_os("IRONSIDE_CORPUS").map_or(beside, PathBuf::from);
    let goat = corpus.join("workloads/kubernetes-goat");
    if !goat.is_dir() {
        println!("skipped: no corpus at IRONSIDE_CORPUS or ../shared/corpus");
        return;
    }
    let output = ironside(&["threats", "-o", "json", &goat.to_string_lossy()], "");
    let said: Value = serde_json::from_str(&out(&output)).unwrap();
    let nodes: Vec<&str> = said["ways"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|way| way["to"] == "Node")
        .filter_map(|way| way["workload"].as_str())
        .collect();
    for hole in [
        "health-check-deployment",
        "system-monitor-deployment",
        "docker-bench-security",
    ] {
        assert!(
            nodes.iter().any(|workload| workload.ends_with(hole)),
            "{hole} in {nodes:?}"
        );
    }
    let insider = said["threats"][2]["open"].as_array().unwrap();
    assert!(insider.iter().any(|open| open["control"] == "RBAC-001"), "{insider:?}");
}
