//! Generated clusters: small, with few labels and ports, so that policies, Services and pods often meet.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::naive::End;

const APPS: [&str; 3] = ["web", "api", "db"];
const TIERS: [&str; 2] = ["front", "back"];
const PORT_NAMES: [&str; 2] = ["http", "metrics"];
const NUMBERS: [u16; 3] = [80, 8080, 9090];
const PROTOCOLS: [&str; 2] = ["TCP", "UDP"];

/// Namespaces of every world; `shop` is the one that is planned.
const NAMESPACES: [(&str, &str); 3] = [("shop", "one"), ("other", "one"), ("far", "two")];

/// A cluster: namespaces, pods and Deployments, Services, Ingresses, and policies of the team in `shop`.
pub(super) fn world() -> impl Strategy<Value = Vec<Value>> {
    let pods = prop::collection::vec(pod(), 1..7);
    let services = prop::collection::vec(service(), 0..4);
    let policies = prop::collection::vec(policy(), 0..3);
    (pods, services, policies, any::<bool>()).prop_map(|(pods, services, policies, ingress)| {
        let named = |kind: &'static str| {
            move |(i, mut object): (usize, Value)| {
                object["metadata"]["name"] = json!(format!("{kind}-{i}"));
                object
            }
        };
        let namespaces = NAMESPACES.map(|(name, team)| {
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "uid": name, "labels": {"team": team}}})
        });
        let ingress = ingress.then(|| {
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "way-in", "namespace": "shop"},
                "spec": {"defaultBackend": {"service": {"name": "service-0", "port": {"number": 1000}}}},
            })
        });
        namespaces
            .into_iter()
            .chain(pods.into_iter().enumerate().map(named("pod")))
            .chain(services.into_iter().enumerate().map(named("service")))
            .chain(policies.into_iter().enumerate().map(named("policy")))
            .chain(ingress)
            .collect()
    })
}

fn labels() -> impl Strategy<Value = Value> {
    (
        prop::option::of(select(&APPS[..])),
        prop::option::of(select(&TIERS[..])),
    )
        .prop_map(|(app, tier)| {
            let mut labels = json!({});
            labels
                .as_object_mut()
                .unwrap()
                .extend(app.map(|app| ("app".to_owned(), json!(app))));
            labels
                .as_object_mut()
                .unwrap()
                .extend(tier.map(|tier| ("tier".to_owned(), json!(tier))));
            labels
        })
}

/// A bare pod, a Deployment without pods yet, or a pod that a custom resource runs.
fn pod() -> impl Strategy<Value = Value> {
    let ports = prop::collection::vec(declared_port(), 0..3);
    let place = prop_oneof![3 => Just("shop"), 1 => Just("other"), 1 => Just("far")];
    (place, labels(), ports, prop::bool::weighted(0.1), 0..3_u8, any::<bool>()).prop_map(
        |(namespace, labels, mut ports, host_network, kind, scraped)| {
            ports.dedup_by(|a, b| a["name"] == b["name"] || a["containerPort"] == b["containerPort"]);
            let annotations = if scraped { json!({"prometheus.io/scrape": "true"}) } else { json!({}) };
            let spec = json!({"hostNetwork": host_network, "containers": [{"name": "c", "image": "i", "ports": ports}]});
            let meta = json!({"labels": labels, "annotations": annotations});
            let mut object = if kind == 0 {
                json!({
                    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {},
                    "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": meta, "spec": spec}},
                })
            } else {
                json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
            };
            if kind == 2 {
                let owner = json!({"apiVersion": "db.example/v1", "kind": "Cluster", "name": "c", "uid": "c", "controller": true});
                object["metadata"]["ownerReferences"] = json!([owner]);
            }
            object["metadata"]["namespace"] = json!(namespace);
            object
        },
    )
}

fn declared_port() -> impl Strategy<Value = Value> {
    (
        prop::option::of(select(&PORT_NAMES[..])),
        select(&NUMBERS[..]),
        select(&PROTOCOLS[..]),
    )
        .prop_map(|(name, number, protocol)| json!({"name": name, "containerPort": number, "protocol": protocol}))
}

fn service() -> impl Strategy<Value = Value> {
    let target = prop_oneof![
        select(&NUMBERS[..]).prop_map(|number| json!(number)),
        select(&PORT_NAMES[..]).prop_map(|name| json!(name)),
        Just(Value::Null),
    ];
    let kind = select(
        &[
            "ClusterIP",
            "ClusterIP",
            "ClusterIP",
            "NodePort",
            "LoadBalancer",
            "ExternalName",
        ][..],
    );
    let ports = prop::collection::vec((target, select(&PROTOCOLS[..])), 1..3);
    (labels(), kind, ports, prop::bool::weighted(0.2)).prop_map(|(selector, kind, ports, headless)| {
        let ports: Vec<Value> = ports
            .into_iter()
            .zip([1000, 8080])
            .map(|((target, protocol), port)| json!({"port": port, "targetPort": target, "protocol": protocol}))
            .collect();
        let mut service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "shop"},
            "spec": {"type": kind, "selector": selector, "ports": ports},
        });
        if headless && kind == "ClusterIP" {
            service["spec"]["clusterIP"] = json!("None");
        }
        service
    })
}

