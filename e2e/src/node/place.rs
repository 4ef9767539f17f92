//! Which real node: what is different from one to the other, its names and addresses.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::obstacle;

/// A real node by its number, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place(u8);

impl Place {
    /// Where cluster DNS runs, and where the machine's network is joined with those of all nodes.
    pub const FIRST: Self = Self(1);
    /// The other one.
    pub const SECOND: Self = Self(2);
    /// All that a cluster can have.
    pub const ALL: [Self; 2] = [Self::FIRST, Self::SECOND];

    /// Its name in the cluster, which is also in its certificates.
    pub fn name(self) -> String {
        format!("real-{}", self.0)
    }

    /// Its address, in the nodes' own network alone.
    pub const fn address(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 200, 0, self.0)
    }

    /// Addresses of its pods; simulated pods have 10.64.0.0/14.
    pub fn pods(self) -> String {
        format!("10.244.{}.0/24", self.0)
    }

    /// The ranges of its pods' addresses, each with the address that is its own: that of its end of their bridge. One range of each family that the kernel has.
    pub fn ranges(self) -> Vec<(String, IpAddr)> {
        let own = Ipv4Addr::new(10, 244, self.0, 1);
        let mut ranges = vec![(self.pods(), own.into())];
        if obstacle::ipv6().is_none() {
            let own = Ipv6Addr::new(0xfd00, 0x10, 0x244, self.0.into(), 0, 0, 0, 1);
            ranges.push((format!("fd00:10:244:{}::/64", self.0), own.into()));
        }
        ranges
    }

    /// Its end of the wire between two nodes.
    pub(super) const fn wire(self) -> Ipv4Addr {
        Ipv4Addr::new(10, 200, 1, self.0)
    }

    /// With what the names of its files and folders begin.
    pub(crate) fn stem(self) -> String {
        match self {
            Self::FIRST => "node".to_owned(),
            Self(number) => format!("node-{number}"),
        }
    }

    /// The name of its folder in the cgroup hierarchies, from that of its control plane.
    pub(crate) fn cgroup(self, control_plane: &str) -> String {
        match self {
            Self::FIRST => control_plane.to_owned(),
            Self(number) => format!("{control_plane}-{number}"),
        }
    }

    /// The client certificate with which its kubelet signs in.
    pub(crate) fn kubelet(self) -> String {
        format!("kubelet-{}", self.0)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}
