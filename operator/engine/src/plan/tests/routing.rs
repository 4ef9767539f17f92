use serde_json::{Value, json};

use super::scene::{Scene, container};
use crate::controls::Risk;
use crate::model::Kind;
use crate::plan::{Disposition, Held, ignore_snippet};
use crate::policy::{Mode, OwnerRoutes, Route};

const EVERYTHING: fn() -> Value = || json!({"f:containers": {"k:{\"name\":\"web\"}": {"f:image": {}}}});

fn owner(scene: &Scene) -> Option<(&'static str, String)> {
    match scene.plan().disposition {
        Disposition::Ready => None,
        Disposition::Held(held) => held.into_iter().find_map(|held| match held {
            Held::OwnedBy { route, owner } => Some((route, owner)),
            _ => None,
        }),
        Disposition::NotRepairable(why) => panic!("{why}"),
    }
}

fn cooperate(mut scene: Scene) -> Scene {
    scene.limits.owners = OwnerRoutes {
        argo_cd: Route::Cooperate,
        flux: Route::Cooperate,
        helm: Route::Cooperate,
        controller: Route::Cooperate,
    };
    scene
}

#[test]
fn people_and_scripts_own_nothing() {
    for manager in [
        "kubectl-client-side-apply",
        "kubectl-edit",
        "kubectl",
        "k9s",
        "oc",
        "Reloader",
        "ironside/workload",
    ] {
        assert_eq!(
            owner(&Scene::new().manager(manager, "Update", 1, &EVERYTHING())),
            None,
            "{manager}"
        );
    }
    assert_eq!(
        owner(&Scene::new().manager("deploy.py", "Update", 48, &EVERYTHING())),
        None,
        "wrote once, at creation"
    );
}

#[test]
fn argo_cd() {
    let tracked = Scene::new().annotation("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/web");
    assert_eq!(owner(&tracked), Some(("ArgoCD", "Application shop".to_owned())));
    let labelled = Scene::new().label("argocd.argoproj.io/instance", "shop");
    assert_eq!(owner(&labelled), Some(("ArgoCD", "Application shop".to_owned())));
    let instance = Scene::new().label("app.kubernetes.io/instance", "shop");
    assert_eq!(owner(&instance), None, "charts set that label too");
    for manager in ["argocd-controller", "argocd-application-controller"] {
        let by_manager = instance.clone().manager(manager, "Update", 1, &EVERYTHING());
        assert_eq!(owner(&by_manager), Some(("ArgoCD", "Application shop".to_owned())));
    }
    assert_eq!(owner(&cooperate(tracked)), None);
}

#[test]
fn flux() {
    let kustomize = Scene::new()
        .label("kustomize.toolkit.fluxcd.io/name", "apps")
        .label("kustomize.toolkit.fluxcd.io/namespace", "flux-system");
    assert_eq!(
        owner(&kustomize),
        Some(("Flux", "Kustomization flux-system/apps".to_owned()))
    );
    let helm = Scene::new()
        .label("helm.toolkit.fluxcd.io/name", "web")
        .annotation("meta.helm.sh/release-name", "web");
    assert_eq!(owner(&helm), Some(("Flux", "HelmRelease shop/web".to_owned())));
    let by_manager = Scene::new().manager("kustomize-controller", "Apply", 1, &EVERYTHING());
    assert_eq!(owner(&by_manager), Some(("Flux", "a Kustomization".to_owned())));
    for (key, value) in [
        ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
        ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"),
    ] {
        assert_eq!(
            owner(&kustomize.clone().annotation(key, value)),
            None,
            "Flux was told to leave it alone"
        );
    }
}

