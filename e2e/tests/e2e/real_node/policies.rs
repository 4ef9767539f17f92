//! NetworkPolicies bite: what they cut is cut for real packets, and nothing else.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, ensure};
use ironside_e2e::node::images::NEEDS;
use ironside_e2e::node::obstacle::ipv6;
use ironside_e2e::node::policies::Enforced;
use ironside_e2e::node::relay;
use ironside_e2e::scenario::{scenario_on_a_node, skipped_for};
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use super::{LONG, address, running, server, service};

/// How long nobody has answered when a packet counts as dropped. The kernel answers, whatever the programs do.
const PATIENCE: &str = "1s";

/// What a pod's packets reach, by destination ([`destination`]).
pub(super) type Reached = BTreeMap<String, bool>;

/// A pod that serves and probes.
pub(super) fn pod(name: &str, labels: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {"kubernetes.io/hostname": "real-1"},
            "containers": [{
                "name": "c", "image": NEEDS, "imagePullPolicy": "Never",
                "ports": [{"name": "http", "containerPort": 8080}, {"name": "dns", "containerPort": 8080, "protocol": "UDP"}],
                "readinessProbe": {"httpGet": {"path": "/ready", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 20},
            }],
        },
    })
}

/// The first address of each pod of a namespace, as [`all_addresses`].
pub(super) async fn addresses(test: &Scenario<'_>, namespace: &str) -> Result<BTreeMap<String, IpAddr>> {
    let all = all_addresses(test, namespace).await?.into_iter();
    all.map(|(name, addresses)| Ok((name, *addresses.first().context("an address")?)))
        .collect()
}

/// The addresses of a namespace's pods, one of each family, once all are ready and the enforcer knows them.
pub(super) async fn all_addresses(test: &Scenario<'_>, namespace: &str) -> Result<BTreeMap<String, Vec<IpAddr>>> {
    let pods: Api<Pod> = Api::namespaced(test.client.clone(), namespace);
    wait::until_within(LONG, "the pods are ready", async || {
        let mut found = BTreeMap::new();
        for pod in pods.list(&ListParams::default()).await?.items {
            let name = pod.metadata.name.unwrap_or_default();
            let status = pod.status.unwrap_or_default();
            let conditions = status.conditions.unwrap_or_default();
            let ready = conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True");
            ensure!(ready, "{name} is not ready");
            let all: Result<Vec<IpAddr>, _> = status.pod_ips.iter().flatten().map(|it| it.ip.parse()).collect();
            found.insert(name, all?);
        }
        let enforced = Enforced::read(&test.cluster.node()?.enforced)?;
        ensure!(
            found
                .values()
                .flatten()
                .all(|address| enforced.pods.contains_key(address)),
            "{enforced:?}"
        );
        Ok(found)
    })
    .await
}

/// A destination, as [`probe`] takes it.
pub(super) fn destination(protocol: &str, address: IpAddr, port: u16) -> String {
    format!("{}:{}", protocol.to_lowercase(), SocketAddr::new(address, port))
}

/// Waits until the policies of some namespaces are in force exactly as the API server has them.
pub(super) async fn enforced(test: &Scenario<'_>, namespaces: &[&str]) -> Result<()> {
    wait::until("the policies are in force", async || {
        let mut wanted = BTreeMap::new();
        for namespace in namespaces {
            let policies: Api<NetworkPolicy> = Api::namespaced(test.client.clone(), namespace);
            for policy in policies.list(&ListParams::default()).await?.items {
                let name = format!("{namespace}/{}", policy.metadata.name.unwrap_or_default());
                wanted.insert(name, policy.metadata.resource_version.unwrap_or_default());
            }
        }
        let mut seen = Enforced::read(&test.cluster.node()?.enforced)?.policies;
        seen.retain(|name, _| {
            namespaces
                .iter()
                .any(|namespace| name.split('/').next() == Some(namespace))
        });
        ensure!(seen == wanted, "in force: {seen:?}, wanted: {wanted:?}");
        Ok(())
    })
    .await
}

/// Has a pod of [`pod`] or [`server`] try destinations; the node itself reaches every pod.
pub(super) async fn probe(test: &Scenario<'_>, from: IpAddr, to: &[String]) -> Result<Reached> {
    let query = to.iter().fold(String::new(), |so_far, to| format!("{so_far}&to={to}"));
    let path = format!("/probe?patience={PATIENCE}{query}");
    let (status, said) = relay::get(&test.cluster.node()?.dial, &format!("{from}:8080"), &path).await?;
    ensure!(status == 200, "{status} {said}");
    let lines = said.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(outcome, destination)| match outcome {
            "passed" => Ok((destination.to_owned(), true)),
            "cut" => Ok((destination.to_owned(), false)),
            other => anyhow::bail!("{from} to {destination}: {other}"),
        })
        .collect()
}