/// A policy of the team.
pub(super) fn policy() -> impl Strategy<Value = Value> {
    let types = prop_oneof![
        4 => Just(json!(["Ingress"])),
        1 => Just(json!(["Egress"])),
        1 => Just(json!(["Ingress", "Egress"])),
        1 => Just(Value::Null),
    ];
    (selector(), types, prop::collection::vec(rule(), 0..3)).prop_map(|(selector, types, rules)| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"namespace": "shop"},
            "spec": {"podSelector": selector, "policyTypes": types, "ingress": rules},
        })
    })
}

fn selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => labels().prop_map(|labels| json!({"matchLabels": labels})),
        1 => Just(json!({})),
        1 => (select(&["In", "NotIn"][..]), subsequence(APPS.to_vec(), 1..3))
            .prop_map(|(operator, apps)| json!({"matchExpressions": [{"key": "app", "operator": operator, "values": apps}]})),
        1 => select(&["Exists", "DoesNotExist"][..])
            .prop_map(|operator| json!({"matchExpressions": [{"key": "tier", "operator": operator}]})),
    ]
}

fn rule() -> impl Strategy<Value = Value> {
    let ports = prop::collection::vec(rule_port(), 1..3);
    let peers = prop::collection::vec(peer(), 1..3);
    (prop::option::of(peers), prop::option::of(ports)).prop_map(|(peers, ports)| {
        let mut rule = json!({});
        rule.as_object_mut()
            .unwrap()
            .extend(peers.map(|peers| ("from".to_owned(), json!(peers))));
        rule.as_object_mut()
            .unwrap()
            .extend(ports.map(|ports| ("ports".to_owned(), json!(ports))));
        rule
    })
}

fn rule_port() -> impl Strategy<Value = Value> {
    let protocol = prop::option::of(select(&PROTOCOLS[..]));
    prop_oneof![
        (select(&NUMBERS[..]), protocol.clone())
            .prop_map(|(port, protocol)| json!({"port": port, "protocol": protocol})),
        (select(&PORT_NAMES[..]), protocol.clone())
            .prop_map(|(port, protocol)| json!({"port": port, "protocol": protocol})),
        protocol.prop_map(|protocol| json!({"port": 8000, "endPort": 9090, "protocol": protocol})),
        select(&PROTOCOLS[..]).prop_map(|protocol| json!({"protocol": protocol})),
    ]
}

fn peer() -> impl Strategy<Value = Value> {
    let teams = select(&["one", "two", "none"][..]).prop_map(|team| json!({"matchLabels": {"team": team}}));
    let namespaces = prop_oneof![teams, Just(json!({}))];
    let blocks = select(&["0.0.0.0/0", "10.0.0.0/8", "::/0"][..]);
    prop_oneof![
        selector().prop_map(|pods| json!({"podSelector": pods})),
        namespaces
            .clone()
            .prop_map(|namespaces| json!({"namespaceSelector": namespaces})),
        (selector(), namespaces)
            .prop_map(|(pods, namespaces)| json!({"podSelector": pods, "namespaceSelector": namespaces})),
        (blocks, any::<bool>()).prop_map(|(cidr, except)| match (cidr, except) {
            ("0.0.0.0/0", true) => json!({"ipBlock": {"cidr": cidr, "except": ["10.1.0.0/16"]}}),
            _ => json!({"ipBlock": {"cidr": cidr}}),
        }),
    ]
}

/// Every pod, or pod that a template would give, by its namespace.
pub(super) fn pods(world: &[Value]) -> Vec<End> {
    let pods = world
        .iter()
        .filter_map(|object| match object["kind"].as_str().unwrap() {
            "Pod" => Some((object, object)),
            "Deployment" => Some((object, &object["spec"]["template"])),
            _ => None,
        });
    pods.map(|(object, pod)| {
        let namespace = object["metadata"]["namespace"].as_str().unwrap();
        let (_, team) = NAMESPACES.iter().find(|(name, _)| *name == namespace).unwrap();
        let ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap();
        let ports = ports.iter().map(|port| {
            let text = |key: &str| port[key].as_str().unwrap_or_default().to_owned();
            (
                text("name"),
                text("protocol"),
                u16::try_from(port["containerPort"].as_u64().unwrap()).unwrap(),
            )
        });
        End::Pod {
            namespace: namespace.to_owned(),
            namespace_labels: json!({"team": team, "kubernetes.io/metadata.name": namespace}),
            labels: pod["metadata"]["labels"].clone(),
            ports: ports.collect(),
            host_network: pod["spec"]["hostNetwork"] == true,
        }
    })
    .collect()
}

/// Sources that no pod is.
pub(super) fn outside() -> Vec<End> {
    vec![
        End::Node,
        End::V4([203, 0, 113, 7]),
        End::V4([10, 1, 2, 3]),
        End::V4([10, 200, 0, 1]),
        End::V6,
    ]
}

/// Ports around every edge that the worlds have, and a protocol without ports.
pub(super) fn wires() -> Vec<(&'static str, u16)> {
    let ports = [
        1, 79, 80, 81, 1000, 7999, 8000, 8080, 8081, 8089, 9089, 9090, 9091, 65535,
    ];
    let wires = ["TCP", "UDP", "SCTP"]
        .into_iter()
        .flat_map(|protocol| ports.map(|port| (protocol, port)));
    wires.chain([("ICMP", 0)]).collect()
}
