//! What repairs make of live pods, of parameters and of the server's version: what is Low, what needs a human's eye, what is not done at all.

mod layers;
mod shop;
#[path = "../support/mod.rs"]
mod support;

use ironside_engine::controls::{Gap, NamespaceScope, Parameters, Responsibility, Risk, Verdict};
use ironside_engine::model::Kind;
use ironside_engine::world::{Delta, Object, World};
use serde_json::{Value, json};

use shop::{Shop, control, status};

#[test]
fn dropping_capabilities_is_low_where_every_pod_runs_as_somebody() {
    let shop = Shop::new(&json!({"allowPrivilegeEscalation": false}))
        .pod("a", 10001)
        .pod("b", 10001);
    assert_eq!(shop.risk("POD-011", &[]), (Risk::Low, vec![]));
}

#[test]
fn low_ports_keep_the_capability_that_binds_them() {
    let added = |capabilities: Value, ports: &[u16]| -> Vec<Value> {
        let mut shop = Shop::new(&json!({"capabilities": capabilities}));
        let ports: Vec<Value> = ports.iter().map(|port| json!({"containerPort": port})).collect();
        shop.template()["containers"][0]["ports"] = json!(ports);
        let edits = shop.propose("POD-011", &[]).edits;
        let adds = edits
            .into_iter()
            .filter(|edit| edit.pointer.ends_with("/capabilities/add"));
        adds.map(|edit| edit.to).collect()
    };
    assert_eq!(added(json!({}), &[8080, 1023]), [json!(["NET_BIND_SERVICE"])]);
    assert_eq!(added(json!({"add": []}), &[80]), [json!(["NET_BIND_SERVICE"])]);
    assert_eq!(
        added(json!({"add": ["NET_BIND_SERVICE"]}), &[80]),
        [] as [Value; 0],
        "it is there"
    );
    assert_eq!(added(json!({}), &[1024, 8443]), [] as [Value; 0]);
}

#[test]
fn dropping_capabilities_is_low_where_the_same_patch_forbids_escalation() {
    let shop = Shop::new(&json!({})).pod("a", 10001);
    assert_eq!(shop.risk("POD-011", &["POD-009"]), (Risk::Low, vec![]));
    let (risk, reasons) = shop.risk("POD-011", &["POD-013"]);
    assert_eq!(risk, Risk::Medium);
    assert!(reasons[0].contains("setuid"), "{reasons:?}");
}

#[test]
fn dropping_capabilities_is_medium_where_one_pod_says_nothing_or_root() {
    let silent = Shop::new(&json!({"allowPrivilegeEscalation": false}))
        .pod("a", 10001)
        .silent_pod("b");
    let (risk, reasons) = silent.risk("POD-011", &[]);
    assert_eq!((risk, reasons.len()), (Risk::Medium, 1));
    assert!(reasons[0].contains("pod b"), "{reasons:?}");

    let root = Shop::new(&json!({"allowPrivilegeEscalation": false}))
        .pod("a", 10001)
        .pod("b", 0);
    let (risk, reasons) = root.risk("POD-011", &[]);
    assert_eq!((risk, reasons.len()), (Risk::Medium, 1));
    assert!(reasons[0].contains("runs as root (pod b)"), "{reasons:?}");

    let (risk, _) = Shop::new(&json!({"allowPrivilegeEscalation": false})).risk("POD-011", &[]);
    assert_eq!(risk, Risk::Medium, "no pod at all is no evidence");
}

#[test]
fn pods_that_ended_or_are_going_away_are_no_evidence() {
    let shop = Shop::new(&json!({"allowPrivilegeEscalation": false}))
        .pod("a", 10001)
        .changed_pod("b", 0, "/status/phase", json!("Failed"))
        .changed_pod("c", 0, "/metadata/deletionTimestamp", json!("2026-01-02T03:04:05Z"));
    assert_eq!(shop.risk("POD-011", &[]), (Risk::Low, vec![]));
}

