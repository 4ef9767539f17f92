//! What extends the API server: until when its certificates are valid, which versions are stored, whether it answers.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::components::{Answer, Counters, DeprecatedApi, Observed, Remaining};
use crate::controls::Component;

const POLICY: &str = "
kind: ClusterHardeningPolicy
metadata: {name: baseline}
spec: {profile: {name: NsaCisa, version: v1}}
---
";

/// PEM in base64 of a certificate that is valid from 2026-01-01 to 2036-01-01.
const BUNDLE: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJERENCdEFJQkFUQUtCZ2dxaGtqT1BRUURBakFUTVJFd0R3WURWUVFEREFoM1pXSm9iMjlyY3pBZUZ3MHkKTmpBeE1ERXdNREF3TURCYUZ3MHpOakF4TURFd01EQXdNREJhTUJNeEVUQVBCZ05WQkFNTUNIZGxZbWh2YjJ0egpNRmt3RXdZSEtvWkl6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUVtaTJIN3FwazlZbDRYQXlScUFBSVNoTUtVUXBwCmhtcFFWbmMvalVmY1BCMVFRZXdUYmJqUTE0WHA5cHl3Ym9Odk9ZbGs2dU1OdGd1SGxzejg1Qks2dlRBS0JnZ3EKaGtqT1BRUURBZ05IQURCRUFpQndJcUQ2OTNNQnJ5ZUxMZkpwR1IzNFF5bXF2dWZZUzI3TE14ajdENkNLVEFJZwpiRmowN3hhOGJtOXVVZnJrOVNMaGRPRDNUVVRQZ1ltUnAwWDR2Q0NZTlF3PQotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==";

fn counters(certificates: Option<Remaining>, deprecated: &[(&str, &str)]) -> Counters {
    let deprecated = deprecated.iter().map(|(resource, removed)| DeprecatedApi {
        group: String::new(),
        version: "v1".to_owned(),
        resource: (*resource).to_owned(),
        removed_release: (*removed).to_owned(),
    });
    Counters {
        certificates,
        deprecated: deprecated.collect::<BTreeSet<_>>(),
        ..Counters::default()
    }
}

fn well() -> Counters {
    counters(Some(Remaining::Long), &[])
}

fn cluster(counters: Counters, objects: &[(Kind, Value)]) -> Case {
    let mut case = Case::of(POLICY);
    for (kind, object) in objects {
        case.world.apply(Delta::Apply(Object::decode(*kind, object).unwrap()));
    }
    case.world.observe(&Arc::new(Observed {
        counters: Answer::Said(counters),
        ..Observed::default()
    }));
    case
}

fn at(case: &mut Case, control: &str, now: Timestamp) -> Finding {
    let (world, _) = case.world.drain();
    let target = Component::KubeApiserver.target().unwrap();
    let evaluation = evaluate(&world, &case.policies, &case.exceptions, &target, now);
    let mut findings = evaluation.findings.into_iter();
    findings.find(|finding| finding.control.id.as_str() == control).unwrap()
}

fn webhook(bundle: &str) -> (Kind, Value) {
    let webhook = json!({"metadata": {"name": "guard"}, "webhooks": [
        {"clientConfig": {"url": "https://guard.example.com"}},
        {"clientConfig": {"service": {"namespace": "policies", "name": "guard"}, "caBundle": bundle}},
    ]});
    (Kind::ValidatingWebhookConfiguration, webhook)
}

fn definition(versions: &Value, stored: &Value) -> (Kind, Value) {
    let definition = json!({"metadata": {"name": "orders.shop.example.com"}, "spec": {"versions": versions},
        "status": {"storedVersions": stored}});
    (Kind::CustomResourceDefinition, definition)
}

#[test]
fn a_bundle_fails_two_weeks_before_its_end() {
    let mut case = cluster(well(), &[webhook(BUNDLE)]);
    let moment = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(
        at(&mut case, "VER-005", moment("2035-12-17T23:59:59Z")).verdict,
        Verdict::Pass
    );
    let finding = at(&mut case, "VER-005", moment("2035-12-18T00:00:00Z"));
    assert_eq!(finding.verdict, Verdict::Fail);
    let pointer = "/objects/ValidatingWebhookConfiguration//guard/webhooks/1/clientConfig/caBundle";
    assert_eq!(finding.evidence[0].pointer, pointer);
    assert_eq!(
        finding.evidence[0].observed,
        Some(json!("valid until 2036-01-01T00:00:00Z"))
    );
    // The moment at which that happens is one at which everything is judged again.
    let world = case.world.drain().0;
    assert_eq!(world.endings().collect::<Vec<_>>(), [moment("2035-12-18T00:00:00Z")]);
}

#[test]
fn a_bundle_that_cannot_be_read_is_unknown() {
    for bundle in ["Cg==", "no base64", "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0t"] {
        let finding = at(&mut cluster(well(), &[webhook(bundle)]), "VER-005", now());
        assert_eq!(
            (finding.verdict, finding.gaps[0].reason),
            (Verdict::Unknown, "Malformed"),
            "{bundle}"
        );
    }
    assert_eq!(
        at(&mut cluster(well(), &[webhook("")]), "VER-005", now()).verdict,
        Verdict::Pass
    );
}

