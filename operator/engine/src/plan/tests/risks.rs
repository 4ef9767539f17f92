use serde_json::{Value, json};

use super::scene::{Scene, ago, container, status};
use crate::controls::Risk;
use crate::model::Kind;
use crate::plan::{Disposition, Held, Plan, without_readiness};

fn assert_risk(plan: &Plan, risk: Risk, because: &str) {
    assert_eq!(plan.risk, risk, "{:?}", plan.risk_reasons);
    let found = plan.risk_reasons.iter().any(|reason| reason.contains(because));
    assert!(found, "{because:?} not in {:?}", plan.risk_reasons);
}

#[test]
fn a_healthy_deployment_is_low_and_ready() {
    let plan = Scene::new().plan();
    assert_eq!(plan.disposition, Disposition::Ready);
    assert_eq!((plan.risk, plan.risk_reasons.as_slice()), (Risk::Low, &[][..]));
    assert_eq!((plan.restart.strategy, plan.restart.pods), ("RollingUpdate", 3));
    assert_eq!(plan.restart.only_in_window, None);
    assert_eq!(plan.changes.len(), 1);
}

/// Our restart would bring another image, and the undo could not bring the present one back.
#[test]
fn story_10_mutable_tag() {
    for image in ["web", "web:latest", "web:1.27"] {
        for policy in ["Always", "IfNotPresent"] {
            let scene = Scene::new()
                .container("image", json!(image))
                .container("imagePullPolicy", json!(policy));
            assert_risk(&scene.plan(), Risk::High, "may be another one by now");
        }
    }
    let pinned = Scene::new().container("image", json!("web:latest@sha256:aaaa"));
    assert_eq!(pinned.plan().risk, Risk::Low);
}

/// Nothing proves that the template still starts: the restart alone may kill, and so may the undo.
#[test]
fn story_11_no_recent_start() {
    let started = |hours: i64| {
        let mut scene = Scene::new();
        scene.pod["status"]["startTime"] = json!(ago(hours));
        scene
    };
    assert_eq!(started(23).plan().risk, Risk::Low);
    assert_risk(&started(25).plan(), Risk::Medium, "the restart itself may fail");

    let mut unready = Scene::new();
    unready.pod["status"]["conditions"] = json!([{"type": "Ready", "status": "False"}]);
    assert_risk(&unready.plan(), Risk::Medium, "the restart itself may fail");
    let recreate = started(1).at("/spec/strategy/type", json!("Recreate"));
    assert_eq!(
        recreate.plan().risk,
        Risk::High,
        "a recent start proves nothing for Recreate"
    );
    let mut old_template = Scene::new();
    old_template.others = vec![(
        Kind::ReplicaSet,
        json!({"metadata": {"name": "web-abc", "namespace": "shop", "uid": "u-set",
                            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "u-web", "controller": true}]},
               "spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:0.9.0"}]}}}}),
    )];
    assert_risk(&old_template.plan(), Risk::Medium, "the restart itself may fail");
}

/// Planned downtime is never labelled Low.
#[test]
fn story_12_single_replica() {
    assert_risk(&Scene::new().replicas(1).plan(), Risk::High, "a single replica");
    let recreate = Scene::new().at("/spec/strategy/type", json!("Recreate"));
    assert_risk(&recreate.plan(), Risk::High, "all pods stop");
    assert_eq!(recreate.plan().restart.strategy, "Recreate");
    let claim = Scene::new().spec(
        "volumes",
        json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]),
    );
    assert_risk(&claim.plan(), Risk::High, "volume claim data");
}

/// Nothing can be verified at zero replicas.
#[test]
fn story_15_scaled_to_zero_is_not_low() {
    let scene = Scene::new().replicas(0);
    let plan = scene.plan();
    assert_risk(&plan, Risk::Medium, "scaled to zero");
    assert_eq!(plan.restart.pods, 0);
}

