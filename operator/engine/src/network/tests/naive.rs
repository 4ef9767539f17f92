//! NetworkPolicy semantics, written down a second time: straight from the API reference, over raw JSON, one connection at a time. Shares nothing with the module.

use serde_json::Value;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(super) enum End {
    Pod {
        namespace: String,
        namespace_labels: Value,
        labels: Value,
        /// Declared ports: (name, protocol, number).
        ports: Vec<(String, String, u16)>,
        host_network: bool,
    },
    Node,
    /// IPv4 outside.
    V4([u8; 4]),
    /// IPv6 outside; only ever inside `::/0`.
    V6,
}

/// Whether `ipBlock`s match pods and nodes: never, or always.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blocks {
    OutsideOnly,
    Everything,
}

/// Whether the policies allow a connection in one direction. `port` 0 stands for a protocol without ports.
pub(super) fn allows(
    policies: &[Value],
    ingress: bool,
    from: &End,
    to: &End,
    (protocol, port): (&str, u16),
    blocks: Blocks,
) -> bool {
    let (subject, peer) = if ingress { (to, from) } else { (from, to) };
    let End::Pod {
        namespace,
        labels,
        host_network: false,
        ..
    } = subject
    else {
        return true;
    };
    let direction = if ingress { "Ingress" } else { "Egress" };
    let selecting: Vec<&Value> = policies
        .iter()
        .filter(|policy| policy["metadata"]["namespace"] == **namespace)
        .filter(|policy| selects(&policy["spec"]["podSelector"], labels))
        .filter(|policy| {
            match policy["spec"]["policyTypes"]
                .as_array()
                .filter(|types| !types.is_empty())
            {
                Some(types) => types.iter().any(|t| t == direction),
                None => {
                    ingress
                        || policy["spec"]["egress"]
                            .as_array()
                            .is_some_and(|rules| !rules.is_empty())
                }
            }
        })
        .collect();
    if selecting.is_empty() {
        return true;
    }
    let (rules, peers) = if ingress { ("ingress", "from") } else { ("egress", "to") };
    selecting.iter().any(|policy| {
        let rules = policy["spec"][rules].as_array().cloned().unwrap_or_default();
        rules.iter().any(|rule| {
            let peers = rule[peers].as_array().cloned().unwrap_or_default();
            let ports = rule["ports"].as_array().cloned().unwrap_or_default();
            (peers.is_empty() || peers.iter().any(|p| is_peer(p, namespace, peer, blocks)))
                && (ports.is_empty() || ports.iter().any(|p| is_port(p, protocol, port, to)))
        })
    })
}

fn is_peer(peer: &Value, namespace: &str, end: &End, blocks: Blocks) -> bool {
    if let Some(block) = peer.get("ipBlock") {
        return match end {
            End::V4(address) => {
                let within = |cidr: &Value| cidr.as_str().is_some_and(|cidr| in_v4(cidr, *address));
                let except = block["except"].as_array().cloned().unwrap_or_default();
                within(&block["cidr"]) && !except.iter().any(within)
            }
            End::V6 => block["cidr"] == "::/0",
            _ => blocks == Blocks::Everything,
        };
    }
    let End::Pod {
        namespace: of,
        namespace_labels,
        labels,
        host_network: false,
        ..
    } = end
    else {
        return false;
    };
    let in_namespace = match peer.get("namespaceSelector") {
        Some(selector) => selects(selector, namespace_labels),
        None => of == namespace,
    };
    in_namespace && peer.get("podSelector").is_none_or(|selector| selects(selector, labels))
}

fn is_port(rule: &Value, protocol: &str, port: u16, to: &End) -> bool {
    if rule["protocol"].as_str().unwrap_or("TCP") != protocol || port == 0 {
        return false;
    }
    match &rule["port"] {
        Value::Null => true,
        Value::String(name) => match to {
            End::Pod { ports, .. } => ports
                .iter()
                .any(|(n, p, number)| n == name && p == protocol && *number == port),
            _ => false,
        },
        number => {
            let first = number.as_u64().unwrap();
            (first..=rule["endPort"].as_u64().unwrap_or(first)).contains(&u64::from(port))
        }
    }
}

pub(super) fn selects(selector: &Value, labels: &Value) -> bool {
    let exact = selector["matchLabels"].as_object().cloned().unwrap_or_default();
    let requirements = selector["matchExpressions"].as_array().cloned().unwrap_or_default();
    exact.iter().all(|(key, value)| labels.get(key) == Some(value))
        && requirements.iter().all(|requirement| {
            let value = labels.get(requirement["key"].as_str().unwrap());
            let listed = |value: &Value| {
                requirement["values"]
                    .as_array()
                    .is_some_and(|values| values.contains(value))
            };
            match requirement["operator"].as_str().unwrap() {
                "In" => value.is_some_and(listed),
                "NotIn" => !value.is_some_and(listed),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                other => panic!("operator {other}"),
            }
        })
}

fn in_v4(cidr: &str, address: [u8; 4]) -> bool {
    let (network, length) = cidr.split_once('/').unwrap();
    let Ok(network) = network.parse::<std::net::Ipv4Addr>() else {
        return false;
    };
    let length: u32 = length.parse().unwrap();
    let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
    u32::from_be_bytes(network.octets()) & mask == u32::from_be_bytes(address) & mask
}
