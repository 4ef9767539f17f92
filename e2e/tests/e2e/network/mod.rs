//! Default-deny ingress with inferred allows, on a real API server.

mod crash;
mod decisions;
mod kept;
mod plan;
mod rollback;
mod stories;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::operator::Operator;
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

pub(super) const DENY: &str = "ironside-default-deny-ingress";

/// A policy that isolates its namespace at once, without a human.
pub(super) const POLICY: &str = "
apiVersion: hardening.ironside.dev/v1alpha1
kind: HardeningPolicy
metadata: {name: team}
spec:
  profile: {name: None, version: v1}
  mode: Enforce
  controls: [{id: NET-002, mode: Enforce}]
  remediation:
    autoApprove: Medium
    settle: 0s
    verify: {soak: 1s, probation: 1s}
    stopAfter: {rollbacks: 100, within: 1h}
  network: {isolate: [Ingress]}
";

/// A Service in front of the Deployment `web`.
pub(super) const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
";

pub(super) async fn apply(at: &Scenario<'_>, manifest: &str) -> Result<()> {
    let arguments = ["apply", "-n", &at.namespace, "-f", "-"];
    at.cluster.kubectl()?.run_with_input(&arguments, manifest).await?;
    Ok(())
}

/// The namespace with a web application in it, and the policy.
pub(super) async fn shop(at: &Scenario<'_>) -> Result<()> {
    at.cluster.install().await?;
    available_deployment(&at.client, &at.namespace, &Workload::named("web").replicas(2)).await?;
    apply(at, SERVICE).await?;
    apply(at, POLICY).await
}

pub(super) fn policies(at: &Scenario<'_>) -> Api<NetworkPolicy> {
    Api::namespaced(at.client.clone(), &at.namespace)
}

pub(super) async fn names(at: &Scenario<'_>) -> Result<Vec<String>> {
    let list = policies(at).list(&ListParams::default()).await?;
    Ok(list
        .items
        .into_iter()
        .filter_map(|policy| policy.metadata.name)
        .collect())
}

/// Status of the namespace's remediation.
pub(super) async fn record(at: &Scenario<'_>) -> Result<Value> {
    let arguments = ["get", "hrem", "-n", &at.namespace, "-o", "json"];
    let list: Value = serde_json::from_str(&at.cluster.kubectl()?.run(&arguments).await?)?;
    let items = list["items"].as_array().context("items")?;
    let of_namespace = items.iter().find(|item| item["spec"]["target"]["kind"] == "Namespace");
    Ok(of_namespace.context("no remediation of the Namespace")?["status"].clone())
}

pub(super) async fn until_phase(at: &Scenario<'_>, phase: &str, reason: &str) -> Result<Value> {
    wait::until(&format!("phase {phase} ({reason})"), async || {
        let status = record(at).await?;
        ensure!(
            status["phase"] == phase && status["reason"] == reason,
            "it is {} ({}): {}",
            status["phase"],
            status["reason"],
            status["message"]
        );
        Ok(status)
    })
    .await
}

/// The allow of `web`, once the namespace is isolated.
pub(super) async fn isolated(at: &Scenario<'_>) -> Result<String> {
    until_phase(at, "Succeeded", "Verified").await?;
    let names = names(at).await?;
    ensure!(names.len() == 2 && names.iter().any(|name| name == DENY), "{names:?}");
    names.into_iter().find(|name| name != DENY).context("an allow")
}

/// Writes of NetworkPolicies by an operator, in order: verb and name.
pub(super) fn written(at: &Scenario<'_>, operator: &Operator) -> Result<Vec<(String, String)>> {
    let requests = operator.requests(at)?;
    let writes = requests
        .into_iter()
        .filter(|entry| entry.is_write() && entry.resource() == "networkpolicies" && entry.code() < 300);
    Ok(writes
        .map(|entry| {
            (
                entry.verb.clone(),
                entry.object_ref.map(|object| object.name).unwrap_or_default(),
            )
        })
        .collect())
}

/// What the network does to the pods of `web`: they need more than is known, so that they are ready only while the deny does not stand. Ends when dropped.
pub(super) struct Starved(JoinHandle<()>);

impl Starved {
    pub(super) fn begin(at: &Scenario<'_>) -> Self {
        let policies = policies(at);
        let pods: Api<Pod> = Api::namespaced(at.client.clone(), &at.namespace);
        Self(tokio::spawn(async move {
            let of_web = ListParams::default().labels("app=web");
            loop {
                if let (Ok(deny), Ok(pods_of_web)) = (policies.get_opt(DENY).await, pods.list(&of_web).await) {
                    let word = deny.is_some().then_some("true");
                    for pod in pods_of_web {
                        let now = pod.metadata.annotations.as_ref().and_then(|all| all.get(STARVED));
                        if now.map(String::as_str) != word {
                            let patch = json!({"metadata": {"annotations": {STARVED: word}}});
                            let name = pod.metadata.name.as_deref().unwrap_or_default();
                            // The next round tries again.
                            _ = pods.patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
                        }
                    }
                }
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }))
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Simulated pods with it run and are not ready.
const STARVED: &str = "sim.ironside.dev/never-ready";

/// Any policy at all.
pub(super) const PROBE: &str = "
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: probe}
spec: {podSelector: {}, policyTypes: [Ingress]}
";