#[test]
fn story_15_updates_that_reach_no_pod_are_held() {
    let paused = Scene::new().at("/spec/paused", json!(true));
    assert_restart_unsafe(&paused, "paused");
    let on_delete = Scene::new()
        .kind(Kind::DaemonSet)
        .at("/spec/updateStrategy", json!({"type": "OnDelete"}));
    assert_restart_unsafe(&on_delete, "OnDelete");
    assert_eq!(on_delete.plan().restart.strategy, "OnDelete");
    let partition = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 2}});
    assert_restart_unsafe(
        &Scene::new()
            .kind(Kind::StatefulSet)
            .at("/spec/updateStrategy", partition),
        "partition",
    );
    let cron = Scene::new().kind(Kind::CronJob);
    assert_restart_unsafe(&cron, "next run");
    assert_eq!((cron.plan().restart.strategy, cron.plan().restart.pods), ("NextRun", 0));
}

#[test]
fn story_13_stateful_sets_are_held() {
    let scene = Scene::new().kind(Kind::StatefulSet);
    assert_restart_unsafe(&scene, "kubernetes#67250");
    assert_eq!(scene.plan().changes.len(), 1, "the change is shown");
}

/// "Available" at once, crash later: Medium, and verification has to look longer.
#[test]
fn story_16_no_readiness_probe() {
    let scene = Scene::new().container("readinessProbe", Value::Null);
    assert_risk(&scene.plan(), Risk::Medium, "no readiness probe in web");
    let world = scene.world();
    let workload = world.workload(&scene.evaluation(&world).target).unwrap();
    assert!(without_readiness(&workload.template.spec).is_some());
    let sidecar = Scene::new().spec(
        "containers",
        json!([container("web"), {"name": "log", "image": "log:1.0.0"}]),
    );
    assert_risk(&sidecar.plan(), Risk::Medium, "no readiness probe in log");
}

/// Marks by which authors ask not to be moved: never without an approved plan and a window.
#[test]
fn story_22_restart_forbidden() {
    let marked = |key: &str, value: &str| Scene::new().at("/spec/template/metadata/annotations", json!({key: value}));
    for scene in [
        marked("cluster-autoscaler.kubernetes.io/safe-to-evict", "false"),
        marked("karpenter.sh/do-not-disrupt", "true"),
        Scene::new().spec("terminationGracePeriodSeconds", json!(600)),
    ] {
        let plan = scene.plan();
        assert_eq!(plan.disposition, Disposition::Ready, "a human may approve it");
        assert_eq!(plan.risk, Risk::High, "so nothing approves it automatically");
        assert!(plan.restart.only_in_window.is_some());
    }
    for scene in [
        marked("cluster-autoscaler.kubernetes.io/safe-to-evict", "true"),
        Scene::new().spec("terminationGracePeriodSeconds", json!(599)),
    ] {
        assert_eq!(scene.plan().risk, Risk::Low);
    }
}

/// The only pod's emptyDir may be the only place of what is in it.
#[test]
fn story_23_empty_dir_as_data_store() {
    let volumes = json!([{"name": "cache", "emptyDir": {}}]);
    let single = Scene::new().replicas(1).spec("volumes", volumes.clone()).plan();
    assert_risk(&single, Risk::High, "what is in emptyDir volume cache is lost");
    assert_eq!(single.irreversible.len(), 1);
    let stateful = Scene::new()
        .kind(Kind::StatefulSet)
        .spec("volumes", volumes.clone())
        .plan();
    assert_eq!((stateful.risk, stateful.irreversible.len()), (Risk::High, 1));
    let several = Scene::new().spec("volumes", volumes).plan();
    assert_eq!((several.risk, several.irreversible.len()), (Risk::Low, 0));
}

#[test]
fn story_23_volumes_that_we_added_hold_nothing() {
    let volume = json!({"name": "writable-tmp-1", "emptyDir": {}});
    let record = json!({"v": 1, "uid": "u-web", "applied": [{"plan": "ab", "attempt": 1, "undo": [
        {"path": "volumes[]", "wrote": volume, "made": 1}]}]});
    let scene = Scene::new()
        .replicas(1)
        .spec("volumes", json!([volume]))
        .annotation("hardening.ironside.dev/applied", &record.to_string());
    let plan = scene.plan();
    assert_eq!(plan.irreversible, [""; 0]);
    assert_eq!(plan.earlier.len(), 1);
}

