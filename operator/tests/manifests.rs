//! The roles in `config/` grant what the program asks for, and nothing else.

#![allow(clippy::unwrap_used)] // a test

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use ironside::cluster::Source;
use ironside::report::rights::rights_of;
use ironside_engine::controls::CONTROLS;
use ironside_engine::model::Kind;
use k8s_openapi::api::rbac::v1::PolicyRule;

/// Verbs by resource: `deployments.apps`, `hardeningpolicies.hardening.ironside.dev/status`, `configmaps` (one name only: `configmaps ironside-pause`).
type Grants = BTreeMap<String, BTreeSet<String>>;

#[derive(serde::Deserialize)]
struct Manifest {
    kind: String,
    #[serde(default)]
    rules: Vec<PolicyRule>,
}

fn granted(file: &str) -> Grants {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config").join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let manifests: Vec<Manifest> = serde_saphyr::from_multiple(&text).unwrap();
    let roles = manifests.into_iter().filter(|manifest| manifest.kind.ends_with("Role"));
    let mut grants = Grants::new();
    for rule in roles.flat_map(|role| role.rules) {
        assert!(rule.non_resource_urls.is_none());
        for group in rule.api_groups.iter().flatten() {
            for resource in rule.resources.iter().flatten() {
                for name in rule.resource_names.clone().unwrap_or_else(|| vec![String::new()]) {
                    let (plural, subresource) = resource.split_once('/').unwrap_or((resource, ""));
                    let mut key = plural.to_owned();
                    for (separator, part) in [(".", group.as_str()), ("/", subresource), (" ", &name)] {
                        if !part.is_empty() {
                            key.push_str(separator);
                            key.push_str(part);
                        }
                    }
                    grants.entry(key).or_default().extend(rule.verbs.iter().cloned());
                }
            }
        }
    }
    grants
}

fn verbs(verbs: &[&str]) -> BTreeSet<String> {
    verbs.iter().map(|verb| (*verb).to_owned()).collect()
}

#[test]
fn what_is_watched_may_be_read_and_nothing_else() {
    let beside_own = |source: &Source| !source.is_own() && *source != Source::PauseSwitch;
    let watched = Source::all().into_iter().filter(beside_own);
    let expected: Grants = watched
        .map(|source| (source.resource().into_owned(), verbs(&["get", "list", "watch"])))
        .collect();
    assert_eq!(granted("rbac/read.yaml"), expected);
}

#[test]
fn in_audit_mode_only_our_own_kinds_and_events_are_written() {
    let mut expected = Grants::new();
    for source in Source::OWN {
        let resource = source.resource();
        expected.insert(resource.to_string(), verbs(&["get", "list", "watch"]));
        expected.insert(format!("{resource}/status"), verbs(&["patch", "update"]));
    }
    let remediations = Source::Remediation.resource().into_owned();
    expected
        .entry(remediations)
        .or_default()
        .extend(verbs(&["create", "delete"]));
    expected.insert("events.events.k8s.io".to_owned(), verbs(&["create", "patch"]));
    for kind in ironside::report::community::KINDS {
        let resource = format!("{}.{}", kind.plural, kind.group);
        expected.insert(resource, verbs(&["create", "delete", "list", "patch"]));
    }
    assert_eq!(granted("rbac/status.yaml"), expected);
}

#[test]
fn the_overlay_grants_what_repairs_ask_for() {
    let mut expected = Grants::new();
    for repair in CONTROLS.iter().filter_map(|control| control.repair) {
        for right in Kind::ALL.into_iter().flat_map(|kind| rights_of(kind, repair.by)) {
            let resource = format!("{}.{}", right.resource, right.group);
            expected.entry(resource).or_default().insert(right.verb.to_owned());
        }
    }
    assert!(!expected.is_empty());
    assert_eq!(granted("overlays/remediate/role.yaml"), expected);
}

#[test]
fn in_its_own_namespace_it_needs_the_lease_and_the_pause_switch() {
    let own = granted("rbac/own_namespace.yaml");
    assert_eq!(own["configmaps ironside-pause"], verbs(&["get", "list", "watch"]));
    assert_eq!(
        own["leases.coordination.k8s.io"],
        verbs(&["create", "get", "update", "watch"])
    );
    assert_eq!(own.len(), 2);
}

