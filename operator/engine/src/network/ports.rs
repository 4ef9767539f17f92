//! Ports: what a rule's `ports` mean for a pod, and sets of ports in words.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::model::network::{PolicyPort, Protocol};
use crate::model::pod::DeclaredPort;

/// Ports `first` to `last` of a protocol, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    /// Protocol; `None` stands for every other one (ICMP and the like), which only a rule without ports lets through.
    pub protocol: Option<Protocol>,
    /// First port.
    pub first: u16,
    /// Last port.
    pub last: u16,
}

impl PortRange {
    /// One port.
    pub const fn one(protocol: Protocol, port: u16) -> Self {
        Self {
            protocol: Some(protocol),
            first: port,
            last: port,
        }
    }

    /// Every port of a protocol.
    pub const fn whole(protocol: Option<Protocol>) -> Self {
        Self {
            protocol,
            first: 1,
            last: u16::MAX,
        }
    }

    /// Everything there is: all ports of all protocols.
    pub fn everything() -> [Self; 4] {
        [
            Self::whole(Some(Protocol::Tcp)),
            Self::whole(Some(Protocol::Udp)),
            Self::whole(Some(Protocol::Sctp)),
            Self::whole(None),
        ]
    }

    /// Whether all of `other` is in this range.
    pub fn contains(&self, other: &Self) -> bool {
        self.protocol == other.protocol && self.first <= other.first && other.last <= self.last
    }
}

/// What the `ports` of a rule mean for a pod that declares `declared`. No ports mean everything; a name means the declared ports of that name and protocol,
/// which may be none (NetworkPolicy API reference, `NetworkPolicyPort`).
pub fn of_rule<'a>(
    ports: &[PolicyPort],
    declared: &(impl Iterator<Item = &'a DeclaredPort> + Clone),
) -> Vec<PortRange> {
    if ports.is_empty() {
        return PortRange::everything().to_vec();
    }
    ports
        .iter()
        .filter_map(|port| Some((Protocol::parse(port.protocol.as_deref())?, port)))
        .flat_map(|(protocol, port)| one_of_rule(protocol, port, declared.clone()))
        .collect()
}

fn one_of_rule<'a>(
    protocol: Protocol,
    port: &PolicyPort,
    declared: impl Iterator<Item = &'a DeclaredPort>,
) -> Vec<PortRange> {
    match &port.port {
        None | Some(Value::Null) => vec![PortRange::whole(Some(protocol))],
        Some(Value::String(name)) => declared
            .filter(|port| port.protocol == protocol && port.name.as_deref() == Some(name))
            .map(|port| PortRange::one(protocol, port.port))
            .collect(),
        Some(number) => {
            let Some(first) = number.as_u64().and_then(|port| u16::try_from(port).ok()) else {
                return Vec::new();
            };
            let last = port.end_port.and_then(|port| u16::try_from(port).ok()).unwrap_or(first);
            vec![PortRange {
                protocol: Some(protocol),
                first,
                last,
            }]
        }
    }
}

/// Splits all protocols so that every given range is a union of whole pieces.
pub fn atoms(ranges: impl Iterator<Item = PortRange>) -> Vec<PortRange> {
    let mut cuts = BTreeSet::new();
    for range in ranges {
        cuts.insert((range.protocol, range.first));
        if range.last < u16::MAX {
            cuts.insert((range.protocol, range.last + 1));
        }
    }
    let mut pieces = Vec::new();
    for whole in PortRange::everything() {
        let protocol = whole.protocol;
        let mut first = whole.first;
        for cut in cuts
            .iter()
            .filter(|(p, cut)| *p == protocol && *cut > whole.first)
            .map(|(_, cut)| *cut)
        {
            pieces.push(PortRange {
                protocol,
                first,
                last: cut - 1,
            });
            first = cut;
        }
        pieces.push(PortRange {
            protocol,
            first,
            last: whole.last,
        });
    }
    pieces
}

/// A set of ports, as people read it: `all ports`, `no port`, `TCP 80, 8000-8080, UDP 53`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortSet(BTreeSet<PortRange>);

