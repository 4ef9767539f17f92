//! An intent as a file for `nft -f`: one table, replaced as a whole, so that no packet sees half of a change.

use std::fmt::Write as _;
use std::net::Ipv4Addr;

use super::intent::{Direction, Intent, Peers, Ports, Rule};
use super::world::{Block, Transport, World};

/// The table that the enforcer owns.
const TABLE: &str = "inet ironside_policies";

/// The rules for the pods of `own`, the node's range of addresses, whose first one is the node's end of the bridge.
///
/// Packets pass the hook `forward` from pod to pod, and `input` on their way to the node itself; what the node sends to pods,
/// its probes above all, is never held up. A Service's address is already that of a pod when a packet comes here.
pub(super) fn ruleset(world: &World, intent: &Intent, own: Block, gateway: Ipv4Addr) -> String {
    let mut text = format!("table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n");
    for ((address, direction), rules) in &intent.rules {
        chain(&mut text, *address, *direction, rules);
    }
    let mut known: Vec<Ipv4Addr> = world
        .addresses()
        .into_iter()
        .filter(|address| own.has(*address))
        .collect();
    known.push(gateway);
    let known = list(known);
    // Who has just been given an address is not in the API yet, and nobody knows which policies are about it. Where one might
    // be, such a pod has to wait: its packets are sent again.
    let unknown = |direction: Direction, end: &str| {
        let wait = format!("    ip {end} {own} ip {end} != {known} counter drop\n");
        if intent.isolating.contains(&direction) {
            wait
        } else {
            String::new()
        }
    };
    let egress = unknown(Direction::Egress, "saddr") + &jumps(intent, Direction::Egress, "saddr");
    let ingress = unknown(Direction::Ingress, "daddr") + &jumps(intent, Direction::Ingress, "daddr");
    let hook = |name: &str| {
        format!(
            "  chain {name} {{\n    type filter hook {name} priority filter; policy accept;\n    \
             ct state established,related accept\n"
        )
    };
    text += &hook("forward");
    text += "    meta nfproto ipv6 counter drop\n";
    text += &(egress.clone() + &ingress + "  }\n");
    text += &(hook("input") + &egress + "  }\n}\n");
    text
}

/// What may pass returns to where it came from, and the other direction is asked next.
fn chain(text: &mut String, address: Ipv4Addr, direction: Direction, rules: &[Rule]) {
    let end = match direction {
        Direction::Ingress => "saddr",
        Direction::Egress => "daddr",
    };
    let _ = writeln!(
        text,
        "  chain {} {{\n    ip {end} {address} return",
        name(address, direction)
    );
    for rule in rules {
        let Some(peers) = peers(&rule.peers, end) else { continue };
        let _ = writeln!(text, "    {peers}{}return", ports(rule.ports));
    }
    text.push_str("    counter drop\n  }\n");
}

fn peers(peers: &Peers, end: &str) -> Option<String> {
    match peers {
        Peers::Anyone => Some(String::new()),
        Peers::Pods(pods) if pods.is_empty() => None,
        Peers::Pods(pods) => Some(format!("ip {end} {} ", list(pods.iter().copied()))),
        Peers::Block(block, except) => {
            let holes = except.iter().map(|hole| format!("ip {end} != {hole} "));
            Some(format!("ip {end} {block} ") + &holes.collect::<String>())
        }
    }
}

fn ports(ports: Ports) -> String {
    match ports {
        Ports::All => String::new(),
        Ports::Of(transport) => format!("meta l4proto {} ", word(transport)),
        Ports::Range(transport, first, last) => format!("{} dport {first}-{last} ", word(transport)),
    }
}

const fn word(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Sctp => "sctp",
    }
}

fn jumps(intent: &Intent, direction: Direction, end: &str) -> String {
    let isolated = intent.rules.keys().filter(|(_, of)| *of == direction);
    let jumps: Vec<String> = isolated
        .map(|(address, of)| format!("{address} : jump {}", name(*address, *of)))
        .collect();
    if jumps.is_empty() {
        return String::new();
    }
    format!("    ip {end} vmap {{ {} }}\n", jumps.join(", "))
}

fn name(address: Ipv4Addr, direction: Direction) -> String {
    let word = match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    };
    format!("{word}_{address}")
}

fn list(addresses: impl IntoIterator<Item = Ipv4Addr>) -> String {
    let words: Vec<String> = addresses.into_iter().map(|address| address.to_string()).collect();
    format!("{{ {} }}", words.join(", "))
}