#[test]
fn clients_whose_certificates_end_are_told_and_what_is_not_counted_is_unknown() {
    let judged = |remaining| at(&mut cluster(counters(remaining, &[]), &[]), "VER-005", now());
    assert_eq!(judged(Some(Remaining::Long)).verdict, Verdict::Pass);
    assert_eq!(judged(Some(Remaining::AtMost(2_592_000))).verdict, Verdict::Pass);
    for (seconds, told) in [(0, "was over"), (1800, "1800 seconds"), (604_800, "168 hours")] {
        let finding = judged(Some(Remaining::AtMost(seconds)));
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(
            finding.evidence[0]
                .observed
                .as_ref()
                .unwrap()
                .to_string()
                .contains(told),
            "{finding:?}"
        );
    }
    assert_eq!(judged(None).gaps[0].reason, "NotCounted");
    let mut silent = Case::of(POLICY);
    silent.world.observe(&Arc::default());
    for control in ["VER-002", "VER-005"] {
        let finding = at(&mut silent, control, now());
        assert_eq!(
            (finding.verdict, finding.gaps[0].reason),
            (Verdict::Unknown, "NotAsked"),
            "{control}"
        );
    }
}

#[test]
fn an_api_that_goes_is_a_finding_and_one_that_is_only_deprecated_is_not() {
    let judged = |deprecated: &[(&str, &str)]| at(&mut cluster(counters(None, deprecated), &[]), "VER-002", now());
    assert_eq!(judged(&[("endpoints", "")]).verdict, Verdict::Pass);
    assert_eq!(judged(&[]).verdict, Verdict::Pass);
    let finding = judged(&[("endpoints", ""), ("deviceclasses", "1.38")]);
    assert_eq!(finding.evidence.len(), 1);
    assert_eq!(
        finding.evidence[0].pointer,
        "/metrics/deprecated/core~1v1~1deviceclasses"
    );
    assert!(finding.evidence[0].expected.contains("1.38"));
}

#[test]
fn what_is_stored_has_to_be_served() {
    let served = |served: bool| json!([{"name": "v1", "served": true}, {"name": "v1alpha1", "served": served}]);
    for (versions, stored, expected) in [
        (served(true), json!(["v1alpha1", "v1"]), Verdict::Pass),
        (served(false), json!(["v1alpha1", "v1"]), Verdict::Fail),
        (served(false), json!(["v1"]), Verdict::Pass),
        (
            json!([{"name": "v1", "served": true}]),
            json!(["v1alpha1"]),
            Verdict::Fail,
        ),
        (json!(null), json!(["v1alpha1"]), Verdict::Pass),
    ] {
        let mut case = cluster(well(), &[definition(&versions, &stored)]);
        assert_eq!(at(&mut case, "VER-002", now()).verdict, expected, "{versions} {stored}");
    }
}

#[test]
fn what_extends_the_server_and_changes_has_it_judged_again() {
    let mut case = cluster(well(), &[]);
    case.world.drain();
    let target = Component::KubeApiserver.target().unwrap();
    let (kind, webhook) = webhook(BUNDLE);
    let mut apply = |delta| {
        case.world.apply(delta);
        let (world, dirty) = case.world.drain();
        (world.extensions.len(), dirty.contains(&target))
    };
    assert_eq!(apply(Delta::Apply(Object::decode(kind, &webhook).unwrap())), (1, true));
    assert_eq!(apply(Delta::Apply(Object::decode(kind, &webhook).unwrap())), (1, false));
    assert_eq!(apply(Delta::Delete(ObjectRef::new(kind, "", "guard"))), (0, true));
    let (kind, definition) = definition(&json!([{"name": "v1", "served": true}]), &json!(["v1"]));
    assert_eq!(
        apply(Delta::Apply(Object::decode(kind, &definition).unwrap())),
        (0, false),
        "nothing to judge"
    );
    let gap = Gap {
        reason: "PermissionDenied",
        message: "it may not be read".to_owned(),
        responsibility: Responsibility::SelfManaged,
    };
    case.world.apply(Delta::Unavailable {
        kind,
        namespace: None,
        gap,
    });
    assert_eq!(at(&mut case, "VER-002", now()).gaps[0].reason, "PermissionDenied");
}

fn metrics(status: Option<&str>) -> (Kind, Value) {
    let conditions = status.map(|status| json!([{"type": "Available", "status": status}]));
    let api = json!({"metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {"service": {"namespace": "kube-system", "name": "metrics-server"}}, "status": {"conditions": conditions}});
    (Kind::ApiService, api)
}

#[test]
fn resource_metrics_are_there_or_not_or_nobody_has_looked() {
    let judged = |objects: &[(Kind, Value)], is_whole| {
        let mut case = cluster(well(), objects);
        if is_whole {
            let objects = objects
                .iter()
                .map(|(kind, object)| Object::decode(*kind, object).unwrap());
            case.world.apply(Delta::Replace {
                kind: Kind::ApiService,
                namespace: None,
                objects: objects.collect(),
            });
        }
        at(&mut case, "AUD-005", now())
    };
    assert_eq!(judged(&[metrics(Some("True"))], true).verdict, Verdict::Pass);
    let finding = judged(&[metrics(Some("False"))], true);
    assert_eq!(
        finding.evidence[0].pointer,
        "/objects/APIService//v1beta1.metrics.k8s.io/status/conditions"
    );
    assert_eq!(judged(&[metrics(Some("Unknown"))], true).verdict, Verdict::Fail);
    assert_eq!(judged(&[metrics(None)], true).verdict, Verdict::Unknown);
    assert_eq!(judged(&[], true).verdict, Verdict::Fail);
    assert_eq!(judged(&[], false).verdict, Verdict::Unknown);
}
