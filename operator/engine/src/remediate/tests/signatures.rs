//! What failures look like in the status of pods and Deployments.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::json;

use super::super::signature::{of_controller, of_pod};
use super::super::{Signature, Symptom};
use crate::model::{Kind, Pod, Workload};

fn pod(status: &serde_json::Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "web-1"}, "status": status})).unwrap()
}

fn waiting(reason: &str, message: &str) -> Pod {
    pod(&json!({"containerStatuses": [
        {"name": "web", "state": {"waiting": {"reason": reason, "message": message}}}
    ]}))
}

fn symptoms(pod: &Pod) -> Vec<Symptom> {
    of_pod(pod, false)
        .into_iter()
        .map(|signature| signature.symptom)
        .collect()
}

#[test]
fn the_three_texts_of_the_kubelet_point_at_run_as_non_root() {
    for text in [
        "container has runAsNonRoot and image will run as root (pod: \"web_shop(1)\", container: web)",
        "container has runAsNonRoot and image has non-numeric user (nginx), cannot verify user is non-root (pod: \"web_shop(1)\", container: web)",
        "container's runAsUser breaks non-root policy (pod: \"web_shop(1)\", container: web)",
    ] {
        let found = of_pod(&waiting("CreateContainerConfigError", text), false);
        assert_eq!(found[0].symptom, Symptom::RunAsNonRoot, "{text}");
        assert_eq!(found[0].suspects, ["POD-007"]);
        assert!(!found[0].message.contains("pod:"), "{}", found[0].message);
    }
}

#[test]
fn environmental_causes_are_told_apart() {
    let cases = [
        (
            "CreateContainerConfigError",
            "configmap \"app\" not found",
            Symptom::ConfigMissing,
        ),
        (
            "CreateContainerConfigError",
            "couldn't find key a in Secret shop/b",
            Symptom::ConfigMissing,
        ),
        ("ImagePullBackOff", "Back-off pulling image \"x\"", Symptom::ImagePull),
    ];
    for (reason, message, symptom) in cases {
        assert_eq!(symptoms(&waiting(reason, message)), [symptom]);
        assert!(symptom.is_environmental());
    }
    assert_eq!(symptoms(&waiting("ErrImagePull", "timeout")), []);
    assert_eq!(symptoms(&waiting("ContainerCreating", "")), []);
}

#[test]
fn unschedulable_counts_after_a_while_only() {
    let since: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let pending = pod(
        &json!({"conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "lastTransitionTime": since.to_string()}]}),
    );
    let found = of_pod(&pending, false);
    assert_eq!(found[0].counts_from(), Some("2026-01-01T00:05:00Z".parse().unwrap()));
}

#[test]
fn crashes_name_the_exit_code_and_the_suspect() {
    let crash = |code: i32, reason: &str| {
        pod(&json!({"containerStatuses": [{"name": "web", "restartCount": 1,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": code, "reason": reason}}}]}))
    };
    let found = of_pod(&crash(1, "Error"), true);
    assert_eq!(found[0].symptom, Symptom::CrashLoopBackOff);
    assert_eq!(found[0].message, "container web ended with exit code 1");
    assert!(found[0].suspects.is_empty());
    assert_eq!(of_pod(&crash(159, "Error"), false)[0].suspects, ["POD-013"]);
    assert_eq!(symptoms(&crash(137, "OOMKilled")), [Symptom::OomKilled]);
}

#[test]
fn the_second_exit_counts_unless_the_workload_always_restarted() {
    let restarted = |times: i32| {
        pod(
            &json!({"containerStatuses": [{"name": "web", "ready": true, "restartCount": times,
            "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 1}}}]}),
        )
    };
    assert_eq!(symptoms(&restarted(1)), []);
    assert_eq!(symptoms(&restarted(2)), [Symptom::Exited]);
    assert_eq!(of_pod(&restarted(2), true), []);
}

#[test]
fn refused_pods_are_quota_or_pod_security() {
    let with = |message: &str| {
        let object = json!({"metadata": {"name": "web"}, "status": {"conditions": [
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]}});
        of_controller(&Workload::decode(Kind::Deployment, &object).unwrap()).unwrap()
    };
    let quota =
        with("pods \"web-5\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=3, limited: pods=3");
    assert_eq!(quota.symptom, Symptom::QuotaExceeded);
    assert!(!quota.message.contains("web-5"));
    let refused = with("pods \"web-5\" is forbidden: violates PodSecurity \"restricted:latest\": seccompProfile");
    assert_eq!(refused.symptom, Symptom::PodSecurityRefused);
    assert!(!refused.symptom.is_environmental());
}

#[test]
fn blame_falls_on_suspects_of_the_attempt_only() {
    let controls = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<_>>();
    let root = Signature::new(Symptom::RunAsNonRoot, "");
    assert_eq!(root.blamed(&controls(&["POD-007", "POD-009"])), controls(&["POD-007"]));
    assert_eq!(root.blamed(&controls(&["POD-009"])), controls(&["POD-009"]));
}

#[test]
fn every_symptom_reads_back() {
    for symptom in Symptom::ALL {
        assert_eq!(Symptom::parse(symptom.reason()), Some(symptom));
    }
}

/// Seen on a real node without AppArmor, to the letter.
#[test]
fn a_pod_that_its_node_refuses_is_not_the_repairs_fault() {
    let refused = pod(&json!({
        "phase": "Failed", "reason": "AppArmor", "startTime": "2026-11-25T00:00:00Z",
        "message": "Pod was rejected: Cannot enforce AppArmor: AppArmor is not enabled on the host",
    }));
    let found = of_pod(&refused, false);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].symptom, Symptom::Unschedulable);
    assert!(found[0].symptom.is_environmental());
    assert!(found[0].counts_from().is_some(), "{found:?}");
}

/// To the letter what a kubelet says; the end-to-end tests hold the file against one.
#[test]
fn what_kubelets_say_is_understood() {
    let cases: serde_json::Value = serde_json::from_str(include_str!("kubelet.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let found = of_pod(&pod(&case["status"]), false);
        let symptoms: Vec<&str> = found.iter().map(|signature| signature.symptom.reason()).collect();
        let wanted: Vec<&str> = case["symptom"].as_str().into_iter().collect();
        assert_eq!(symptoms, wanted, "{}", case["case"]);
        let about_pods = found.iter().any(|signature| signature.message.contains("POD"));
        assert!(!about_pods, "a message that changes with every pod: {found:?}");
    }
}