#[test]
fn story_30_init_container_that_chowns() {
    let mut shop = Shop::new(&json!({"allowPrivilegeEscalation": false}));
    shop.template()["initContainers"] =
        json!([{"name": "prepare", "securityContext": {"allowPrivilegeEscalation": false}}]);
    let shop = shop.changed_pod(
        "a",
        10001,
        "/status/initContainerStatuses",
        json!([status("prepare", 0)]),
    );

    let (risk, reasons) = shop.risk("POD-011", &["POD-009"]);
    assert_eq!((risk, reasons.len()), (Risk::Medium, 1), "{reasons:?}");
    assert!(reasons[0].contains("prepare runs as root"), "{reasons:?}");

    let held = shop.propose("POD-007", &[]).held;
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].reason(), "WouldBreak");
    assert!(
        held[0].to_string().contains("prepare runs as root (pod a)"),
        "{}",
        held[0]
    );
}

#[test]
fn story_29_injected_containers_are_neither_evidence_nor_touched() {
    let injected = json!([status("web", 10001), status("istio-proxy", 0)]);
    let shop = Shop::new(&json!({})).changed_pod("a", 10001, "/status/containerStatuses", injected);
    for id in ["POD-007", "POD-009", "POD-011", "POD-012", "POD-013"] {
        let proposal = shop.propose(id, &["POD-009"]);
        assert_eq!(proposal.held, [], "{id}");
        for edit in &proposal.edits {
            let own = edit
                .container
                .as_ref()
                .is_some_and(|(_, index, name)| *index == 0 && name == "web");
            let own_volume = edit.pointer == "/spec/volumes/0" && edit.from.is_none();
            assert!(own || own_volume, "{id} writes {}", edit.pointer);
        }
    }
    assert_eq!(shop.risk("POD-011", &["POD-009"]), (Risk::Low, vec![]));
}

#[test]
fn root_that_a_pod_shows_holds_run_as_non_root() {
    let shop = Shop::new(&json!({})).pod("a", 10001).pod("b", 0);
    let held = shop.propose("POD-007", &[]).held;
    assert_eq!(held[0].to_string(), "would break: container web runs as root (pod b)");
}

#[test]
fn a_stated_user_needs_no_evidence() {
    let (risk, reasons) = Shop::new(&json!({"runAsUser": 10001})).risk("POD-007", &[]);
    assert_eq!((risk, reasons), (Risk::Low, vec![]));
}

#[test]
fn the_observed_user_is_stated_only_where_asked_for_and_where_pods_agree() {
    let written = |shop: &Shop| -> Vec<(String, Value)> {
        let proposal = shop.propose("POD-007", &[]);
        proposal.edits.into_iter().map(|edit| (edit.pointer, edit.to)).collect()
    };
    let at = |field: &str| format!("/spec/containers/0/securityContext/{field}");
    let only = vec![(at("runAsNonRoot"), json!(true))];

    let shop = Shop::new(&json!({})).pod("a", 10001).pod("b", 10001);
    assert_eq!(written(&shop), only);
    let shop = shop.with_parameter("runAsUser", "Observed");
    let all = [
        ("runAsNonRoot", json!(true)),
        ("runAsUser", json!(10001)),
        ("runAsGroup", json!(20001)),
    ];
    assert_eq!(written(&shop), all.map(|(field, to)| (at(field), to)));
    assert_eq!(written(&shop.pod("c", 10002)), only, "pods disagree");
}

#[test]
fn a_user_namespace_excuses_root_since_1_35() {
    let mut shop = Shop::new(&json!({"runAsUser": 0}));
    shop.template()["hostUsers"] = json!(false);
    assert_eq!(shop.at_version(34).judge("POD-007").verdict(), Verdict::Fail);
    assert_eq!(shop.at_version(35).judge("POD-007").verdict(), Verdict::Pass);
}