/// Ownership of files on a volume is not restored by any undo.
#[test]
fn story_24_user_on_a_volume_claim_is_never_changed() {
    let mut scene = Scene::new()
        .controls(&["POD-007", "POD-009"])
        .container("securityContext", json!({"readOnlyRootFilesystem": true}))
        .spec(
            "volumes",
            json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]),
        );
    scene.findings = |finding| {
        if finding.control.id.as_str() == "POD-007" {
            let parameters = std::sync::Arc::make_mut(&mut finding.parameters);
            parameters.0.insert("runAsUser".to_owned(), vec!["Observed".to_owned()]);
        }
    };
    let plan = scene.plan();
    let names: Vec<_> = plan.controls.iter().map(|control| control.as_str()).collect();
    assert_eq!(names, ["POD-009"]);
    let reasons: Vec<_> = plan
        .left_out
        .iter()
        .map(|(id, held)| (id.as_str(), held.reason()))
        .collect();
    assert!(
        reasons.iter().all(|reason| *reason == ("POD-007", "Irreversible")),
        "{reasons:?}"
    );
    assert!(!reasons.is_empty());
}

/// Evidence has to cover init containers as well.
#[test]
fn story_30_init_containers() {
    let bare = |name: &str| {
        let mut container = container(name);
        container["securityContext"]["capabilities"] = json!({});
        container["securityContext"]
            .as_object_mut()
            .unwrap()
            .remove("capabilities");
        container
    };
    let scene = |init_user: Option<i64>| {
        let mut scene = Scene::new()
            .controls(&["POD-009", "POD-011"])
            .spec("containers", json!([bare("web")]))
            .spec("initContainers", json!([bare("chown")]));
        if let Some(uid) = init_user {
            scene.pod["status"]["initContainerStatuses"] = json!([status("chown", uid)]);
        }
        scene.plan()
    };
    assert_eq!(scene(Some(1000)).risk, Risk::Low);
    assert_risk(&scene(Some(0)), Risk::Medium, "container chown runs as root");
    assert_risk(&scene(None), Risk::Medium, "container chown");
}

/// A repair that another one makes safe is only as safe as that other one is really there.
#[test]
fn a_repair_does_not_rely_on_one_that_is_left_out() {
    let mut scene = Scene::new().controls(&["POD-009", "POD-011"]);
    scene.pod_spec()["containers"][0]["securityContext"]
        .as_object_mut()
        .unwrap()
        .remove("capabilities");
    assert_eq!(
        scene.plan().risk,
        Risk::Low,
        "POD-009 takes setuid away in the same patch"
    );
    scene.findings = |finding| {
        if finding.control.id.as_str() == "POD-009" {
            finding
                .excepted_containers
                .push(("web".to_owned(), "HardeningException web".to_owned()));
        }
    };
    assert_risk(&scene.plan(), Risk::Medium, "setuid");
}

fn assert_restart_unsafe(scene: &Scene, because: &str) {
    let held = scene.held();
    let found = held
        .iter()
        .any(|held| matches!(held, Held::RestartUnsafe { why } if why.contains(because)));
    assert!(found, "{because:?} not in {held:?}");
}

/// A rollout would end the session of whoever debugs.
#[test]
fn story_27_an_ephemeral_container_holds() {
    let mut scene = Scene::new();
    scene.pod["spec"]["ephemeralContainers"] = json!([{"name": "debug", "image": "busybox"}]);
    assert_restart_unsafe(&scene, "ephemeral container");
    scene.pod["status"]["ephemeralContainerStatuses"] = json!([{"name": "debug", "state": {"running": {}}}]);
    assert_restart_unsafe(&scene, "ephemeral container");
    scene.pod["status"]["ephemeralContainerStatuses"] =
        json!([{"name": "debug", "state": {"terminated": {"exitCode": 0}}}]);
    assert_eq!(scene.plan().disposition, Disposition::Ready);
}

/// Agents of the node, wherever they run.
#[test]
fn story_34_node_agents_are_never_restarted() {
    let agent = |field: &str, value: Value| Scene::new().kind(Kind::DaemonSet).spec(field, value);
    for scene in [
        agent("hostNetwork", json!(true)),
        agent("hostPID", json!(true)),
        agent("volumes", json!([{"name": "root", "hostPath": {"path": "/"}}])),
    ] {
        assert_restart_unsafe(&scene, "a node agent");
    }
    for class in ["system-node-critical", "system-cluster-critical"] {
        assert_restart_unsafe(&Scene::new().spec("priorityClassName", json!(class)), class);
    }
    assert_restart_unsafe(&Scene::new().kind(Kind::DaemonSet), "every node");
}
