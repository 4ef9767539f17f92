//! From policies and exceptions to a plan, through the real evaluation.

use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::scene::Scene;
use crate::controls::find;
use crate::evaluate::evaluate;
use crate::model::Kind;
use crate::plan::{Disposition, Held, Plan, lint, plan_without};
use crate::policy::Mode;
use crate::testing::{Case, now};

const WEB: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {hardening: enforce}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, uid: d1, generation: 1}
spec:
  replicas: 3
  template:
    spec:
      containers:
      - {name: web, image: 'web:1.0.0', readinessProbe: {}}
      - {name: log, image: 'log:1.0.0', readinessProbe: {}}
---
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec:
  profile: {name: None}
  controls: [{id: POD-009, mode: Enforce}, {id: POD-013, mode: Enforce}, {id: POD-012, mode: Preview}]
  remediation: {namespaceSelector: {matchLabels: {hardening: enforce}}}
  delegation: {exceptions: [{name: all, controls: [POD-009, POD-013], maxDuration: 720h}]}
---
";

fn planned(documents: &str) -> Option<Plan> {
    planned_without(documents, &[])
}

fn planned_without(documents: &str, quarantined: &[&str]) -> Option<Plan> {
    let mut case = Case::of(documents);
    let (world, _) = case.world.drain();
    let target = crate::model::ObjectRef::new(Kind::Deployment, "shop", "web");
    let evaluation = evaluate(&world, &case.policies, &case.exceptions, &target, now());
    let limits = case.policies.limits(&world, "shop");
    let quarantined = quarantined.iter().filter_map(|id| find(id)).map(|control| control.id);
    let plan = plan_without(&world, &evaluation, &limits, now(), &quarantined.collect())?;
    assert_eq!(lint(&plan, &world), [""; 0]);
    Some(plan)
}

#[test]
fn a_control_that_broke_the_workload_is_left_out_and_says_so() {
    let rest = planned_without(WEB, &["POD-009"]).expect("a plan");
    assert_eq!(rest.disposition, Disposition::Ready);
    assert_eq!(ids(&rest), ["POD-013"]);
    assert!(
        !rest.patch.to_string().contains("allowPrivilegeEscalation"),
        "{}",
        rest.patch
    );
    let why = |control: &str| {
        rest.left_out
            .iter()
            .find(|(id, _)| id.as_str() == control)
            .map(|(_, held)| held.reason())
    };
    assert_eq!(why("POD-009"), Some("Quarantined"));
    assert_ne!(
        rest.hash,
        planned(WEB).expect("a plan").hash,
        "an approval of the one is none of the other"
    );

    let nothing = planned_without(WEB, &["POD-009", "POD-013"]).expect("shown");
    assert!(nothing.changes.is_empty());
    let Disposition::Held(held) = nothing.disposition else {
        panic!("{:?}", nothing.disposition)
    };
    assert!(held.iter().any(|held| held.reason() == "Quarantined"), "{held:?}");
}

fn exception(effect: &str, containers: &str) -> String {
    format!(
        "kind: HardeningException
metadata: {{name: web, namespace: shop}}
spec:
  controls: [POD-009]
  targets: [{{kind: Deployment, name: web{containers}}}]
  effect: {effect}
  reason: waits for release 2.0
  expiresAt: 2026-12-01T00:00:00Z
---
"
    )
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.controls.iter().map(|control| control.as_str()).collect()
}

#[test]
fn what_is_enforced_is_patched_and_what_is_previewed_is_named() {
    let plan = planned(WEB).unwrap();
    assert_eq!(plan.disposition, Disposition::Ready);
    assert_eq!(ids(&plan), ["POD-009", "POD-013"]);
    assert_eq!(plan.changes.len(), 4);
    let left_out: Vec<_> = plan
        .left_out
        .iter()
        .map(|(id, held)| (id.as_str(), held.reason()))
        .collect();
    assert_eq!(left_out, [("POD-012", "PreviewOnly")]);
    assert_eq!(plan.evidence.len(), 4, "of the controls that are repaired");
    assert!(plan.effect_on_history().unwrap().contains("rollout undo"));
}

