//! Worlds that chance makes: pods, Services and policies. Real packets, the enforcer's reading of the policies, and what
//! `ironside reach` says about the cluster have to agree, connection by connection, on each of a pod's addresses.
//!
//! The pods stay the same; their labels and the policies change.

use std::net::IpAddr;

use anyhow::{Context as _, Result, ensure};
use futures::future::try_join_all;
use ironside_e2e::chance::Chance;
use ironside_e2e::node::policies::{Enforced, Intent, Transport, World};
use ironside_e2e::progress::say;
use ironside_e2e::scenario::scenario_on_a_node;
use ironside_e2e::{Scenario, wait};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};

use super::policies::{Reached, all_addresses, destination, enforced, pod, probe};
use super::said::Said;

/// How many worlds, one for each seed from 0.
const WORLDS: u64 = 24;
/// Pods of the two namespaces.
const PODS: [&[&str]; 2] = [&["web", "api", "db"], &["job", "ops"]];
const APPS: [&str; 3] = ["web", "api", "db"];
const TIERS: [&str; 2] = ["front", "back"];
/// What is tried: ports where servers listen, where nobody does, and one within a range only. To datagrams the servers answer at 8080.
const CONNECTIONS: [(Transport, &str, u16); 7] = [
    (Transport::Tcp, "TCP", 8080),
    (Transport::Tcp, "TCP", 8081),
    (Transport::Tcp, "TCP", 9000),
    (Transport::Tcp, "TCP", 22),
    (Transport::Udp, "UDP", 8080),
    (Transport::Sctp, "SCTP", 8080),
    (Transport::Sctp, "SCTP", 9000),
];

/// A pod with its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Somebody {
    namespace: String,
    name: String,
    /// One of each family that the kernel has, IPv4 first.
    addresses: Vec<IpAddr>,
    /// Address and port of a Service that has only this pod, and leads to its port 8080.
    service: String,
}

#[tokio::test]
async fn packets_agree_with_the_policies_and_with_what_ironside_says() -> Result<()> {
    scenario_on_a_node(async |test| {
        let _turn = super::NODE.lock().await;
        let other = test.cluster.namespace(&test.client, "worlds-other").await?;
        let namespaces = [test.namespace.clone(), other.clone()];
        let everybody = populate(test, &namespaces).await?;
        let (mut compared, mut cut, mut certain) = (0, 0, 0);
        for seed in 0..WORLDS {
            let mut chance = Chance::of(seed);
            let made = shape(test, &everybody, &namespaces, &mut chance).await?;
            let counts = agree(test, &everybody, &namespaces)
                .await
                .with_context(|| format!("world of seed {seed}: {made:#?}"))?;
            compared += counts.compared;
            cut += counts.cut;
            certain += counts.certain;
        }
        say(&format!(
            "{WORLDS} worlds: {compared} connections, {cut} of them cut; of {certain} Ironside was certain"
        ));
        // Neither everything nor nothing: else this would prove nothing.
        ensure!(
            cut * 10 > compared && cut * 10 < compared * 9,
            "{cut} of {compared} were cut"
        );
        ensure!(certain * 10 > compared * 7, "certain of {certain} of {compared} only");
        test.cluster.drop_namespace(&test.client, &other).await
    })
    .await
}

/// Pods and, for each, a Service of its own.
async fn populate(test: &Scenario<'_>, namespaces: &[String; 2]) -> Result<Vec<Somebody>> {
    let mut objects = Vec::new();
    for (namespace, names) in namespaces.iter().zip(PODS) {
        for name in names {
            let mut pod = pod(name, &json!({"pod": name}));
            pod["metadata"]["namespace"] = json!(namespace);
            let service = json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": namespace},
                "spec": {"selector": {"pod": name}, "ports": [{"port": 80, "targetPort": "http"}]},
            });
            objects.extend([pod, service]);
        }
    }
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let kubectl = test.cluster.kubectl()?;
    kubectl
        .run_with_input(&["apply", "--server-side", "-f", "-"], &list)
        .await?;
    let mut everybody = Vec::new();
    for namespace in namespaces {
        let services: Api<k8s_openapi::api::core::v1::Service> = Api::namespaced(test.client.clone(), namespace);
        for (name, addresses) in all_addresses(test, namespace).await? {
            let spec = services.get(&name).await?.spec.context("a Service has a spec")?;
            let service = format!("{}:80", spec.cluster_ip.context("an address")?);
            everybody.push(Somebody {
                namespace: namespace.clone(),
                name,
                addresses,
                service,
            });
        }
    }
    Ok(everybody)
}