#[test]
fn story_17_writable_paths_never_cover_a_mount() {
    let mut shop = Shop::new(&json!({}));
    shop.template()["volumes"] = json!([{"name": "data", "emptyDir": {}}]);
    shop.template()["containers"][0]["volumeMounts"] = json!([{"name": "data", "mountPath": "/var/cache"}]);
    let paths = ["/tmp", "/var/cache", "/var/cache/web", "/var/cacheable", "/tmp"];
    shop.parameters
        .0
        .insert("writablePaths".to_owned(), paths.map(str::to_owned).to_vec());

    let edits = shop.propose("POD-012", &[]).edits;
    let mounted: Vec<&Value> = edits.iter().filter_map(|edit| edit.to.get("mountPath")).collect();
    assert_eq!(mounted, ["/tmp", "/var/cacheable"]);
    let pointers: Vec<&str> = edits.iter().map(|edit| edit.pointer.as_str()).collect();
    assert_eq!(
        pointers,
        [
            "/spec/containers/0/securityContext/readOnlyRootFilesystem",
            "/spec/volumes/1",
            "/spec/containers/0/volumeMounts/1",
            "/spec/volumes/2",
            "/spec/containers/0/volumeMounts/2",
        ]
    );
    let names: Vec<&str> = edits.iter().filter_map(|edit| edit.to.get("name")?.as_str()).collect();
    assert_eq!(names[0], names[1], "the mount names its volume");
    assert_ne!(names[0], names[2]);
    for name in names {
        assert!(
            name.len() <= 63 && name.starts_with("ironside-tmp-") || name.starts_with("ironside-var-cacheable-"),
            "{name} is not a DNS label"
        );
    }
}

#[test]
fn a_volume_name_that_is_taken_is_not_reused() {
    let named = |shop: &Shop| -> String {
        let edits = shop.propose("POD-012", &[]).edits;
        edits[1].to["name"].as_str().expect("a name").to_owned()
    };
    let mut shop = Shop::new(&json!({}));
    let first = named(&shop);
    shop.template()["volumes"] = json!([{"name": first, "configMap": {"name": "taken"}}]);
    assert_ne!(named(&shop), first);
}

#[test]
fn writable_paths_that_hide_the_image_are_refused() {
    let accepts = control("POD-012").parameters[0].accepts;
    for path in ["/tmp", "/var/cache", "/run", "/var/lib/web-data", "/home/app/.cache"] {
        assert_eq!(accepts(path), Ok(()), "{path}");
    }
    for path in [
        "",
        "/",
        "tmp",
        "/tmp/",
        "/var//cache",
        "/var/../etc",
        "/etc",
        "/usr",
        "/proc/self",
        "/dev/shm",
        "/a:b",
    ] {
        let refusal = accepts(path).expect_err(path);
        assert!(refusal.contains("write"), "{refusal}");
    }
}

#[test]
fn story_32_the_account_is_read_and_never_written() {
    let mut shop = Shop::new(&json!({}));
    shop.template()["serviceAccountName"] = json!("web");
    let missing = shop.judge("SA-001");
    assert_eq!(missing.verdict(), Verdict::Unknown);
    assert_eq!(missing.gaps()[0].reason, "ServiceAccountMissing");

    let account = json!({"metadata": {"namespace": "shop", "name": "web"}});
    let shop = shop.with(Kind::ServiceAccount, account);
    assert_eq!(shop.judge("SA-001").verdict(), Verdict::Fail);
    let proposal = shop.propose("SA-001", &[]);
    assert_eq!(proposal.risk, Some(Risk::Medium));
    let pointers: Vec<&str> = proposal.edits.iter().map(|edit| edit.pointer.as_str()).collect();
    assert_eq!(pointers, ["/spec/automountServiceAccountToken"]);
}

#[test]
fn a_token_that_somebody_asked_for_is_high_or_no_question() {
    let account = json!({"metadata": {"namespace": "shop", "name": "web"}, "automountServiceAccountToken": true});
    let mut shop = Shop::new(&json!({})).with(Kind::ServiceAccount, account);
    shop.template()["serviceAccountName"] = json!("web");
    assert_eq!(
        shop.propose("SA-001", &[]).risk,
        Some(Risk::High),
        "the account asks for it"
    );

    shop.template()["automountServiceAccountToken"] = json!(true);
    let declared = shop.judge("SA-001");
    assert_eq!(declared.verdict(), Verdict::NotApplicable);
    assert!(declared.reason_not_applicable().is_some());

    shop.template()["serviceAccountName"] = json!("default");
    assert_eq!(shop.judge("SA-001").verdict(), Verdict::Fail);
    assert_eq!(
        shop.propose("SA-001", &[]).risk,
        Some(Risk::High),
        "the template asks for it"
    );
}

