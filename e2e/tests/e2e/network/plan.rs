//! Promise 6: no connection more than before, none less that is known to be needed, and the change is shown first.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::operator::Start;
use ironside_e2e::workloads::{Workload, available_deployment};
use ironside_e2e::{Scenario, scenario};
use serde_json::Value;

use super::{DENY, POLICY, apply, names, policies, until_phase};
use crate::decisions::Person;
use kube::api::ListParams;

/// A shop: `web` is exposed, `api` is reached by a Service, `db` is restricted by the team itself, nobody is known to need `worker`.
const SHOP: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec: {selector: {app: api}, ports: [{port: 80, targetPort: 9090}]}
---
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db-from-api}
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
  ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]
";

const APPS: [&str; 4] = ["web", "api", "db", "worker"];
const PORTS: [u64; 4] = [5432, 8080, 9090, 10250];
/// Stands for a pod of another namespace, a node, and an address outside: what no selector of this test names.
const STRANGER: &str = "stranger";

/// A connection: from, to, port.
type Edge = (&'static str, &'static str, u64);

/// Who reaches whom, read from the policies as they are stored. Written down for this test's policies only: labels `app`, numbers of ports.
async fn edges(at: &Scenario<'_>) -> Result<BTreeSet<Edge>> {
    let stored: Vec<Value> = policies(at)
        .list(&ListParams::default())
        .await?
        .items
        .into_iter()
        .map(|policy| serde_json::to_value(policy.spec))
        .collect::<Result<_, _>>()?;
    let selects = |selector: &Value, app: &str| match selector["matchLabels"]["app"].as_str() {
        Some(wanted) => wanted == app,
        None => selector.get("matchLabels").is_none() && selector.get("matchExpressions").is_none(),
    };
    let mut found = BTreeSet::new();
    for to in APPS {
        let ruling: Vec<&Value> = stored.iter().filter(|spec| selects(&spec["podSelector"], to)).collect();
        for from in APPS.into_iter().chain([STRANGER]) {
            for port in PORTS {
                let lets_in = |rule: &Value| {
                    let peers = rule["from"].as_array();
                    let ports = rule["ports"].as_array();
                    let is_peer =
                        |peer: &Value| from != STRANGER && peer.get("podSelector").is_some_and(|it| selects(it, from));
                    peers.is_none_or(|peers| peers.is_empty() || peers.iter().any(is_peer))
                        && ports.is_none_or(|ports| ports.is_empty() || ports.iter().any(|it| it["port"] == port))
                };
                let rules = ruling
                    .iter()
                    .flat_map(|spec| spec["ingress"].as_array().into_iter().flatten());
                if ruling.is_empty() || rules.into_iter().any(lets_in) {
                    found.insert((from, to, port));
                }
            }
        }
    }
    Ok(found)
}

#[tokio::test]
async fn promise_06_no_edge_more_none_less_that_is_needed_and_shown_first() -> Result<()> {
    scenario(async |at| {
        at.cluster.install().await?;
        for app in APPS {
            available_deployment(&at.client, &at.namespace, &Workload::named(app).replicas(1)).await?;
        }
        apply(at, SHOP).await?;
        apply(at, &POLICY.replace("autoApprove: Medium", "autoApprove: None")).await?;
        let before = edges(at).await?;
        let _operator = Start::new(at).ready().await?;
        let status = until_phase(at, "Pending", "AwaitingApproval").await?;

        // Shown before anything is written: the same plan by the operator and by the command line.
        let person = Person::admin(at);
        let (shown, told) = person.shows(&["plan"]).await?;
        ensure!(names(at).await? == ["db-from-api"], "{:?}", names(at).await?);
        let hash = status["plan"]["hash"].as_str().context("a hash")?;
        let short = hash.get(..12).context("a long hash")?;
        ensure!(shown.contains(short), "plan {short} is not in\n{shown}\n{told}");
        for line in [
            &format!("Namespace {}  default-deny ingress: risk Medium", at.namespace),
            &format!("NetworkPolicy {DENY}"),
            "Deployment web: stays open: TCP 8080 for everyone",
            "Deployment api: stays open: TCP 9090 for pods of the namespace",
            "Deployment worker: ",
        ] {
            ensure!(shown.contains(line), "{line} is not in\n{shown}");
        }
        ensure!(!shown.contains("Deployment db:"), "nothing changes for db:\n{shown}");

        let target = format!("namespace/{}", at.namespace);
        person.decides(&["approve", &target, "--plan", short]).await?;
        until_phase(at, "Succeeded", "Verified").await?;
        let after = edges(at).await?;
        let added: Vec<&Edge> = after.difference(&before).collect();
        ensure!(added.is_empty(), "let in what was refused: {added:?}");
        for needed in [
            ("stranger", "web", 8080),
            ("worker", "web", 8080),
            ("web", "api", 9090),
            ("worker", "api", 9090),
            ("api", "db", 5432),
        ] {
            ensure!(after.contains(&needed), "cut what is needed: {needed:?}");
        }
        for cut in [
            ("stranger", "api", 9090),
            ("stranger", "worker", 10250),
            ("web", "worker", 10250),
        ] {
            ensure!(before.contains(&cut) && !after.contains(&cut), "not cut: {cut:?}");
        }
        let (shown, _) = person.shows(&["plan"]).await?;
        ensure!(
            !shown.contains("default-deny ingress"),
            "nothing is left to do:\n{shown}"
        );
        Ok(())
    })
    .await
}