/// Helm 4 and `kubectl --server-side` apply without force: their next change of our field would be refused.
#[test]
fn story_02_appliers_without_force_are_proposed_to() {
    let kubectl = Scene::new().manager("kubectl", "Apply", 48, &EVERYTHING());
    assert_eq!(
        owner(&cooperate(kubectl)),
        Some(("ServerSideApply", "manager kubectl".to_owned()))
    );
    let helm_4 =
        Scene::new()
            .annotation("meta.helm.sh/release-name", "web")
            .manager("helm", "Apply", 48, &EVERYTHING());
    assert_eq!(owner(&cooperate(helm_4)), Some(("Helm", "release web".to_owned())));
    let helm_3 =
        Scene::new()
            .annotation("meta.helm.sh/release-name", "web")
            .manager("helm", "Update", 48, &EVERYTHING());
    assert_eq!(owner(&helm_3), None, "the default for Helm is Cooperate");
    let mut scaler = Scene::new().at(
        "/metadata/managedFields",
        json!([{"manager": "scaler", "operation": "Apply",
        "fieldsV1": {"f:spec": {"f:replicas": {}}}}]),
    );
    scaler.pods = 3;
    assert_eq!(owner(&scaler), None, "it states no field of the template");
}

/// A parent that stands in Git as `{}` makes everything below it drift.
#[test]
fn story_03_a_stated_empty_parent_is_owned() {
    let scene = Scene::new().container("securityContext", json!({})).manager(
        "kubectl-client-side-apply",
        "Update",
        1,
        &json!({"f:containers": {"k:{\"name\":\"web\"}": {"f:securityContext": {}}}}),
    );
    let pointer = "/spec/template/spec/containers/0/securityContext".to_owned();
    let expected = Held::FieldOwned {
        pointer,
        manager: "kubectl-client-side-apply".to_owned(),
    };
    let plan = scene.plan();
    assert_eq!(plan.disposition, Disposition::Held(vec![expected.clone()]));
    assert_eq!(plan.left_out, [(plan.left_out[0].0, expected)]);
    assert!(plan.changes.is_empty());
}

