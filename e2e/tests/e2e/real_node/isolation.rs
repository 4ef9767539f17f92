//! Default-deny ingress with inferred allows, judged by real packets: what was declared passes as before, what was not is cut, and `ironside reach` says
//! the same of both.

use std::collections::BTreeMap;
use std::net::IpAddr;

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use ironside_e2e::node::ironside::Overlay;
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::{Scenario, wait};
use serde_json::{Value, json};

use super::policies::{Reached, addresses, enforced, pod, probe};
use super::said::Said;
use super::{LONG, address, asked_all_the_time, rolled_out, running, server, service};
use crate::network::{POLICY, apply, record};

/// Somebody listens, nobody does but a Service leads there, and nobody ever heard of it. A closed port answers, too.
const PORTS: [u16; 3] = [8080, 5432, 9999];

/// A connection: whose packets, to whom, on which port.
type Edges = BTreeMap<(String, String, u16), bool>;

/// The pods of a test, by what `ironside reach` calls them.
struct Shop<'a> {
    test: &'a Scenario<'a>,
    pods: BTreeMap<String, IpAddr>,
}

impl<'a> Shop<'a> {
    /// Several pods of one workload count as one of them.
    async fn look(test: &'a Scenario<'a>, namespaces: &[&str]) -> Result<Self> {
        let mut pods = BTreeMap::new();
        for namespace in namespaces {
            for (name, address) in addresses(test, namespace).await? {
                let workload = ["web", "api", "db", "worker"]
                    .into_iter()
                    .find(|it| name.starts_with(&format!("{it}-")));
                let end = match workload {
                    Some(workload) => format!("Deployment {namespace}/{workload}"),
                    None => format!("Pod {namespace}/{name}"),
                };
                pods.insert(end, address);
            }
        }
        Ok(Self { test, pods })
    }

    /// What every pod's packets reach.
    async fn edges(&self) -> Result<Edges> {
        let probes = self.pods.iter().map(async |(from, address)| {
            let others = self.pods.iter().filter(|(to, _)| *to != from);
            let tried: Vec<(String, (String, String, u16))> = others
                .flat_map(|(to, of)| PORTS.map(|port| (format!("tcp:{of}:{port}"), (from.clone(), to.clone(), port))))
                .collect();
            let destinations: Vec<String> = tried.iter().map(|(to, _)| to.clone()).collect();
            let seen: Reached = probe(self.test, *address, &destinations).await?;
            anyhow::Ok(
                tried
                    .into_iter()
                    .map(move |(to, edge)| (edge, seen.get(&to) == Some(&true)))
                    .collect::<Vec<_>>(),
            )
        });
        Ok(try_join_all(probes).await?.into_iter().flatten().collect())
    }

    /// Waits until packets pass exactly where they should. A late answer on a busy machine is asked for again.
    async fn until_edges(&self, what: &str, wanted: impl Fn(&str, &str, u16) -> bool) -> Result<Edges> {
        wait::until_within(LONG, what, async || {
            let edges = self.edges().await?;
            let wrong = edges
                .iter()
                .filter(|((from, to, port), passed)| wanted(from, to, *port) != **passed);
            let wrong: Vec<_> = wrong.collect();
            ensure!(wrong.is_empty(), "{what}: {wrong:#?}");
            Ok(edges)
        })
        .await
    }
}

#[tokio::test]
async fn default_deny_keeps_what_is_declared_and_cuts_the_rest() -> Result<()> {
    scenario_on_a_node(async |test| {
        let _turn = super::NODE.lock().await;
        test.cluster.install_as_pods(Overlay::Evidence).await?;
        let here = test.namespace.as_str();
        for (name, replicas) in [("web", 2), ("api", 1), ("db", 1), ("worker", 1)] {
            running(&test.client, here, &server(name, "").replicas(replicas)).await?;
        }
        let mut front = service("web");
        front["spec"]["type"] = json!("NodePort");
        let mut database = service("db");
        database["spec"]["ports"] = json!([{"port": 5432}]);
        test.apply(&[front, service("api"), database]).await?;
        // One that names a Service of the shop in its template, and one that does not.
        let billing = test.cluster.namespace(&test.client, "isolation-billing").await?;
        let stranger = test.cluster.namespace(&test.client, "isolation-stranger").await?;
        let api = format!("http://api.{here}.svc.cluster.local");
        let others = [
            elsewhere("billing", &billing, &api),
            elsewhere("stranger", &stranger, ""),
        ];
        let others = json!({"apiVersion": "v1", "kind": "List", "items": others}).to_string();
        test.cluster
            .kubectl()?
            .run_with_input(&["apply", "-f", "-"], &others)
            .await?;
        let shop = Shop::look(test, &[here, &billing, &stranger]).await?;
        shop.until_edges("before, everything passes", |_, _, _| true).await?;

        let isolating = asked_all_the_time(test, "web", async || {
            apply(test, POLICY).await?;
            wait::until_within(LONG, "the namespace is isolated", async || {
                let status = record(test).await?;
                let is = (&status["phase"], &status["reason"]);
                ensure!(
                    is == (&json!("Succeeded"), &json!("Verified")),
                    "it is {is:?}: {}",
                    status["message"]
                );
                Ok(())
            })
            .await
        });
        isolating.await?;
        enforced(test, &[here]).await?;
        let of = |end: &str, namespace: &str| end.contains(&format!(" {namespace}/"));
        let edges = shop
            .until_edges("after, what is declared passes", |from, to, port| {
                let workload = to.rsplit('/').next().unwrap_or_default();
                match (workload, port) {
                    // Nobody isolated the others.
                    _ if !of(to, here) => true,
                    ("web", 8080) => true,
                    ("api", 8080) => of(from, here) || of(from, &billing),
                    ("db", 5432) => of(from, here),
                    _ => false,
                }
            })
            .await?;
        let said = Said::ask(test).await?;
        for ((from, to, port), passed) in &edges {
            let lets = said.lets(from, to, "TCP", *port)?;
            ensure!(
                lets == (*passed, *passed),
                "{from} to {to} on {port}: packets {passed}, Ironside {lets:?}"
            );
        }

        // Names, and the addresses of Services; and the probes of pods that come after the deny.
        let url = "http://api/";
        let exec = ["exec", "-n", here, "deployment/worker", "--", "/needs", "ask", url];
        let answer = wait::until("the Service answers by its name", async || {
            test.cluster.kubectl()?.run(&exec).await
        });
        ensure!(answer.await?.starts_with("api-"));
        let to = format!("tcp:{}", address(&test.client, here, "api").await?);
        let from_stranger = shop.pods[&format!("Pod {stranger}/stranger")];
        ensure!(
            !probe(test, from_stranger, std::slice::from_ref(&to)).await?[&to],
            "a Service's address is no way around"
        );
        test.cluster
            .kubectl()?
            .run(&["rollout", "restart", "deployment/web", "-n", here])
            .await?;
        rolled_out(&test.client, here, "web").await?;
        for namespace in [billing, stranger] {
            test.cluster.drop_namespace(&test.client, &namespace).await?;
        }
        Ok(())
    })
    .await
}

/// A pod of another namespace, with an address in its environment.
fn elsewhere(name: &str, namespace: &str, url: &str) -> Value {
    let mut pod = pod(name, &json!({"app": name}));
    pod["metadata"]["namespace"] = json!(namespace);
    pod["spec"]["containers"][0]["env"] = json!([{"name": "UPSTREAM", "value": url}]);
    pod
}
