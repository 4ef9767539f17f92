//! The API server keeps every field of a status that the Rust types can write.

use std::collections::BTreeSet;
use std::fmt::Debug;

use anyhow::{Result, ensure};
use ironside_crds::conditions::{self, Observed, reasons, types};
use ironside_crds::policy::{
    Component, ComponentStatus, ControlCounts, OpenWays, RemediationCounts, Responsibility, Threat, ThreatStatus,
};
use ironside_crds::remediation::{
    Attempt, Baseline, Change, ChangeOp, Failure, HistoryEntry, Memory, Plan, Restart, RestartStrategy, Revert,
    ShortWorkload,
};
use ironside_crds::{
    Condition, ConditionStatus, Duration, ExceptionStatus, Phase, PolicyStatus, RemediationStatus, Risk, Time,
};
use ironside_e2e::install::OPERATOR_USER;
use ironside_e2e::{Scenario, scenario};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{collection, install_definitions, send};

#[tokio::test]
async fn nothing_of_a_status_is_pruned() -> Result<()> {
    scenario(async |test| {
        install_definitions(test.cluster).await?;
        keeps(test, "HardeningPolicy", json!({}), &policy_status()).await?;
        let target = json!({"apiVersion": "apps/v1", "kind": "Deployment", "namespace": "shop", "name": "web"});
        keeps(
            test,
            "HardeningRemediation",
            json!({"target": target}),
            &remediation_status(),
        )
        .await?;
        let exception = json!({
            "controls": ["POD-012"],
            "targets": [{"kind": "Deployment", "name": "web"}],
            "reason": "writes to /data until 2.0",
            "expiresAt": "2027-01-31T00:00:00Z",
        });
        keeps(test, "HardeningException", exception, &exception_status()).await
    })
    .await
}

/// Writes a status, reads it back, and finds all of it.
async fn keeps<S>(test: &Scenario<'_>, kind: &str, spec: Value, status: &S) -> Result<()>
where
    S: Serialize + DeserializeOwned + PartialEq + Debug,
{
    let object = json!({
        "apiVersion": ironside_crds::API_VERSION,
        "kind": kind,
        "metadata": {"name": "full"},
        "spec": spec,
    });
    let collection = collection(&object, &test.namespace);
    let mut created = send(&test.client, "POST", &collection, &object, OPERATOR_USER).await?;
    created["status"] = serde_json::to_value(status)?;
    let path = format!("{collection}/full/status?fieldValidation=Strict");
    let stored = send(&test.client, "PUT", &path, &created, OPERATOR_USER).await?;
    ensure!(stored["status"] == created["status"], "{kind}: {:#}", stored["status"]);
    let read: S = serde_json::from_value(stored["status"].clone())?;
    ensure!(read == *status, "{kind}: {read:#?}");
    // The test is about every field: none is left at what is not written.
    let written = created["status"].to_string();
    ensure!(
        !written.contains("null") && !written.contains("[]") && !written.contains("{}"),
        "{kind}: {written}"
    );
    Ok(())
}

fn now() -> Time {
    jiff::Timestamp::now().into()
}

fn set(name: &str) -> BTreeSet<String> {
    BTreeSet::from([name.to_owned()])
}

fn condition(type_: &'static str) -> Vec<Condition> {
    let mut conditions = Vec::new();
    let observed = Observed {
        type_,
        status: ConditionStatus::True,
        reason: reasons::RECONCILED,
        message: "works on this spec".to_owned(),
    };
    conditions::set(&mut conditions, observed, Some(1), now());
    conditions
}

fn policy_status() -> PolicyStatus {
    PolicyStatus {
        observed_generation: Some(3),
        conditions: condition(types::READY),
        score_percent: Some(83),
        coverage_percent: Some(100),
        controls: ControlCounts {
            passed: 41,
            failed: 7,
            not_applicable: 12,
            unknown: 5,
            excepted: 2,
        },
        components: [Component::KubeApiserver, Component::Workloads]
            .map(|name| ComponentStatus {
                name,
                passed: 1,
                failed: 2,
                unknown: 3,
                responsibility: Responsibility::Owner,
                score_percent: Some(33),
                coverage_percent: Some(50),
            })
            .to_vec(),
        threats: [Threat::SupplyChain, Threat::MaliciousActor, Threat::InsiderThreat]
            .map(|name| ThreatStatus {
                name,
                passed: 1,
                failed: 2,
                unknown: 3,
                ways: Some(OpenWays {
                    open: 1,
                    shortest: vec!["Deployment shop/web -> its node (container web is privileged)".to_owned()],
                }),
            })
            .to_vec(),
        remediations: RemediationCounts {
            pending: 3,
            active: 1,
            succeeded: 18,
            rolled_back: 1,
            held: 4,
        },
        exempt_namespaces: set("kube-system"),
    }
}

fn remediation_status() -> RemediationStatus {
    let hash = "7f3a91c2d0e4".to_owned();
    RemediationStatus {
        observed_generation: Some(1),
        phase: Some(Phase::Verifying),
        reason: "NoPodsYet".to_owned(),
        message: "no pod of the new template can be expected".to_owned(),
        summary: "POD-009".to_owned(),
        plan: Some(Plan {
            hash: hash.clone(),
            controls: set("POD-009"),
            changes: vec![Change {
                path: "/spec/template/spec/containers/0/securityContext/allowPrivilegeEscalation".to_owned(),
                op: ChangeOp::Replace,
                from: Some("true".to_owned()),
                to: Some("false".to_owned()),
                owner: Some("kubectl".to_owned()),
                control: "POD-009".to_owned(),
            }],
            risk: Risk::Medium,
            risk_reasons: vec!["no readiness probe".to_owned()],
            restart: Some(Restart {
                strategy: RestartStrategy::RollingUpdate,
                pods: 4,
            }),
            evidence: vec!["no setuid binary was run".to_owned()],
        }),
        attempt: Some(Attempt {
            id: 12,
            epoch: 4,
            plan: hash.clone(),
            controls: set("POD-009"),
            started_at: now(),
            target_uid: Some("6d3c2c2e-0000-4000-8000-000000000000".to_owned()),
            target_generation: Some(7),
            soak: Duration::from_mins(10),
            probation: Some(Duration::from_hours(168)),
            deadline: Some(now()),
            ready_since: Some(now()),
            probation_until: Some(now()),
            rolled_back_at: Some(now()),
            template_before: Some("a".to_owned()),
            template_after: Some("b".to_owned()),
            baseline: Baseline { ready: 4, restarts: 0 },
            short: vec![ShortWorkload {
                workload: "Deployment/api".into(),
                ready: 1,
            }],
        }),
        memory: Memory {
            reverts: vec![Revert {
                manager: "argocd-controller".to_owned(),
                time: now(),
            }],
            failures: vec![Failure {
                controls: set("POD-007"),
                image_digest: Some("sha256:0".to_owned()),
                reason: "CreateContainerConfigError".to_owned(),
                time: now(),
            }],
        },
        // Two equal entries: what happens twice within a second must not make the API server refuse the status.
        history: vec![
            HistoryEntry {
                time: now(),
                phase: Phase::Pending,
                plan: Some(hash),
                reason: "AwaitingApproval".to_owned(),
                by: Some("alice@example.com".to_owned()),
            };
            2
        ],
        conditions: condition(types::APPLIED),
    }
}

fn exception_status() -> ExceptionStatus {
    ExceptionStatus {
        observed_generation: Some(1),
        conditions: condition(types::EFFECTIVE),
        matched: 1,
        effective_until: Some(now()),
    }
}