#[test]
fn accounts_that_cannot_be_read_are_unknown_whatever_was_seen_before() {
    let mut shop = Shop::new(&json!({})).with(
        Kind::ServiceAccount,
        json!({"metadata": {"namespace": "shop", "name": "default"}}),
    );
    shop.deltas.push(Delta::Unavailable {
        kind: Kind::ServiceAccount,
        namespace: None,
        gap: Gap {
            reason: "PermissionDenied",
            message: "may not list serviceaccounts".to_owned(),
            responsibility: Responsibility::SelfManaged,
        },
    });
    let judgement = shop.judge("SA-001");
    assert_eq!(judgement.verdict(), Verdict::Unknown);
    assert_eq!(judgement.gaps()[0].reason, "PermissionDenied");
}

#[test]
fn static_pods_have_no_token() {
    let pod = json!({"metadata": {"namespace": "kube-system", "name": "etcd", "annotations": {"kubernetes.io/config.mirror": "x"}},
                     "spec": {"containers": [{"name": "etcd"}]}});
    let mut world = World::new(37);
    world.apply(Delta::Apply(Object::decode(Kind::Pod, &pod).expect("a pod")));
    let judgements = support::judge(control("SA-001"), &world.drain().0, &Parameters::default());
    assert_eq!(judgements[0].1.verdict(), Verdict::NotApplicable);
    assert!(
        judgements[0]
            .1
            .reason_not_applicable()
            .is_some_and(|why| why.contains("static"))
    );
}

#[test]
fn namespaces_are_judged_by_what_their_server_knows() {
    let verdict = |minor, pinned: &str, wanted: &[&str]| {
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted", "pod-security.kubernetes.io/enforce-version": pinned,
                            "pod-security.kubernetes.io/audit": "restricted"});
        let namespace = json!({"metadata": {"name": "shop", "labels": labels}});
        let mut world = World::new(minor);
        world.apply(Delta::Apply(
            Object::decode(Kind::Namespace, &namespace).expect("a namespace"),
        ));
        let world = world.drain().0;
        let mut parameters = Parameters::default();
        if !wanted.is_empty() {
            let wanted = wanted.iter().map(|version| (*version).to_owned()).collect();
            parameters.0.insert("version".to_owned(), wanted);
        }
        let scope = NamespaceScope {
            namespace: world.namespace("shop").expect("it was put there"),
            world: &world,
            parameters: &parameters,
        };
        control("NS-001").judge_namespace(&scope).verdict()
    };
    assert_eq!(verdict(37, "v1.33", &[]), Verdict::Fail);
    assert_eq!(verdict(33, "v1.33", &[]), Verdict::Pass, "1.33 has no newer rules");
    assert_eq!(verdict(37, "v1.34", &[]), Verdict::Pass);
    assert_eq!(verdict(37, "v1.36", &["latest"]), Verdict::Fail);
    assert_eq!(verdict(37, "v1.37", &["latest"]), Verdict::Pass, "as new as the server");
    assert_eq!(
        verdict(37, "v1.35", &["v1.34", "v1.36"]),
        Verdict::Fail,
        "the strictest policy counts"
    );
}

#[test]
fn namespaces_on_their_way_out_are_not_judged() {
    let namespace = json!({"metadata": {"name": "shop"}, "status": {"phase": "Terminating"}});
    let mut world = World::new(37);
    world.apply(Delta::Apply(
        Object::decode(Kind::Namespace, &namespace).expect("a namespace"),
    ));
    let judgements = support::judge(control("NS-001"), &world.drain().0, &Parameters::default());
    assert_eq!(judgements[0].1.verdict(), Verdict::NotApplicable);
}
