//! A pod created from inside the cluster: D-13.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr;

use super::super::event::Event;
use super::{Surroundings, sighting};
use ironside_engine::detect::{Detection, Sighting};

/// Addresses inside the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::audit) struct Addresses {
    /// Ranges that nodes give to their pods (`spec.podCIDRs`).
    pub pods: Vec<Range>,
    /// Of the nodes themselves, and of pods in their network.
    pub nodes: BTreeSet<IpAddr>,
}

/// A range of addresses, such as `10.244.1.0/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::audit) struct Range {
    first: IpAddr,
    length: u8,
}

impl FromStr for Range {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, length) = text.split_once('/').ok_or(())?;
        let first: IpAddr = address.parse().map_err(|_| ())?;
        let length: u8 = length.parse().map_err(|_| ())?;
        let longest = if first.is_ipv4() { 32 } else { 128 };
        (length <= longest).then_some(Self { first, length }).ok_or(())
    }
}

impl Range {
    fn has(self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits())
                    .checked_shr(32 - u32::from(self.length))
                    .unwrap_or(0)
                    == 0
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits())
                    .checked_shr(128 - u32::from(self.length))
                    .unwrap_or(0)
                    == 0
            }
            _ => false,
        }
    }
}

/// D-13: a pod was created by somebody in a pod or on a node. A loopback address is the API server's own node.
pub(super) fn pod_from_inside(event: &Event, around: &Surroundings) -> Option<Sighting> {
    let is_created = event.verb == "create" && event.is_about("pods", "") && event.was_done() && !event.is_dry_run();
    let source = event.source().filter(|_| is_created)?;
    let addresses = &around.addresses;
    let place = if addresses.pods.iter().any(|range| range.has(source)) {
        "a pod"
    } else if addresses.nodes.contains(&source) || source.is_loopback() {
        "a node"
    } else {
        return None;
    };
    Some(sighting(
        Detection::D13,
        event,
        format!("a pod was created from the address of {place}"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn around() -> Surroundings {
        let addresses = Addresses {
            pods: vec!["10.244.1.0/24".parse().unwrap(), "fd00:1::/64".parse().unwrap()],
            nodes: BTreeSet::from(["192.168.0.4".parse().unwrap()]),
        };
        Surroundings {
            addresses,
            ..Surroundings::default()
        }
    }

    #[test]
    fn the_address_that_counts_is_the_one_that_nobody_can_invent() {
        for (sources, expected) in [
            (&["10.244.1.17"][..], Some("a pod")),
            (&["192.168.0.4"], Some("a node")),
            (&["::ffff:10.244.1.17"], Some("a pod")),
            (&["fd00:1::9"], Some("a pod")),
            (&["127.0.0.1"], Some("a node")),
            (&["10.244.2.17"], None),
            (&["fd00:2::9"], None),
            // A header that says so is no proof, for or against.
            (&["203.0.113.9", "10.244.1.17"], Some("a pod")),
            (&["10.244.1.17", "203.0.113.9"], None),
            (&["nonsense"], None),
            (&[], None),
        ] {
            let event = by("eve").verb("create", "pods").ended(201).from(sources).event();
            let told = pod_from_inside(&event, &around()).map(|told| told.what);
            let expected = expected.map(|place| format!("a pod was created from the address of {place}"));
            assert_eq!(told, expected, "{sources:?}");
        }
    }

    #[test]
    fn only_pods_that_were_created() {
        let there = &["10.244.1.17"];
        for event in [
            by("eve").verb("create", "pods").ended(403),
            by("eve").verb("create", "pods").dry_run(),
            by("eve").verb("create", "pods/exec").ended(101),
            by("eve").get("pods"),
            by("eve").verb("create", "deployments.apps").ended(201),
        ] {
            assert_eq!(pod_from_inside(&event.from(there).event(), &around()), None);
        }
    }

    #[test]
    fn ranges_are_read_or_refused() {
        let all: Range = "0.0.0.0/0".parse().unwrap();
        assert!(all.has("8.8.8.8".parse().unwrap()) && !all.has("::1".parse().unwrap()));
        let one: Range = "10.0.0.1/32".parse().unwrap();
        assert!(one.has("10.0.0.1".parse().unwrap()) && !one.has("10.0.0.2".parse().unwrap()));
        for bad in ["", "10.0.0.1", "10.0.0.1/33", "x/8", "fd00::/129", "10.0.0.0/-1"] {
            assert!(bad.parse::<Range>().is_err(), "{bad}");
        }
    }
}