/// Gives every pod and namespace new labels, and replaces all policies; returns what was made.
async fn shape(
    test: &Scenario<'_>,
    everybody: &[Somebody],
    namespaces: &[String; 2],
    chance: &mut Chance,
) -> Result<Vec<Value>> {
    let mut made = Vec::new();
    for somebody in everybody {
        let pods: Api<Pod> = Api::namespaced(test.client.clone(), &somebody.namespace);
        let tier = if chance.below(3) == 0 {
            Value::Null
        } else {
            json!(one(&TIERS, chance))
        };
        let patch = json!({"metadata": {"labels": {"app": one(&APPS, chance), "tier": tier}}});
        pods.patch(&somebody.name, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        made.push(json!({"pod": somebody.name, "labels": patch["metadata"]["labels"]}));
    }
    for namespace in namespaces {
        let all: Api<Namespace> = Api::all(test.client.clone());
        let patch = json!({"metadata": {"labels": {"team": one(&["one", "two"], chance)}}});
        all.patch(namespace, &PatchParams::default(), &Patch::Merge(&patch))
            .await?;
        let policies: Api<NetworkPolicy> = Api::namespaced(test.client.clone(), namespace);
        policies
            .delete_collection(&DeleteParams::default(), &ListParams::default())
            .await?;
        for number in 0..=chance.below(3) {
            let spec = policy(everybody, chance);
            let object = json!({"metadata": {"name": format!("policy-{number}")}, "spec": spec});
            policies
                .create(&PostParams::default(), &serde_json::from_value(object)?)
                .await?;
            made.push(json!({"namespace": namespace, "labels": patch["metadata"]["labels"], "spec": spec}));
        }
    }
    let places: Vec<&str> = namespaces.iter().map(String::as_str).collect();
    enforced(test, &places).await?;
    wait::until("the labels are known", async || {
        let seen = Enforced::read(&test.cluster.node()?.enforced)?;
        for namespace in namespaces {
            let pods: Api<Pod> = Api::namespaced(test.client.clone(), namespace);
            for pod in pods.list(&ListParams::default()).await?.items {
                let address: IpAddr = pod
                    .status
                    .clone()
                    .and_then(|it| it.pod_ip)
                    .context("an address")?
                    .parse()?;
                ensure!(
                    seen.pods.get(&address) == Some(pod.labels()),
                    "those of {} are not",
                    pod.name_any()
                );
            }
            let all: Api<Namespace> = Api::all(test.client.clone());
            ensure!(
                seen.namespaces.get(namespace) == Some(all.get(namespace).await?.labels()),
                "{namespace}"
            );
        }
        Ok(())
    })
    .await?;
    Ok(made)
}

fn one<'a>(of: &[&'a str], chance: &mut Chance) -> &'a str {
    of[chance.below(of.len())]
}

fn policy(everybody: &[Somebody], chance: &mut Chance) -> Value {
    let types = match chance.below(5) {
        0 => json!(["Egress"]),
        1 => json!(["Ingress", "Egress"]),
        2 => Value::Null,
        _ => json!(["Ingress"]),
    };
    let rules = |peers: &str, chance: &mut Chance| -> Vec<Value> {
        let rule = |chance: &mut Chance| {
            let mut rule = json!({});
            if chance.below(5) > 0 {
                rule[peers] = (0..=chance.below(2)).map(|_| peer(everybody, chance)).collect();
            }
            if chance.below(3) > 0 {
                rule["ports"] = (0..=chance.below(2)).map(|_| port(chance)).collect();
            }
            rule
        };
        (0..chance.below(3)).map(|_| rule(chance)).collect()
    };
    let mut spec = json!({"podSelector": selector(chance), "ingress": rules("from", chance)});
    // Without types, rules about egress would make it one about egress.
    if types.as_array().is_none_or(|types| types.contains(&json!("Egress"))) {
        spec["egress"] = json!(rules("to", chance));
    }
    if !types.is_null() {
        spec["policyTypes"] = types;
    }
    spec
}

fn selector(chance: &mut Chance) -> Value {
    match chance.below(6) {
        0 => json!({}),
        1 => json!({"matchLabels": {"tier": one(&TIERS, chance)}}),
        2 => json!({"matchExpressions": [
            {"key": "app", "operator": one(&["In", "NotIn"], chance), "values": [one(&APPS, chance), one(&APPS, chance)]},
        ]}),
        3 => json!({"matchExpressions": [{"key": "tier", "operator": one(&["Exists", "DoesNotExist"], chance)}]}),
        _ => json!({"matchLabels": {"app": one(&APPS, chance)}}),
    }
}

