//! The API reference of `NetworkPolicy`, sentence by sentence, and the ruleset that comes of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ruleset::ruleset;
use super::{Block, Intent, Transport, World};

const WEB: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 2));
const API: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 3));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 244, 1, 4));
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 7));
/// The other address of `api`.
const API_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x244, 1, 0, 0, 0, 3));
const WEB_6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0x244, 1, 0, 0, 0, 2));

/// The node's range with its own address in it.
fn own() -> (Block, IpAddr) {
    (
        Block::parse("10.244.1.0/24").unwrap(),
        IpAddr::V4(Ipv4Addr::new(10, 244, 1, 1)),
    )
}

fn read<T: DeserializeOwned>(object: Value) -> T {
    serde_json::from_value(object).unwrap()
}

fn pod(namespace: &str, name: &str, address: IpAddr) -> Pod {
    read(json!({
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}},
        "spec": {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"podIP": address.to_string(), "phase": "Running"},
    }))
}

/// Two pods of `shop`, one of `billing`, and policies of `shop`.
fn world(policies: &[Value]) -> World {
    let pods = [
        pod("shop", "web", WEB),
        pod("shop", "api", API),
        pod("billing", "web", OTHER),
    ];
    let namespaces = ["shop", "billing"]
        .map(|name| read::<Namespace>(json!({"metadata": {"name": name, "labels": {"team": name}}})));
    let policies: Vec<NetworkPolicy> = policies
        .iter()
        .map(|spec| read(json!({"metadata": {"name": "it", "namespace": "shop"}, "spec": spec})))
        .collect();
    World::of(&pods, &namespaces, &policies)
}

/// Who of the other three reaches `api` on a TCP port.
fn reaching_api(policies: &[Value], port: u16) -> Vec<&'static str> {
    let intent = Intent::of(&world(policies)).unwrap();
    let all = [("web", WEB), ("other", OTHER), ("outside", OUTSIDE)];
    let reaches = |from| intent.lets(from, API, Transport::Tcp, port);
    all.into_iter()
        .filter(|(_, from)| reaches(*from))
        .map(|(name, _)| name)
        .collect()
}

fn for_api(ingress: &Value) -> Value {
    json!({"podSelector": {"matchLabels": {"app": "api"}}, "ingress": ingress})
}

#[test]
fn without_a_policy_everything_passes() {
    assert_eq!(reaching_api(&[], 1), ["web", "other", "outside"]);
}

#[test]
fn a_selected_pod_gets_what_its_rules_say_and_their_union() {
    let none: [&str; 0] = [];
    assert_eq!(reaching_api(&[json!({"podSelector": {}})], 80), none);
    assert_eq!(reaching_api(&[for_api(&json!([{}]))], 80), ["web", "other", "outside"]);
    let of_shop = for_api(&json!([{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}]));
    assert_eq!(reaching_api(std::slice::from_ref(&of_shop), 80), ["web"]);
    assert_eq!(reaching_api(std::slice::from_ref(&of_shop), 81), none);
    let of_billing = for_api(&json!([{"from": [{"namespaceSelector": {"matchLabels": {"team": "billing"}}}]}]));
    assert_eq!(reaching_api(&[of_shop, of_billing], 80), ["web", "other"]);
    let both = json!({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "api"}}});
    assert_eq!(reaching_api(&[for_api(&json!([{"from": [both]}]))], 80), none);
}

#[test]
fn blocks_have_holes_and_ports_have_names_and_ends() {
    let none: [&str; 0] = [];
    let block = json!({"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.1.4/32", "10.244.1.2/32"]}});
    assert_eq!(reaching_api(&[for_api(&json!([{"from": [block]}]))], 80), ["outside"]);
    let six = json!({"ipBlock": {"cidr": "::/0"}});
    assert_eq!(reaching_api(&[for_api(&json!([{"from": [six]}]))], 80), none);
    let named = for_api(&json!([{"ports": [{"port": "http"}, {"port": 90, "endPort": 95}, {"protocol": "UDP"}]}]));
    for (port, passes) in [
        (8080, true),
        (8081, false),
        (89, false),
        (90, true),
        (95, true),
        (96, false),
    ] {
        assert_eq!(
            !reaching_api(std::slice::from_ref(&named), port).is_empty(),
            passes,
            "{port}"
        );
    }
    let intent = Intent::of(&world(&[named])).unwrap();
    assert!(intent.lets(WEB, API, Transport::Udp, 53), "every port of a protocol");
    assert!(!intent.lets(WEB, API, Transport::Sctp, 53));
}