impl FromIterator<PortRange> for PortSet {
    /// Ranges that touch become one.
    fn from_iter<I: IntoIterator<Item = PortRange>>(ranges: I) -> Self {
        let sorted: BTreeSet<PortRange> = ranges.into_iter().collect();
        let mut merged: Vec<PortRange> = Vec::new();
        for range in sorted {
            match merged.last_mut() {
                Some(last) if last.protocol == range.protocol && range.first <= last.last.saturating_add(1) => {
                    last.last = last.last.max(range.last);
                }
                _ => merged.push(range),
            }
        }
        Self(merged.into_iter().collect())
    }
}

impl PortSet {
    /// Whether no port is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether every port of every protocol is in it.
    pub fn is_everything(&self) -> bool {
        PortRange::everything().iter().all(|range| self.0.contains(range))
    }

    /// Ports that are in both.
    #[must_use]
    pub fn both(&self, other: &Self) -> Self {
        self.pieces(other)
            .filter(|piece| self.has(*piece) && other.has(*piece))
            .collect()
    }

    /// Ports that are not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        self.pieces(other)
            .filter(|piece| self.has(*piece) && !other.has(*piece))
            .collect()
    }

    fn pieces(&self, other: &Self) -> impl Iterator<Item = PortRange> {
        atoms(self.0.iter().chain(&other.0).copied()).into_iter()
    }

    fn has(&self, piece: PortRange) -> bool {
        self.0.iter().any(|range| range.contains(&piece))
    }

    /// The ranges, sorted, without overlaps.
    pub fn ranges(&self) -> impl Iterator<Item = &PortRange> {
        self.0.iter()
    }
}

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("no port");
        }
        if self.is_everything() {
            return f.write_str("all ports");
        }
        let mut before = None;
        // Other protocols sort first and read last.
        for range in self.0.iter().filter(|range| range.protocol.is_some()) {
            let protocol = range.protocol.map_or("", Protocol::as_str);
            f.write_str(if before.is_some() { ", " } else { "" })?;
            if before != Some(protocol) {
                write!(f, "{protocol} ")?;
            }
            match (range.first, range.last) {
                (1, u16::MAX) => f.write_str("all")?,
                (first, last) if first == last => write!(f, "{first}")?,
                (first, last) => write!(f, "{first}-{last}")?,
            }
            before = Some(protocol);
        }
        if self.0.iter().any(|range| range.protocol.is_none()) {
            f.write_str(if before.is_some() {
                ", other protocols"
            } else {
                "other protocols"
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(first: u16, last: u16) -> PortRange {
        PortRange {
            protocol: Some(Protocol::Tcp),
            first,
            last,
        }
    }

    #[test]
    fn a_set_reads_like_a_person_writes_it() {
        let text = |ranges: &[PortRange]| ranges.iter().copied().collect::<PortSet>().to_string();
        assert_eq!(text(&[]), "no port");
        assert_eq!(text(&PortRange::everything()), "all ports");
        assert_eq!(text(&[tcp(80, 80), tcp(81, 90), tcp(443, 443)]), "TCP 80-90, 443");
        assert_eq!(
            text(&[PortRange::one(Protocol::Udp, 53), PortRange::whole(Some(Protocol::Tcp))]),
            "TCP all, UDP 53"
        );
        assert_eq!(text(&[PortRange::whole(None)]), "other protocols");
    }

    #[test]
    fn atoms_are_everything_cut_at_the_edges() {
        let pieces = atoms([tcp(80, 90), tcp(u16::MAX, u16::MAX)].into_iter());
        let of_tcp: Vec<_> = pieces
            .iter()
            .filter(|piece| piece.protocol == Some(Protocol::Tcp))
            .map(|piece| (piece.first, piece.last))
            .collect();
        assert_eq!(of_tcp, [(1, 79), (80, 90), (91, 65534), (65535, 65535)]);
        assert!(pieces.into_iter().collect::<PortSet>().is_everything());
    }

    #[test]
    fn a_name_means_what_the_pod_declares() {
        let rule: Vec<PolicyPort> = serde_json::from_value(serde_json::json!([{"port": "web"}])).unwrap();
        let declared = |protocol| DeclaredPort {
            name: Some("web".into()),
            protocol,
            port: 8080,
            on_host: false,
        };
        assert_eq!(of_rule(&rule, &[declared(Protocol::Tcp)].iter()), [tcp(8080, 8080)]);
        assert_eq!(
            of_rule(&rule, &[declared(Protocol::Udp)].iter()),
            [],
            "the protocol must agree"
        );
        assert_eq!(of_rule(&rule, &[].iter()), [], "nobody has that name");
    }
}