#[test]
fn an_accepted_container_is_spared_and_the_rest_repaired() {
    let plan = planned(&format!("{WEB}{}", exception("Accept", ", containers: [log]"))).unwrap();
    let touched: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| change.controls.iter().any(|control| control.as_str() == "POD-009"))
        .map(|change| change.container.as_deref())
        .collect();
    assert_eq!(touched, [Some("web")]);
    assert_eq!(plan.spared.len(), 1);
}

#[test]
fn an_accepted_or_held_control_is_not_repaired() {
    let accepted = planned(&format!("{WEB}{}", exception("Accept", ""))).unwrap();
    assert_eq!(ids(&accepted), ["POD-013"]);
    let held = planned(&format!("{WEB}{}", exception("HoldRepair", ""))).unwrap();
    assert_eq!(ids(&held), ["POD-013"]);
    let reasons: Vec<_> = held.left_out.iter().map(|(_, held)| held.reason()).collect();
    assert_eq!(reasons, ["Exception", "PreviewOnly"]);
}

#[test]
fn where_enforcement_does_not_act_nothing_is_executed() {
    let elsewhere = WEB.replace(
        "labels: {hardening: enforce}}\n---\napiVersion: apps",
        "labels: {}}\n---\napiVersion: apps",
    );
    assert_ne!(elsewhere, WEB);
    assert!(planned(&elsewhere).is_none_or(|plan| plan.preview));
}

#[test]
fn the_strictest_policy_decides_about_owners() {
    let mut helm = WEB.replace(
        "uid: d1, generation: 1}",
        "uid: d1, generation: 1, annotations: {meta.helm.sh/release-name: web}}",
    );
    assert_eq!(planned(&helm).unwrap().disposition, Disposition::Ready);
    helm.push_str(
        "kind: HardeningPolicy
metadata: {name: team, namespace: shop}
spec:
  profile: {name: None}
  controls: [{id: POD-009, mode: Enforce}]
  remediation: {owners: {helm: Propose}}
---
",
    );
    let owned = Held::OwnedBy {
        route: "Helm",
        owner: "release web".to_owned(),
    };
    assert_eq!(planned(&helm).unwrap().disposition, Disposition::Held(vec![owned]));
}

const CONTROLS: [&str; 6] = ["POD-007", "POD-009", "POD-011", "POD-012", "POD-013", "SA-001"];

fn any_container() -> impl Strategy<Value = Value> {
    let one_of = |values: Vec<Value>| proptest::option::of(proptest::sample::select(values));
    let flag = move || one_of(vec![json!(true), json!(false)]);
    let fields = (
        one_of(vec![json!("web"), json!("web:1.0.0"), json!("web@sha256:aa")]),
        proptest::option::of((flag(), flag(), flag(), one_of(vec![json!(0), json!(1000)]))),
        one_of(vec![
            json!({}),
            json!({"add": ["SYS_ADMIN"]}),
            json!({"drop": ["NET_RAW"]}),
            json!({"drop": ["ALL"]}),
        ]),
        one_of(vec![
            json!({"type": "Unconfined"}),
            json!({"type": "Localhost", "localhostProfile": "a"}),
        ]),
        one_of(vec![json!([{"containerPort": 80}])]),
        one_of(vec![json!([{"name": "v0", "mountPath": "/tmp"}])]),
    );
    fields.prop_map(|(image, security, capabilities, seccomp, ports, mounts)| {
        let mut container = json!({ "image": image.unwrap_or_else(|| json!("web:1.0.0")) });
        if let Some((escalation, privileged, read_only, user)) = security {
            container["securityContext"] = json!({});
            for (name, value) in [
                ("allowPrivilegeEscalation", escalation),
                ("privileged", privileged),
                ("readOnlyRootFilesystem", read_only),
                ("runAsUser", user),
                ("capabilities", capabilities),
                ("seccompProfile", seccomp),
            ] {
                if let Some(value) = value {
                    container["securityContext"][name] = value;
                }
            }
        }
        for (name, value) in [("ports", ports), ("volumeMounts", mounts)] {
            if let Some(value) = value {
                container[name] = value;
            }
        }
        container
    })
}