#[test]
fn types_say_which_directions_are_isolated() {
    let spec = |types: Value, egress: Value| json!({"podSelector": {}, "policyTypes": types, "egress": egress});
    let lets = |spec: Value, from, to| {
        Intent::of(&world(&[spec]))
            .unwrap()
            .lets(from, to, Transport::Tcp, 8080)
    };
    assert!(lets(spec(json!(["Egress"]), json!([])), OTHER, API));
    assert!(!lets(spec(json!(["Egress"]), json!([])), API, OTHER));
    assert!(
        !lets(spec(Value::Null, json!([])), OTHER, API),
        "without types: ingress"
    );
    assert!(
        lets(spec(Value::Null, json!([])), API, OTHER),
        "and egress only where there are rules"
    );
    let named = json!([{"ports": [{"port": "http"}]}]);
    assert!(
        lets(spec(json!(["Egress"]), named.clone()), API, OTHER),
        "the name is that of the pod that is reached"
    );
    assert!(
        !lets(spec(json!(["Egress"]), named), API, OUTSIDE),
        "nobody outside declares it"
    );
    assert!(
        lets(spec(json!(["Ingress", "Egress"]), json!([])), API, API),
        "a pod reaches itself"
    );
}

#[test]
fn pods_that_ended_or_use_the_nodes_network_have_no_address() {
    let mut ended = pod("shop", "api", API);
    ended.status.as_mut().unwrap().phase = Some("Succeeded".to_owned());
    let mut host = pod("shop", "web", WEB);
    host.spec.as_mut().unwrap().host_network = Some(true);
    assert!(World::of([&ended, &host], [], []).addresses().is_empty());
}

#[test]
fn an_address_is_of_the_pod_that_stays() {
    let mut leaving = pod("shop", "api", API);
    leaving.metadata.deletion_timestamp = Some(read(json!("2026-01-01T00:00:00Z")));
    let next = pod("billing", "web", API);
    for pods in [[&leaving, &next], [&next, &leaving]] {
        assert_eq!(World::of(pods, [], []).pods[&API].namespace, "billing");
    }
}

#[test]
fn the_ruleset_is_one_table_that_replaces_itself() {
    let spec = json!({
        "podSelector": {"matchLabels": {"app": "api"}}, "policyTypes": ["Ingress", "Egress"],
        "ingress": [
            {"from": [{"podSelector": {"matchLabels": {"app": "web"}}}], "ports": [{"port": 80, "endPort": 90}]},
            {"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], "ports": [{"protocol": "UDP"}]},
        ],
    });
    let world = world(&[spec]);
    let text = ruleset(&world, &Intent::of(&world).unwrap(), &[own()]);
    let wanted = "\
table inet ironside_policies
delete table inet ironside_policies
table inet ironside_policies {
  chain in_10.244.1.3 {
    ip saddr 10.244.1.3 return
    ip saddr { 10.244.1.2 } tcp dport 80-90 return
    ip saddr 10.0.0.0/8 ip saddr != 10.1.0.0/16 meta l4proto udp return
    counter drop
  }
  chain out_10.244.1.3 {
    ip daddr 10.244.1.3 return
    counter drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ct state established,related accept
    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
    ip6 saddr fe80::/10 counter drop
    ip saddr 10.244.1.0/24 ip saddr != { 10.244.1.2, 10.244.1.3, 10.244.1.4, 10.244.1.1 } counter drop
    ip saddr vmap { 10.244.1.3 : jump out_10.244.1.3 }
    ip daddr 10.244.1.0/24 ip daddr != { 10.244.1.2, 10.244.1.3, 10.244.1.4, 10.244.1.1 } counter drop
    ip daddr vmap { 10.244.1.3 : jump in_10.244.1.3 }
  }
  chain input {
    type filter hook input priority filter; policy accept;
    ct state established,related accept
    icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } accept
    ip saddr 10.244.1.0/24 ip saddr != { 10.244.1.2, 10.244.1.3, 10.244.1.4, 10.244.1.1 } counter drop
    ip saddr vmap { 10.244.1.3 : jump out_10.244.1.3 }
  }
}
";
    assert_eq!(text, wanted);
    // The pods that a policy is about may be the next to come.
    let coming = self::world(&[json!({"podSelector": {"matchLabels": {"app": "late"}}, "policyTypes": ["Egress"]})]);
    let text = ruleset(&coming, &Intent::of(&coming).unwrap(), &[own()]);
    assert_eq!(text.matches("ip saddr != {").count(), 2, "{text}");
    assert!(!text.contains("vmap") && !text.contains("daddr"), "{text}");
    let free = self::world(&[]);
    let text = ruleset(&free, &Intent::of(&free).unwrap(), &[own()]);
    assert!(
        !text.contains("10.244"),
        "where nothing is isolated nobody waits:\n{text}"
    );
}