/// Waits until packets from a pod come out as wanted. An answer that is late on a busy machine is asked for again.
pub(super) async fn until_reached(test: &Scenario<'_>, what: &str, from: IpAddr, wanted: &Reached) -> Result<()> {
    let to: Vec<String> = wanted.keys().cloned().collect();
    wait::until(what, async || {
        let seen = probe(test, from, &to).await?;
        ensure!(seen == *wanted, "{what}: {seen:?}, and not {wanted:?}");
        Ok(())
    })
    .await
}

/// A policy for all pods of the namespace, or those with the label `app`.
fn policy(name: &str, app: Option<&str>, rules: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name},
        "spec": {"podSelector": {"matchLabels": {}}, "policyTypes": []},
    });
    if let Some(app) = app {
        object["spec"]["podSelector"]["matchLabels"] = json!({"app": app});
    }
    for (direction, kind) in [("ingress", "Ingress"), ("egress", "Egress")] {
        if rules.get(direction).is_some() {
            object["spec"][direction] = rules[direction].clone();
            if let Some(types) = object["spec"]["policyTypes"].as_array_mut() {
                types.push(json!(kind));
            }
        }
    }
    object
}

#[tokio::test]
async fn policies_bite_and_leave_probes_and_services_alone() -> Result<()> {
    scenario_on_a_node(async |test| {
        let _turn = super::NODE.lock().await;
        running(&test.client, &test.namespace, &server("web", "").replicas(1)).await?;
        let clients = ["friend", "stranger"].map(|name| pod(name, &json!({"app": name})));
        test.apply(&[service("web")]).await?;
        test.apply(&clients).await?;
        let pods = addresses(test, &test.namespace).await?;
        let (friend, stranger) = (pods["friend"], pods["stranger"]);
        let web = pods
            .iter()
            .find(|(name, _)| name.starts_with("web-"))
            .context("a pod of web")?;
        let direct = format!("tcp:{}:8080", web.1);
        let through = format!("tcp:{}", address(&test.client, &test.namespace, "web").await?);
        // TCP, because CoreDNS does not answer datagrams that are no question.
        let dns = "tcp:10.0.0.10:53".to_owned();
        let wanted = |web: bool, names: bool| -> Reached {
            [(direct.clone(), web), (through.clone(), web), (dns.clone(), names)].into()
        };
        for from in [friend, stranger] {
            until_reached(test, "without policies everything passes", from, &wanted(true, true)).await?;
        }

        test.apply(&[policy("deny", None, &json!({"ingress": [], "egress": []}))])
            .await?;
        enforced(test, &[&test.namespace]).await?;
        for from in [friend, stranger] {
            until_reached(test, "a denied pod reaches nothing", from, &wanted(false, false)).await?;
        }
        let allow = json!([{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"port": 8080}]}]);
        let out = json!([{"to": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]);
        test.apply(&[
            policy("web", Some("web"), &json!({"ingress": allow})),
            policy("friend", Some("friend"), &json!({"egress": out})),
        ])
        .await?;
        enforced(test, &[&test.namespace]).await?;
        until_reached(test, "what is allowed passes", friend, &wanted(true, false)).await?;
        until_reached(test, "and nobody else does", stranger, &wanted(false, false)).await?;
        let system = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}});
        let resolve = json!([{"to": [system], "ports": [{"port": 53}, {"port": 53, "protocol": "UDP"}]}]);
        test.apply(&[policy("dns", Some("friend"), &json!({"egress": resolve}))])
            .await?;
        enforced(test, &[&test.namespace]).await?;
        until_reached(test, "names resolve again", friend, &wanted(true, true)).await?;

        // The kubelet's probes come from the node: under the deny a pod still becomes ready.
        test.apply(&[pod("late", &json!({"app": "late"}))]).await?;
        addresses(test, &test.namespace).await?;
        for name in ["deny", "web", "friend", "dns"] {
            let gone = ["delete", "networkpolicy", name, "--namespace", &test.namespace];
            test.cluster.kubectl()?.run(&gone).await?;
        }
        enforced(test, &[&test.namespace]).await?;
        until_reached(
            test,
            "without policies everything passes again",
            stranger,
            &wanted(true, true),
        )
        .await
    })
    .await
}