fn any_scene() -> impl Strategy<Value = Scene> {
    let kinds = vec![
        Kind::Deployment,
        Kind::Deployment,
        Kind::DaemonSet,
        Kind::StatefulSet,
        Kind::CronJob,
        Kind::Job,
        Kind::Pod,
    ];
    let manager = proptest::option::of((
        proptest::sample::select(vec!["helm", "kubectl", "argocd-controller", "some-operator"]),
        any::<bool>(),
    ));
    (
        proptest::sample::select(kinds),
        proptest::collection::vec(any_container(), 1..4),
        proptest::collection::vec(any_container(), 0..2),
        proptest::collection::vec(proptest::option::of(any::<bool>()), CONTROLS.len()),
        (0usize..4, any::<bool>(), 0i64..1001),
        manager,
        any::<bool>(),
    )
        .prop_map(|(kind, mut containers, mut init, modes, (replicas, volumes, uid), manager, spare)| {
            for (index, container) in containers.iter_mut().chain(&mut init).enumerate() {
                container["name"] = json!(format!("c{index}"));
            }
            let mut scene = Scene::new().replicas(replicas).spec("initContainers", json!(init));
            let statuses: Vec<Value> = (0..containers.len())
                .map(|index| super::scene::status(&format!("c{index}"), uid))
                .collect();
            scene.pod["status"]["containerStatuses"] = json!(statuses);
            scene = scene.spec("containers", json!(containers));
            if volumes {
                scene = scene.spec("volumes", json!([{"name": "v0", "persistentVolumeClaim": {"claimName": "a"}}]));
            }
            scene = scene.kind(kind);
            if let Some((manager, apply)) = manager {
                let fields = json!({"f:containers": {"k:{\"name\":\"c0\"}": {"f:securityContext": {"f:capabilities": {"f:drop": {}}}}}});
                scene = scene.manager(manager, if apply { "Apply" } else { "Update" }, 1, &fields);
            }
            scene.controls = CONTROLS
                .into_iter()
                .zip(modes)
                .filter_map(|(control, enforce)| Some((control, if enforce? { Mode::Enforce } else { Mode::Preview })))
                .collect();
            if spare {
                scene.findings = |finding| finding.excepted_containers.push(("c0".to_owned(), "HardeningException c0".to_owned()));
            }
            scene
        })
}

proptest! {
    /// Whatever stands in the template, whoever owns it: a sound plan (`Scene::planned` lints it), the same each time, with a reason for all that is not done.
    #[test]
    fn any_workload_is_planned_soundly(scene in any_scene()) {
        let Some(plan) = scene.planned() else { return Ok(()) };
        prop_assert_eq!(&scene.plan(), &plan, "planning has no state");
        let asked: Vec<&str> = scene.controls.iter().map(|(id, _)| *id).collect();
        for control in &plan.controls {
            prop_assert!(asked.contains(&control.as_str()));
            prop_assert!(plan.changes.iter().any(|change| change.controls.contains(control)));
        }
        let touched_spared = plan.changes.iter().any(|change| {
            change.container.as_ref().is_some_and(|name| change.controls.iter().any(|id| plan.spared.contains(&(*id, name.clone()))))
        });
        prop_assert!(!touched_spared);
        match &plan.disposition {
            Disposition::Ready => {
                prop_assert!(!plan.changes.is_empty());
                prop_assert_eq!(plan.target.kind, Kind::Deployment, "no other kind is patched in this version");
            }
            Disposition::Held(held) => {
                let mut text = String::new();
                for held in held {
                    write!(text, "{held}").unwrap();
                    prop_assert!(!held.reason().is_empty());
                }
                prop_assert!(!text.is_empty());
            }
            Disposition::NotRepairable(why) => prop_assert!(plan.patch.is_empty() && !why.is_empty()),
        }
        prop_assert_eq!(plan.risk == crate::controls::Risk::Low, plan.risk_reasons.is_empty(), "{:?}", plan.risk_reasons);
    }
}
