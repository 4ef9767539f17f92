//! What the enforcer reads of the cluster: pods with their addresses, the labels of namespaces, the policies.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Namespace, Pod as PodObject};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde::{Deserialize, Serialize};

use super::Enforced;

/// Labels of an object.
pub(super) type Labels = BTreeMap<String, String>;

/// The protocols that a policy can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Transport {
    Tcp,
    Udp,
    Sctp,
}

impl Transport {
    /// Absent means TCP (API reference, `NetworkPolicyPort` and `ContainerPort`).
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        match text.unwrap_or("TCP") {
            "TCP" => Some(Self::Tcp),
            "UDP" => Some(Self::Udp),
            "SCTP" => Some(Self::Sctp),
            _ => None,
        }
    }
}

/// A range of addresses of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    first: IpAddr,
    length: u8,
}

impl Block {
    /// Reads `address/length`.
    ///
    /// # Errors
    /// It is no CIDR; the API server lets none of those in.
    pub fn parse(cidr: &str) -> Result<Self> {
        let (address, length) = cidr.split_once('/').with_context(|| format!("{cidr:?} is no CIDR"))?;
        let address: IpAddr = address.parse().with_context(|| format!("{cidr:?} is no CIDR"))?;
        let length: u8 = length.parse().with_context(|| format!("{cidr:?} is no CIDR"))?;
        ensure!(
            length <= if address.is_ipv4() { 32 } else { 128 },
            "{cidr:?} is no CIDR"
        );
        let first = begin(address, length);
        Ok(Self { first, length })
    }

    /// Whether an address is inside.
    pub fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && begin(address, self.length) == self.first
    }

    pub(super) const fn is_ipv4(self) -> bool {
        self.first.is_ipv4()
    }
}

/// The first address of the block of that length that an address is in.
fn begin(address: IpAddr, length: u8) -> IpAddr {
    let length = u32::from(length);
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & mask))
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & mask))
        }
    }
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.first, self.length)
    }
}

/// A pod with an address of its own.
#[derive(Debug, Clone)]
pub(super) struct Pod {
    pub(super) namespace: String,
    pub(super) labels: Labels,
    /// Name, protocol and number of each declared port that has a name.
    pub(super) ports: Vec<(String, Transport, u16)>,
    leaving: bool,
}

/// The cluster, as far as policies can tell it apart.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub(super) pods: BTreeMap<IpAddr, Pod>,
    pub(super) namespaces: BTreeMap<String, Labels>,
    pub(super) policies: Vec<NetworkPolicy>,
}

impl World {
    /// Puts it together.
    pub fn of<'a>(
        pods: impl IntoIterator<Item = &'a PodObject>,
        namespaces: impl IntoIterator<Item = &'a Namespace>,
        policies: impl IntoIterator<Item = &'a NetworkPolicy>,
    ) -> Self {
        let mut world = Self::default();
        for (address, pod) in pods.into_iter().flat_map(placed) {
            // An address may be given anew before the pod that had it is gone from the API.
            match world.pods.get(&address) {
                Some(other) if !other.leaving => {}
                _ => drop(world.pods.insert(address, pod)),
            }
        }
        for namespace in namespaces {
            let labels = namespace.metadata.labels.clone().unwrap_or_default();
            let name = namespace.metadata.name.clone().unwrap_or_default();
            world.namespaces.insert(name, labels);
        }
        world.policies.extend(policies.into_iter().cloned());
        world
    }

    /// Addresses of all pods.
    pub(super) fn addresses(&self) -> BTreeSet<IpAddr> {
        self.pods.keys().copied().collect()
    }

    /// What is enforced once this world is loaded.
    pub(super) fn enforced(&self) -> Enforced {
        let version = |policy: &NetworkPolicy| {
            let metadata = &policy.metadata;
            let (namespace, name) = (metadata.namespace.as_deref(), metadata.name.as_deref());
            let name = format!("{}/{}", namespace.unwrap_or_default(), name.unwrap_or_default());
            (name, metadata.resource_version.clone().unwrap_or_default())
        };
        Enforced {
            policies: self.policies.iter().map(version).collect(),
            pods: self
                .pods
                .iter()
                .map(|(address, pod)| (*address, pod.labels.clone()))
                .collect(),
            namespaces: self.namespaces.clone(),
        }
    }
}

/// A pod that policies can select, with each of its addresses: pods that ended have none, pods on the node's network have the node's.
fn placed(pod: &PodObject) -> Vec<(IpAddr, Pod)> {
    let (Some(spec), Some(status)) = (&pod.spec, &pod.status) else {
        return Vec::new();
    };
    let ended = matches!(status.phase.as_deref(), Some("Succeeded" | "Failed"));
    if ended || spec.host_network == Some(true) {
        return Vec::new();
    }
    let all = status.pod_ips.iter().flatten().map(|it| &it.ip);
    let addresses: BTreeSet<IpAddr> = all
        .chain(&status.pod_ip)
        .filter_map(|address| address.parse().ok())
        .collect();
    let beside = spec.init_containers.iter().flatten();
    let beside = beside.filter(|container| container.restart_policy.as_deref() == Some("Always"));
    let containers = spec.containers.iter().chain(beside);
    let ports = containers.flat_map(|container| container.ports.iter().flatten());
    let named = ports.filter_map(|port| {
        let number = u16::try_from(port.container_port).ok()?;
        Some((port.name.clone()?, Transport::parse(port.protocol.as_deref())?, number))
    });
    let pod = Pod {
        namespace: pod.metadata.namespace.clone().unwrap_or_default(),
        labels: pod.metadata.labels.clone().unwrap_or_default(),
        ports: named.collect(),
        leaving: pod.metadata.deletion_timestamp.is_some(),
    };
    addresses.into_iter().map(|address| (address, pod.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_covers_what_its_length_says() {
        let block = |cidr| Block::parse(cidr).unwrap();
        let has = |cidr, address: &str| block(cidr).has(address.parse().unwrap());
        assert_eq!(block("10.1.2.3/8").to_string(), "10.0.0.0/8");
        assert_eq!(block("fd00:1:2::3/32").to_string(), "fd00:1::/32");
        assert!(has("0.0.0.0/0", "203.0.113.7") && has("::/0", "2001:db8::1"));
        assert!(!has("0.0.0.0/0", "2001:db8::1") && !has("::/0", "203.0.113.7"));
        assert!(has("10.1.0.0/16", "10.1.255.255") && !has("10.1.0.0/16", "10.2.0.0"));
        assert!(has("fd00:1::/32", "fd00:1:ffff::") && !has("fd00:1::/32", "fd00:2::"));
        assert!(has("10.1.2.3/32", "10.1.2.3") && has("fd00::1/128", "fd00::1"));
        for wrong in ["10.0.0.0", "10.0.0.0/33", "fd00::/129", "web/8"] {
            assert!(Block::parse(wrong).is_err(), "{wrong}");
        }
    }
}
