//! Rows of a table and what they say.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::model::network::Protocol;
use crate::network::address::{Family, Range};
use crate::network::ports::{PortRange, PortSet};

/// One end of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Side {
    /// `namespace/name[Kind]`.
    Workload(String),
    /// Addresses.
    Outside(Range),
    /// Whatever sends in what Ingresses and Routes declare.
    Controller,
    /// What the tables may name some day.
    Other,
}

/// One row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) from: Side,
    pub(super) to: Side,
    pub(super) allowed: bool,
    /// What is allowed, of the protocols with ports.
    pub(super) ports: PortSet,
    /// The single ports that the row names, allowed or not.
    pub(super) probes: Vec<(Protocol, u16)>,
}

impl Row {
    pub(super) fn is_about_outside(&self) -> bool {
        matches!(self.from, Side::Outside(_)) || matches!(self.to, Side::Outside(_))
    }
}

pub(super) fn rows(text: &str) -> Vec<Row> {
    text.lines().skip(1).map(row).collect()
}

fn row(line: &str) -> Row {
    let (pair, allowed) = line.rsplit_once(',').unwrap();
    let mut fields = pair.splitn(3, ',');
    let (from, to) = (fields.next().unwrap(), fields.next().unwrap());
    let named = port_set(fields.next().unwrap_or_default().trim_matches('"'));
    let allowed = allowed == "true";
    Row {
        from: side(from),
        to: side(to),
        allowed,
        probes: named
            .ranges()
            .filter_map(|range| Some((range.protocol?, range.first)))
            .collect(),
        ports: if allowed {
            with_ports(&named)
        } else {
            PortSet::default()
        },
    }
}

fn side(name: &str) -> Side {
    if name == "{ingress-controller}" {
        return Side::Controller;
    }
    if name.contains('/') && name.ends_with(']') && !name.ends_with("[External]") {
        return Side::Workload(name.to_owned());
    }
    addresses(name.trim_end_matches("[External]")).map_or(Side::Other, Side::Outside)
}

fn addresses(text: &str) -> Option<Range> {
    if text.contains('/') {
        return Range::parse(text);
    }
    let number = |address: &str| {
        address
            .parse::<std::net::Ipv4Addr>()
            .ok()
            .map(|a| u128::from(a.to_bits()))
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(Range {
        family: Family::V4,
        first: number(first)?,
        last: number(last)?,
    })
}

/// Without protocols that have no ports: the tables know none.
pub(super) fn with_ports(ports: &PortSet) -> PortSet {
    ports
        .ranges()
        .filter(|range| range.protocol.is_some())
        .copied()
        .collect()
}

fn port_set(text: &str) -> PortSet {
    if text == "All" {
        return PortRange::everything().into_iter().collect();
    }
    let mut protocol = Protocol::Tcp;
    let mut ranges = Vec::new();
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let range = match part.trim().split_once(' ') {
            Some((name, range)) => {
                protocol = Protocol::parse(Some(name)).unwrap();
                range
            }
            None => part,
        };
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        ranges.push(PortRange {
            protocol: Some(protocol),
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
        });
    }
    ranges.into_iter().collect()
}

/// Every port at which an answer can change.
pub(super) fn edges(policies: &[Value], expected: &PortSet) -> BTreeSet<(Protocol, u16)> {
    let mut edges = BTreeSet::from([1, 8050, 8090, 8956, 3535, u16::MAX]);
    let text = serde_json::to_string(policies).unwrap();
    let numbers = text
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|number| number.parse::<u16>().ok());
    edges.extend(numbers);
    edges.extend(expected.ranges().flat_map(|range| [range.first, range.last]));
    let around: BTreeSet<u16> = edges
        .iter()
        .flat_map(|port| [port.saturating_sub(1), *port, port.saturating_add(1)])
        .filter(|port| *port != 0)
        .collect();
    Protocol::ALL
        .into_iter()
        .flat_map(|protocol| around.iter().map(move |port| (protocol, *port)))
        .collect()
}