/// What Helm's chart states is left alone, what it does not state is set.
#[test]
fn cooperating_sets_unstated_fields_only() {
    let scene = Scene::new()
        .controls(&["POD-009", "POD-013"])
        .container("securityContext", json!({"allowPrivilegeEscalation": true, "runAsNonRoot": true}))
        .annotation("meta.helm.sh/release-name", "web")
        .manager(
            "helm",
            "Update",
            48,
            &json!({"f:containers": {"k:{\"name\":\"web\"}": {"f:securityContext": {"f:allowPrivilegeEscalation": {}}}}}),
        );
    let plan = scene.plan();
    assert_eq!(plan.disposition, Disposition::Ready);
    let changed: Vec<_> = plan
        .changes
        .iter()
        .map(|change| change.pointer.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(changed, ["type"]);
    let [(control, held)] = plan.left_out.as_slice() else {
        panic!("{:?}", plan.left_out)
    };
    assert_eq!(control.as_str(), "POD-009");
    assert!(matches!(held, Held::FieldOwned { manager, .. } if manager == "helm"));
}

/// Without an owner a stated value is repaired, and the plan says whose it was.
#[test]
fn drift_by_hand_is_repaired() {
    let scene = Scene::new().container("securityContext", json!({"allowPrivilegeEscalation": true})).manager(
        "kubectl-edit",
        "Update",
        1,
        &json!({"f:containers": {"k:{\"name\":\"web\"}": {"f:securityContext": {"f:allowPrivilegeEscalation": {}}}}}),
    );
    let plan = scene.plan();
    assert_eq!(plan.disposition, Disposition::Ready);
    assert_eq!(plan.changes[0].from, Some(json!(true)));
    assert_eq!(
        plan.changes[0].owner.as_ref().map(|owner| owner.manager.as_str()),
        Some("kubectl-edit")
    );
}

/// Canary controllers start a run, or their source is scaled to zero while its copy serves.
#[test]
fn story_25_progressive_delivery_is_not_patched() {
    for manager in ["flagger", "rollouts-controller", "kruise-rollout-manager"] {
        let entry = json!([{"manager": manager, "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        let scene = Scene::new().at("/metadata/managedFields", entry);
        assert_eq!(owner(&scene), Some(("Controller", manager.to_owned())));
    }
}

#[test]
fn children_of_custom_resources_are_not_patched() {
    for controller in [true, false] {
        let owners = json!([{"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "name": "events", "uid": "k", "controller": controller}]);
        let scene = Scene::new().at("/metadata/ownerReferences", owners);
        assert_eq!(owner(&scene), Some(("Controller", "Kafka events".to_owned())));
    }
}

#[test]
fn what_olm_installs_is_not_patched() {
    let scene = Scene::new()
        .label("olm.owner", "etcd.v1.2.3")
        .label("olm.owner.kind", "ClusterServiceVersion");
    assert_eq!(
        owner(&scene),
        Some(("Controller", "ClusterServiceVersion etcd.v1.2.3".to_owned()))
    );
}

/// Operators without ownerReferences give themselves away by coming back.
#[test]
fn story_26_a_repeated_writer_is_an_owner() {
    let operator = Scene::new().manager("postgres-operator", "Update", 47, &EVERYTHING());
    assert_eq!(
        owner(&operator),
        Some(("Controller", "manager postgres-operator".to_owned()))
    );
    let status_only = Scene::new().at("/metadata/managedFields", json!([{"manager": "postgres-operator", "operation": "Update",
        "time": super::scene::ago(1), "subresource": "status", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {}}}}}]));
    assert_eq!(owner(&status_only), None);
    let nameless = Scene::new().manager("", "Update", 47, &EVERYTHING());
    assert_eq!(
        owner(&nameless),
        Some(("Controller", "a writer without a name".to_owned()))
    );
    let terraform = Scene::new().manager("Terraform", "Update", 48, &EVERYTHING());
    assert_eq!(owner(&terraform), Some(("Controller", "manager Terraform".to_owned())));
}

#[test]
fn story_27_what_cannot_be_changed_says_what_to_do_instead() {
    let not_repairable = |scene: &Scene| match scene.plan() {
        plan if plan.patch.is_empty() => match plan.disposition {
            Disposition::NotRepairable(instead) => instead,
            other => panic!("{other:?}"),
        },
        plan => panic!("{:?}", plan.patch),
    };
    let pod = Scene::new().kind(Kind::Pod);
    assert!(not_repairable(&pod).contains("create it anew"));
    assert_eq!(pod.plan().changes.len(), 1, "the values are shown");
    let mirror = pod.clone().annotation("kubernetes.io/config.mirror", "abc");
    assert!(not_repairable(&mirror).contains("file on its node"));
    let node = json!([{"apiVersion": "v1", "kind": "Node", "name": "node-1", "uid": "n", "controller": true}]);
    assert!(not_repairable(&pod.clone().at("/metadata/ownerReferences", node)).contains("file on its node"));
    let clone_set =
        json!([{"apiVersion": "apps.kruise.io/v1", "kind": "CloneSet", "name": "web", "uid": "c", "controller": true}]);
    assert!(not_repairable(&pod.at("/metadata/ownerReferences", clone_set)).contains("CloneSet web"));
    assert!(not_repairable(&Scene::new().kind(Kind::Job)).contains("create the Job anew"));

    let held = Scene::new().kind(Kind::ReplicaSet).held();
    assert!(matches!(&held[0], Held::RestartUnsafe { why } if why.contains("does not replace running pods")));
}

#[test]
fn story_28_unclear_platforms_are_held() {
    let unclear = |scene: Scene| {
        let held = scene.held();
        assert!(held.iter().any(|held| matches!(held, Held::Unclear { .. })), "{held:?}");
    };
    unclear(Scene::new().spec("nodeSelector", json!({"type": "virtual-kubelet"})));
    unclear(Scene::new().spec("runtimeClassName", json!("windows-2022")));
    let mut fargate = Scene::new();
    fargate.pod["spec"]["nodeName"] = json!("fargate-ip-10-0-0-1.eu-west-1.compute.internal");
    unclear(fargate);
    let windows = Scene::new().spec("os", json!({"name": "windows"}));
    assert!(windows.planned().is_none(), "the controls do not apply");
}

#[test]
fn system_namespaces_are_never_repaired() {
    let scene = Scene::new().at("/metadata/namespace", json!("kube-system"));
    assert!(scene.held().contains(&Held::SystemNamespace));
}

#[test]
fn audit_gives_no_plan_and_preview_one_that_is_never_executed() {
    let mut scene = Scene::new();
    scene.controls = vec![("POD-009", Mode::Audit)];
    assert!(scene.planned().is_none());
    scene.controls = vec![("POD-009", Mode::Preview)];
    assert!(scene.plan().preview);
    scene.controls = vec![("POD-009", Mode::Enforce)];
    assert!(!scene.plan().preview);
}

#[test]
fn one_patch_holds_the_enforced_controls_only() {
    let mut scene = Scene::new().container("securityContext", json!({"runAsNonRoot": true}));
    scene.controls = vec![("POD-009", Mode::Enforce), ("POD-013", Mode::Preview)];
    let plan = scene.plan();
    assert!(!plan.preview);
    assert_eq!(plan.changes.len(), 1);
    assert_eq!(plan.left_out[0].1, Held::PreviewOnly);
}

#[test]
fn an_exception_with_hold_repair_holds() {
    let mut scene = Scene::new();
    scene.findings = |finding| finding.hold_repair = Some("HardeningException freeze".to_owned());
    let freeze = Held::Exception {
        name: "HardeningException freeze".to_owned(),
    };
    assert_eq!(scene.held(), [freeze]);
    scene.findings = |finding| finding.excepted = Some("HardeningException accepted".to_owned());
    assert!(scene.planned().is_none(), "an accepted failure is not planned");
}

#[test]
fn an_excepted_container_is_spared_with_its_volumes() {
    let mut scene = Scene::new().controls(&["POD-009", "POD-012"]).spec(
        "containers",
        json!([{"name": "web", "image": "web:1.0.0"}, {"name": "log", "image": "log:1.0.0"}]),
    );
    scene.findings = |finding| {
        if finding.control.id.as_str() == "POD-012" {
            finding
                .excepted_containers
                .push(("log".to_owned(), "HardeningException log".to_owned()));
        }
    };
    let plan = scene.plan();
    let of_log: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| change.container.as_deref() == Some("log"))
        .flat_map(|change| &change.controls)
        .map(|control| control.as_str())
        .collect();
    assert_eq!(of_log, ["POD-009"]);
    let volumes = plan
        .changes
        .iter()
        .filter(|change| change.pointer.contains("/spec/volumes/"))
        .count();
    assert_eq!(volumes, 1, "only the volume of web");
    assert_eq!(plan.spared.len(), 1);
}

#[test]
fn snippets_name_the_fields_exactly() {
    let tracked = Scene::new()
        .spec(
            "containers",
            json!([container("log"), {"name": "web", "image": "web:1.0.0"}]),
        )
        .controls(&["POD-009", "POD-012"])
        .annotation("argocd.argoproj.io/tracking-id", "shop:apps/Deployment:shop/web");
    let snippet = ignore_snippet(&tracked.plan()).unwrap();
    insta::assert_snapshot!(snippet);

    let kustomize = Scene::new().label("kustomize.toolkit.fluxcd.io/name", "apps");
    let snippet = ignore_snippet(&kustomize.plan()).unwrap();
    insta::assert_snapshot!(snippet);
    let release = Scene::new().label("helm.toolkit.fluxcd.io/name", "web");
    let snippet = ignore_snippet(&release.plan()).unwrap();
    assert!(
        snippet.contains("driftDetection:\n    ignore:\n    - paths:\n      - /spec/template/spec/"),
        "{snippet}"
    );
    assert_eq!(ignore_snippet(&Scene::new().plan()), None);
}

/// The combination is refused by the API server, so it is never attempted; the other containers are repaired.
#[test]
fn refused_combinations_are_left_out() {
    let mut privileged = container("agent");
    privileged["securityContext"] = json!({"privileged": true});
    let scene = Scene::new().spec("containers", json!([container("web"), privileged]));
    let plan = scene.plan();
    assert_eq!(plan.disposition, Disposition::Ready);
    assert_eq!(plan.changes.len(), 1);
    assert!(matches!(&plan.left_out[0].1, Held::RefusedByApiServer { container, .. } if container == "agent"));
    assert_eq!(plan.risk, Risk::Low);
}