#[test]
fn kubelets_are_asked_by_an_account_that_can_do_nothing_else() {
    let account = ["nodes/configz", "nodes/stats"].map(|resource| (resource.to_owned(), verbs(&["get"])));
    let account = BTreeMap::from(account);
    assert_eq!(granted("overlays/evidence/account.yaml"), account);
    let operator = BTreeMap::from([("serviceaccounts/token ironside-kubelet".to_owned(), verbs(&["create"]))]);
    assert_eq!(granted("overlays/evidence/role.yaml"), operator);
}

#[test]
fn the_api_server_is_asked_about_itself_and_about_nothing_else() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../config/evidence/role.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let manifests: Vec<Manifest> = serde_saphyr::from_multiple(&text).unwrap();
    let rules: Vec<PolicyRule> = manifests.into_iter().flat_map(|manifest| manifest.rules).collect();
    let paths = ironside::components::PATHS.map(str::to_owned).to_vec();
    let expected = PolicyRule {
        non_resource_urls: Some(paths),
        verbs: vec!["get".to_owned()],
        ..PolicyRule::default()
    };
    assert_eq!(rules, [expected]);
}

#[test]
fn no_role_of_the_operator_is_wider_than_it_must_be() {
    for file in [
        "rbac/read.yaml",
        "rbac/status.yaml",
        "rbac/own_namespace.yaml",
        "overlays/remediate/role.yaml",
    ] {
        for (resource, verbs) in granted(file) {
            assert!(!resource.contains('*') && !verbs.contains("*"), "{file}: wildcard");
            let plural = resource.split(['.', '/', ' ']).next().unwrap();
            assert_ne!(plural, "secrets", "{file}: {resource}");
            // Which versions nodes run stands in the objects themselves; every subresource of a node is a way into it.
            assert!(plural != "nodes" || resource == "nodes", "{file}: {resource}");
            if ["nodes", "roles", "clusterroles", "rolebindings", "clusterrolebindings"].contains(&plural) {
                assert!(
                    verbs.is_subset(&self::verbs(&["get", "list", "watch"])),
                    "{file}: {resource}"
                );
            }
            assert!(
                !resource.contains("/exec") && !resource.contains("/proxy"),
                "{file}: {resource}"
            );
            for verb in ["escalate", "bind", "impersonate", "approve", "deletecollection"] {
                assert!(!verbs.contains(verb), "{file}: {verb} {resource}");
            }
        }
    }
}

/// Everything that the operator's account may change anywhere, by resource.
fn changeable() -> BTreeSet<String> {
    let files = [
        "rbac/read.yaml",
        "rbac/status.yaml",
        "rbac/own_namespace.yaml",
        "overlays/remediate/role.yaml",
    ];
    let reads = verbs(&["get", "list", "watch"]);
    files
        .iter()
        .flat_map(|file| granted(file))
        .filter(|(_, verbs)| !verbs.is_subset(&reads))
        .map(|(resource, _)| resource)
        .collect()
}

/// Whether some repair writes at or below a place of the pod template.
fn writes(place: &str) -> bool {
    CONTROLS
        .iter()
        .flat_map(|control| control.writes)
        .any(|written| written.contains(place))
}

#[test]
fn story_31_resources_and_replicas_are_never_written() {
    assert!(
        writes("allowPrivilegeEscalation"),
        "the lists of what is written are read"
    );
    for place in ["resources", "replicas", "resizePolicy"] {
        assert!(!writes(place), "a repair writes {place}");
    }
    assert!(
        !changeable()
            .iter()
            .any(|resource| resource.ends_with("/scale") || resource.ends_with("/resize"))
    );
}

#[test]
fn story_33_user_namespaces_are_a_humans_choice() {
    assert!(!writes("hostUsers"));
}

#[test]
fn story_35_rights_and_credentials_are_reported_only() {
    let changeable = changeable();
    assert!(changeable.contains("deployments.apps"), "{changeable:?}");
    for out_of_reach in [
        "rbac.authorization.k8s.io",
        "secrets",
        "serviceaccounts",
        "certificates.k8s.io",
        "token",
    ] {
        assert!(
            !changeable.iter().any(|resource| resource.contains(out_of_reach)),
            "{changeable:?}"
        );
    }
}

#[test]
fn story_36_what_fails_later_is_not_generated() {
    for out_of_reach in ["namespaces", "limitranges", "resourcequotas", "serviceaccounts"] {
        assert!(!changeable().contains(out_of_reach), "{out_of_reach} can be changed");
    }
}

#[test]
fn story_37_no_admission_policy_is_generated() {
    assert!(
        !changeable()
            .iter()
            .any(|resource| resource.contains("admissionregistration"))
    );
}
