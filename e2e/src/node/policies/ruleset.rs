//! An intent as a file for `nft -f`: one table, replaced as a whole, so that no packet sees half of a change.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::intent::{Direction, Intent, Peers, Ports, Rule};
use super::world::{Block, Transport, World};

/// The table that the enforcer owns.
const TABLE: &str = "inet ironside_policies";

/// Questions of who has which address, which are asked on the way to every connection.
const DISCOVERY: &str = "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert }";

/// The rules for the pods of `own`: the node's ranges of addresses, each with that of the node's end of the bridge.
///
/// Packets pass the hook `forward` from pod to pod, and `input` on their way to the node itself; what the node sends to pods,
/// its probes above all, is never held up. A Service's address is already that of a pod when a packet comes here.
pub(super) fn ruleset(world: &World, intent: &Intent, own: &[(Block, IpAddr)]) -> String {
    let mut text = format!("table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n");
    for ((address, direction), rules) in &intent.rules {
        chain(&mut text, *address, *direction, rules);
    }
    let known = world.addresses();
    // Who has just been given an address is not in the API yet, and nobody knows which policies are about it. Where one might
    // be, such a pod has to wait: its packets are sent again.
    let unknown = |direction: Direction, end: &str| {
        if !intent.isolating.contains(&direction) {
            return String::new();
        }
        let wait = |(block, gateway): &(Block, IpAddr)| {
            let own = known.iter().copied().filter(|address| block.has(*address));
            let (family, known) = (family(*gateway), list(own.chain([*gateway])));
            format!("    {family} {end} {block} {family} {end} != {known} counter drop\n")
        };
        own.iter().map(wait).collect()
    };
    let egress = unknown(Direction::Egress, "saddr") + &jumps(intent, Direction::Egress, "saddr");
    let ingress = unknown(Direction::Ingress, "daddr") + &jumps(intent, Direction::Ingress, "daddr");
    let hook = |name: &str| {
        format!(
            "  chain {name} {{\n    type filter hook {name} priority filter; policy accept;\n    \
             ct state established,related accept\n    {DISCOVERY} accept\n"
        )
    };
    text += &hook("forward");
    text += "    ip6 saddr fe80::/10 counter drop\n";
    text += &(egress.clone() + &ingress + "  }\n");
    text += &(hook("input") + &egress + "  }\n}\n");
    text
}

/// What may pass returns to where it came from, and the other direction is asked next.
fn chain(text: &mut String, address: IpAddr, direction: Direction, rules: &[Rule]) {
    let end = match direction {
        Direction::Ingress => "saddr",
        Direction::Egress => "daddr",
    };
    let _ = writeln!(
        text,
        "  chain {} {{\n    {} {end} {address} return",
        name(address, direction),
        family(address)
    );
    for rule in rules {
        let Some(peers) = peers(&rule.peers, address, end) else {
            continue;
        };
        let _ = writeln!(text, "    {peers}{}return", ports(rule.ports));
    }
    text.push_str("    counter drop\n  }\n");
}

/// The other ends of a rule that are of the subject's family: no connection has two.
fn peers(peers: &Peers, subject: IpAddr, end: &str) -> Option<String> {
    let family = family(subject);
    match peers {
        Peers::Anyone => Some(String::new()),
        Peers::Pods(pods) => {
            let mut same = pods.iter().filter(|it| it.is_ipv4() == subject.is_ipv4()).peekable();
            same.peek()?;
            Some(format!("{family} {end} {} ", list(same.copied())))
        }
        Peers::Block(block, _) if block.is_ipv4() != subject.is_ipv4() => None,
        Peers::Block(block, except) => {
            let holes = except.iter().map(|hole| format!("{family} {end} != {hole} "));
            Some(format!("{family} {end} {block} ") + &holes.collect::<String>())
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
    let of_family = |of_family: &str| {
        let isolated = intent.rules.keys().filter(|(_, of)| *of == direction);
        let jumps: Vec<String> = isolated
            .filter(|(address, _)| family(*address) == of_family)
            .map(|(address, of)| format!("{address} : jump {}", name(*address, *of)))
            .collect();
        if jumps.is_empty() {
            return String::new();
        }
        format!("    {of_family} {end} vmap {{ {} }}\n", jumps.join(", "))
    };
    FAMILIES.map(of_family).concat()
}

const FAMILIES: [&str; 2] = ["ip", "ip6"];

const fn family(address: IpAddr) -> &'static str {
    FAMILIES[if address.is_ipv4() { 0 } else { 1 }]
}

/// Names have no colons.
fn name(address: IpAddr, direction: Direction) -> String {
    let word = match direction {
        Direction::Ingress => "in",
        Direction::Egress => "out",
    };
    format!("{word}_{}", address.to_string().replace(':', "_"))
}

fn list(addresses: impl IntoIterator<Item = IpAddr>) -> String {
    let words: Vec<String> = addresses.into_iter().map(|address| address.to_string()).collect();
    format!("{{ {} }}", words.join(", "))
}