fn peer(everybody: &[Somebody], chance: &mut Chance) -> Value {
    let team = json!({"matchLabels": {"team": one(&["one", "two"], chance)}});
    let somebody = |chance: &mut Chance| format!("{}/32", everybody[chance.below(everybody.len())].addresses[0]);
    let six = |chance: &mut Chance| {
        let address = everybody[chance.below(everybody.len())].addresses.get(1);
        address.map(|address| format!("{address}/128"))
    };
    match chance.below(10) {
        0 => json!({"namespaceSelector": {}}),
        1 => json!({"namespaceSelector": team}),
        2 => json!({"namespaceSelector": team, "podSelector": selector(chance)}),
        3 => json!({"ipBlock": {"cidr": "10.244.0.0/16", "except": [somebody(chance), somebody(chance)]}}),
        4 => json!({"ipBlock": {"cidr": somebody(chance)}}),
        5 => json!({"ipBlock": {"cidr": "fd00:10:244::/48", "except": six(chance).into_iter().collect::<Vec<_>>()}}),
        6 => json!({"ipBlock": {"cidr": one(&["0.0.0.0/0", "::/0"], chance)}}),
        _ => json!({"podSelector": selector(chance)}),
    }
}

fn port(chance: &mut Chance) -> Value {
    match chance.below(9) {
        0 => json!({"port": "http"}),
        6 => json!({"protocol": "SCTP"}),
        7 => json!({"port": 8080, "endPort": 8090, "protocol": "SCTP"}),
        1 => json!({"port": "dns", "protocol": "UDP"}),
        2 => json!({"port": 8081, "endPort": 9000}),
        3 => json!({"protocol": "UDP"}),
        4 => json!({"port": "nobody"}),
        5 => json!({"port": 22}),
        _ => json!({"port": 8080}),
    }
}

/// What was compared in one world.
struct Counts {
    compared: usize,
    cut: usize,
    certain: usize,
}

async fn agree(test: &Scenario<'_>, everybody: &[Somebody], namespaces: &[String; 2]) -> Result<Counts> {
    let intent = Intent::of(&world(test, namespaces).await?)?;
    let wanted: Vec<(IpAddr, Reached)> = everybody
        .iter()
        .map(|from| (from.addresses[0], meant(&intent, from, everybody)))
        .collect();
    wait::until("packets do what the policies say", async || {
        let probes = wanted.iter().map(async |(from, wanted)| {
            let to: Vec<String> = wanted.keys().cloned().collect();
            let seen = probe(test, *from, &to).await?;
            let other: Vec<_> = seen
                .iter()
                .filter(|(to, passed)| wanted.get(*to) != Some(passed))
                .collect();
            ensure!(
                other.is_empty() && seen.len() == wanted.len(),
                "from {from}: {other:?} are not as meant"
            );
            Ok(())
        });
        try_join_all(probes).await.map(drop)
    })
    .await?;
    // From here on `wanted` is what packets did.
    let said = Said::ask(test).await?;
    let mut counts = Counts {
        compared: 0,
        cut: 0,
        certain: 0,
    };
    let pod = |it: &Somebody| format!("Pod {}/{}", it.namespace, it.name);
    for from in everybody {
        for to in everybody.iter().filter(|to| *to != from) {
            for (transport, protocol, port) in CONNECTIONS {
                let (surely, perhaps) = said.lets(&pod(from), &pod(to), protocol, port)?;
                for (one, other) in from.addresses.iter().zip(&to.addresses) {
                    let passed = intent.lets(*one, *other, transport, port);
                    counts.compared += 1;
                    counts.cut += usize::from(!passed);
                    counts.certain += usize::from(surely == perhaps);
                    let what = || format!("{} ({one}) to {} ({other}), {protocol} {port}", from.name, to.name);
                    ensure!(!surely || passed, "{}: Ironside says it passes, and it is cut", what());
                    ensure!(!passed || perhaps, "{}: Ironside says it is cut, and it passes", what());
                }
            }
        }
    }
    Ok(counts)
}

/// What the policies want of somebody's packets: to all others, directly and through their Services.
fn meant(intent: &Intent, from: &Somebody, everybody: &[Somebody]) -> Reached {
    let mut meant = Reached::new();
    for to in everybody.iter().filter(|to| *to != from) {
        for (one, other) in from.addresses.iter().zip(&to.addresses) {
            for (transport, protocol, port) in CONNECTIONS {
                let passes = intent.lets(*one, *other, transport, port);
                meant.insert(destination(protocol, *other, port), passes);
            }
        }
        let passes = intent.lets(from.addresses[0], to.addresses[0], Transport::Tcp, 8080);
        meant.insert(format!("tcp:{}", to.service), passes);
    }
    meant
}

/// The two namespaces as the API server has them.
async fn world(test: &Scenario<'_>, namespaces: &[String; 2]) -> Result<World> {
    let (mut pods, mut policies, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for namespace in namespaces {
        let all: Api<Namespace> = Api::all(test.client.clone());
        own.push(all.get(namespace).await?);
        let of: Api<Pod> = Api::namespaced(test.client.clone(), namespace);
        pods.extend(of.list(&ListParams::default()).await?.items);
        let of: Api<NetworkPolicy> = Api::namespaced(test.client.clone(), namespace);
        policies.extend(of.list(&ListParams::default()).await?.items);
    }
    Ok(World::of(&pods, &own, &policies))
}