/// Selectors mean a pod by all its addresses, blocks only those of their family.
#[test]
fn each_address_of_a_pod_stands_for_it() {
    let both = |name: &str, four: IpAddr, six: IpAddr| {
        let mut pod = pod("shop", name, four);
        let all = json!([{"ip": four.to_string()}, {"ip": six.to_string()}]);
        pod.status.as_mut().unwrap().pod_ips = read(all);
        pod
    };
    let pods = [both("web", WEB, WEB_6), both("api", API, API_6)];
    let policy = |ingress: Value| -> NetworkPolicy {
        read(json!({"metadata": {"name": "it", "namespace": "shop"}, "spec": for_api(&ingress)}))
    };
    let lets = |ingress: Value| {
        let world = World::of(&pods, [], [&policy(ingress)]);
        let intent = Intent::of(&world).unwrap();
        [(WEB, API), (WEB_6, API_6)].map(|(from, to)| intent.lets(from, to, Transport::Tcp, 80))
    };
    assert_eq!(lets(json!([])), [false, false]);
    assert_eq!(
        lets(json!([{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}])),
        [true, true]
    );
    assert_eq!(
        lets(json!([{"from": [{"ipBlock": {"cidr": "0.0.0.0/0"}}]}])),
        [true, false]
    );
    assert_eq!(lets(json!([{"from": [{"ipBlock": {"cidr": "::/0"}}]}])), [false, true]);

    let mixed = json!([{"from": [{"podSelector": {}}, {"ipBlock": {"cidr": "::/0", "except": ["fd00::/16"]}}]}]);
    let world = World::of(&pods, [], [&policy(mixed)]);
    let six = (
        Block::parse("fd00:10:244:1::/64").unwrap(),
        "fd00:10:244:1::1".parse().unwrap(),
    );
    let text = ruleset(&world, &Intent::of(&world).unwrap(), &[own(), six]);
    for wanted in [
        "  chain in_10.244.1.3 {\n    ip saddr 10.244.1.3 return\n    ip saddr { 10.244.1.2, 10.244.1.3 } return\n    counter drop\n",
        "  chain in_fd00_10_244_1__3 {\n    ip6 saddr fd00:10:244:1::3 return\n    ip6 saddr { fd00:10:244:1::2, fd00:10:244:1::3 } return\n    \
         ip6 saddr ::/0 ip6 saddr != fd00::/16 return\n",
        "    ip daddr vmap { 10.244.1.3 : jump in_10.244.1.3 }\n    ip6 daddr vmap { fd00:10:244:1::3 : jump in_fd00_10_244_1__3 }\n",
        "    ip6 daddr fd00:10:244:1::/64 ip6 daddr != { fd00:10:244:1::2, fd00:10:244:1::3, fd00:10:244:1::1 } counter drop\n",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}
