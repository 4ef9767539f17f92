//! Services, and whether anything is there that they select.

use serde_json::{Value, json};

use super::*;

const POLICY: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec: {profile: {name: NsaCisa, version: v1}}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
";

const KINDS: [Kind; 7] = [
    Kind::Pod,
    Kind::Deployment,
    Kind::StatefulSet,
    Kind::DaemonSet,
    Kind::Job,
    Kind::CronJob,
    Kind::ReplicationController,
];

fn object(kind: Kind, object: &Value) -> Object {
    Object::decode(kind, object).unwrap()
}

fn service(more: &Value) -> Object {
    let mut service = json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"selector": {"app": "web"}}});
    for (field, value) in more.as_object().unwrap() {
        service[field] = value.clone();
    }
    object(Kind::Service, &service)
}

/// A cluster of which everything was read.
fn whole(objects: &[Object]) -> Case {
    let mut case = Case::of(POLICY);
    for kind in KINDS.into_iter().chain([Kind::Service]) {
        let of_kind = objects.iter().filter(|object| object.reference().kind == kind);
        case.world.apply(Delta::Replace {
            kind,
            namespace: None,
            objects: of_kind.cloned().collect(),
        });
    }
    case
}

fn judged(case: &mut Case) -> Finding {
    let evaluation = case.evaluate(Kind::Service, "shop", "web");
    let mut findings = evaluation.findings.into_iter();
    findings
        .find(|finding| finding.control.id.as_str() == "VER-003")
        .unwrap()
}

fn deployment(labels: &Value) -> Object {
    let template = json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}});
    let spec = json!({"replicas": 0, "selector": {"matchLabels": labels}, "template": template});
    object(
        Kind::Deployment,
        &json!({"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}),
    )
}

#[test]
fn a_service_selects_a_pod_or_a_template() {
    let finding = judged(&mut whole(&[service(&json!({}))]));
    assert_eq!(finding.verdict, Verdict::Fail);
    assert_eq!(finding.evidence[0].pointer, "/spec/selector");
    let pod = json!({"metadata": {"name": "p", "namespace": "shop", "labels": {"app": "web", "more": "x"}}, "spec": {"containers": []}});
    for other in [object(Kind::Pod, &pod), deployment(&json!({"app": "web"}))] {
        assert_eq!(judged(&mut whole(&[service(&json!({})), other])).verdict, Verdict::Pass);
    }
    assert_eq!(
        judged(&mut whole(&[service(&json!({})), deployment(&json!({"app": "api"}))])).verdict,
        Verdict::Fail
    );
    for spec in [
        json!({}),
        json!({"type": "ExternalName", "externalName": "example.com", "selector": {"app": "web"}}),
    ] {
        let judged = judged(&mut whole(&[service(&json!({"spec": spec}))]));
        assert_eq!(judged.verdict, Verdict::Pass, "{spec}");
    }
}

#[test]
fn that_nothing_is_selected_is_believed_only_where_everything_was_read() {
    for kind in KINDS {
        let mut case = whole(&[service(&json!({}))]);
        case.world.apply(Delta::Unavailable {
            kind,
            namespace: None,
            gap: Gap {
                reason: "PermissionDenied",
                message: "it may not be read".to_owned(),
                responsibility: Responsibility::SelfManaged,
            },
        });
        let finding = judged(&mut case);
        assert_eq!(
            (finding.verdict, finding.gaps[0].reason),
            (Verdict::Unknown, "PermissionDenied"),
            "{kind}"
        );
    }
    let mut files = Case::of(POLICY);
    files.world.apply(Delta::Apply(service(&json!({}))));
    assert_eq!(judged(&mut files).verdict, Verdict::NotApplicable);
}

#[test]
fn a_service_is_judged_again_when_what_it_selects_comes_or_goes() {
    let mut case = whole(&[service(&json!({}))]);
    case.world.drain();
    let web = ObjectRef::new(Kind::Service, "shop", "web");
    case.world.apply(Delta::Apply(deployment(&json!({"app": "api"}))));
    assert!(!case.world.drain().1.contains(&web), "not its labels");
    case.world.apply(Delta::Apply(deployment(&json!({"app": "web"}))));
    assert!(case.world.drain().1.contains(&web));
    case.world
        .apply(Delta::Delete(ObjectRef::new(Kind::Deployment, "shop", "web")));
    assert!(case.world.drain().1.contains(&web));
}