/// The address of a pod that a policy did not think of is as closed as the other, and so is the protocol.
#[tokio::test]
async fn policies_bite_whatever_the_address_and_the_protocol() -> Result<()> {
    if skipped_for(
        module_path!(),
        "policies_bite_whatever_the_address_and_the_protocol",
        ipv6(),
    ) {
        return Ok(());
    }
    scenario_on_a_node(async |test| {
        let _turn = super::NODE.lock().await;
        let pods = ["web", "friend", "stranger"].map(|name| pod(name, &json!({"app": name})));
        test.apply(&pods).await?;
        let pods = all_addresses(test, &test.namespace).await?;
        let web = &pods["web"];
        ensure!(web.len() == 2 && web[0].is_ipv4() && web[1].is_ipv6(), "{web:?}");
        // What of all this passes.
        let wanted = |passes: fn(&str, IpAddr) -> bool| -> Reached {
            let connections = ["TCP", "UDP", "SCTP"].map(|protocol| web.iter().map(move |to| (protocol, *to)));
            let connections = connections.into_iter().flatten();
            connections
                .map(|(protocol, to)| (destination(protocol, to, 8080), passes(protocol, to)))
                .collect()
        };
        let everywhere = async |what, friend: &Reached, stranger: &Reached| {
            enforced(test, &[&test.namespace]).await?;
            until_reached(test, what, pods["friend"][0], friend).await?;
            until_reached(test, what, pods["stranger"][0], stranger).await
        };
        let (all, none) = (wanted(|_, _| true), wanted(|_, _| false));
        everywhere("without policies everything passes", &all, &all).await?;

        test.apply(&[policy("deny", Some("web"), &json!({"ingress": []}))])
            .await?;
        everywhere("a denied pod is reached by nothing", &none, &none).await?;

        let friend =
            json!([{"from": [{"podSelector": {"matchLabels": {"app": "friend"}}}], "ports": [{"protocol": "SCTP"}]}]);
        test.apply(&[policy("deny", Some("web"), &json!({"ingress": friend}))])
            .await?;
        let sctp = wanted(|protocol, _| protocol == "SCTP");
        everywhere("a protocol by itself, to both addresses", &sctp, &none).await?;

        let block = json!([{"from": [{"ipBlock": {"cidr": "fd00:10:244::/48"}}], "ports": [{"port": 8080}]}]);
        test.apply(&[policy("deny", Some("web"), &json!({"ingress": block}))])
            .await?;
        let six = wanted(|protocol, to| protocol == "TCP" && to.is_ipv6());
        everywhere("a block of one family says nothing about the other", &six, &six).await
    })
    .await
}

/// A pod's first packets come before anybody knows its address.
#[tokio::test]
async fn a_pod_that_just_started_gets_nothing_past_a_policy() -> Result<()> {
    scenario_on_a_node(async |test| {
        let _turn = super::NODE.lock().await;
        test.apply(&[pod("web", &json!({"app": "web"}))]).await?;
        let web = addresses(test, &test.namespace).await?["web"];
        test.apply(&[policy("deny", Some("hasty"), &json!({"egress": []}))])
            .await?;
        enforced(test, &[&test.namespace]).await?;
        let hasty: Vec<Value> = (0..5)
            .map(|number| hasty(&format!("hasty-{number}"), "hasty", web, "5s"))
            // Nothing restricts it, but its packets have to wait until it is known.
            .chain([hasty("free", "free", web, "2m")])
            .collect();
        test.apply(&hasty).await?;
        let pods: Api<Pod> = Api::namespaced(test.client.clone(), &test.namespace);
        let phases = wait::until_within(LONG, "all have tried", async || {
            let mut phases = BTreeMap::new();
            for pod in pods.list(&ListParams::default()).await?.items {
                let (name, status) = (pod.metadata.name.unwrap_or_default(), pod.status.unwrap_or_default());
                let phase = status.phase.unwrap_or_default();
                ensure!(
                    name == "web" || phase == "Failed" || phase == "Succeeded",
                    "{name} is {phase}"
                );
                phases.insert(name, phase);
            }
            Ok(phases)
        });
        let phases = phases.await?;
        let through: Vec<_> = phases
            .iter()
            .filter(|(_, phase)| *phase == "Succeeded")
            .map(|(name, _)| name)
            .collect();
        ensure!(through == ["free"], "who got through: {phases:?}");
        Ok(())
    })
    .await
}

/// A pod that dials in its first milliseconds and ends: well if somebody answers in time.
fn hasty(name: &str, app: &str, to: IpAddr, patience: &str) -> Value {
    let mut hasty = pod(name, &json!({"app": app}));
    hasty["spec"]["restartPolicy"] = json!("Never");
    let container = &mut hasty["spec"]["containers"][0];
    container["args"] = json!(["ask", format!("http://{to}:8080/"), patience]);
    container["readinessProbe"] = Value::Null;
    container["ports"] = json!([]);
    hasty
}
