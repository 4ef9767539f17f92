//! What policies mean, pod by pod: the rules by which a connection may pass. Written from the API reference of `NetworkPolicy`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use anyhow::{Context as _, Result};
use k8s_openapi::api::networking::v1::{NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::core::{Selector, SelectorExt as _};

use super::world::{Block, Labels, Pod, Transport, World};

/// Seen from the pod that a policy selects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Direction {
    Ingress,
    Egress,
}

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peers {
    Anyone,
    /// Pods that selectors found.
    Pods(BTreeSet<IpAddr>),
    /// Addresses, whoever has them.
    Block(Block, Vec<Block>),
}

/// The port at the pod that is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ports {
    All,
    Of(Transport),
    Range(Transport, u16, u16),
}

/// A connection passes if it is with one of the peers and on one of the ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) peers: Peers,
    pub(super) ports: Ports,
}

/// What a world's policies want.
#[derive(Debug, Clone, Default)]
pub struct Intent {
    /// For each pod that some policy isolates in a direction, what passes all the same.
    pub(super) rules: BTreeMap<(IpAddr, Direction), Vec<Rule>>,
    /// Directions in which some policy isolates, even if none of its pods is there yet.
    pub(super) isolating: BTreeSet<Direction>,
}

impl Intent {
    /// What the policies of a world want.
    ///
    /// # Errors
    /// A policy says something that the API server would have refused.
    pub fn of(world: &World) -> Result<Self> {
        let mut intent = Self::default();
        for policy in &world.policies {
            let name = || format!("NetworkPolicy {:?}", policy.metadata.name);
            intent.add(world, policy).with_context(name)?;
        }
        Ok(intent)
    }

    /// Whether a connection between two addresses is meant to pass. The rules of both ends count; a pod always reaches itself.
    pub fn lets(&self, from: IpAddr, to: IpAddr, transport: Transport, port: u16) -> bool {
        let passes = |subject, peer, direction| {
            let rules = self.rules.get(&(subject, direction));
            rules.is_none_or(|rules| rules.iter().any(|rule| rule.has(peer, transport, port)))
        };
        from == to || (passes(from, to, Direction::Egress) && passes(to, from, Direction::Ingress))
    }

    fn add(&mut self, world: &World, policy: &NetworkPolicy) -> Result<()> {
        let Some(spec) = &policy.spec else { return Ok(()) };
        let namespace = policy.metadata.namespace.as_deref().unwrap_or_default();
        let everyone = LabelSelector::default();
        let selector = compiled(spec.pod_selector.as_ref().unwrap_or(&everyone))?;
        let types = spec.policy_types.as_deref().unwrap_or_default();
        // Without types: ingress always, egress if there are rules for it.
        let has = |name: &str, default: bool| {
            if types.is_empty() {
                default
            } else {
                types.iter().any(|of| of == name)
            }
        };
        let (ingress, egress) = (spec.ingress.as_deref(), spec.egress.as_deref());
        let (ingress, egress) = (ingress.unwrap_or_default(), egress.unwrap_or_default());
        let (inwards, outwards) = (has("Ingress", true), has("Egress", !egress.is_empty()));
        let directions = [(inwards, Direction::Ingress), (outwards, Direction::Egress)];
        self.isolating.extend(
            directions
                .into_iter()
                .filter(|(has, _)| *has)
                .map(|(_, direction)| direction),
        );
        let subjects = world
            .pods
            .iter()
            .filter(|(_, pod)| pod.namespace == namespace && selector.matches(&pod.labels));
        for (address, pod) in subjects {
            if inwards {
                let rules = self.rules.entry((*address, Direction::Ingress)).or_default();
                for rule in ingress {
                    for peers in peers(world, namespace, rule.from.as_deref())? {
                        let ports = ports(rule.ports.as_deref(), pod);
                        rules.extend(ports.map(|ports| Rule {
                            peers: peers.clone(),
                            ports,
                        }));
                    }
                }
            }
            if outwards {
                let rules = self.rules.entry((*address, Direction::Egress)).or_default();
                for rule in egress {
                    for peers in peers(world, namespace, rule.to.as_deref())? {
                        rules.extend(outgoing(world, &peers, rule.ports.as_deref()));
                    }
                }
            }
        }
        Ok(())
    }
}

impl Rule {
    fn has(&self, peer: IpAddr, transport: Transport, port: u16) -> bool {
        self.peers.has(peer)
            && match self.ports {
                Ports::All => true,
                Ports::Of(of) => of == transport,
                Ports::Range(of, first, last) => of == transport && (first..=last).contains(&port),
            }
    }
}

impl Peers {
    fn has(&self, address: IpAddr) -> bool {
        match self {
            Self::Anyone => true,
            Self::Pods(pods) => pods.contains(&address),
            Self::Block(block, except) => block.has(address) && !except.iter().any(|hole| hole.has(address)),
        }
    }
}

/// Who a rule means; no list, or an empty one, means everyone.
fn peers(world: &World, namespace: &str, peers: Option<&[NetworkPolicyPeer]>) -> Result<Vec<Peers>> {
    let peers = peers.unwrap_or_default();
    if peers.is_empty() {
        return Ok(vec![Peers::Anyone]);
    }
    peers.iter().map(|peer| one(world, namespace, peer)).collect()
}

fn one(world: &World, namespace: &str, peer: &NetworkPolicyPeer) -> Result<Peers> {
    if let Some(block) = &peer.ip_block {
        let except: Result<Vec<Block>> = block.except.iter().flatten().map(|cidr| Block::parse(cidr)).collect();
        return Ok(Peers::Block(Block::parse(&block.cidr)?, except?));
    }
    let of_namespaces = peer.namespace_selector.as_ref().map(compiled).transpose()?;
    let of_pods = peer.pod_selector.as_ref().map(compiled).transpose()?;
    let none = Labels::new();
    let chosen = |pod: &Pod| {
        let here = match &of_namespaces {
            Some(selector) => selector.matches(world.namespaces.get(&pod.namespace).unwrap_or(&none)),
            None => pod.namespace == namespace,
        };
        here && of_pods.as_ref().is_none_or(|selector| selector.matches(&pod.labels))
    };
    let pods = world
        .pods
        .iter()
        .filter(|(_, pod)| chosen(pod))
        .map(|(address, _)| *address);
    Ok(Peers::Pods(pods.collect()))
}

/// The ports of a rule for a pod that is reached: a name means what that pod declares.
fn ports<'a>(ports: Option<&'a [NetworkPolicyPort]>, pod: &'a Pod) -> impl Iterator<Item = Ports> + 'a {
    let ports = ports.unwrap_or_default();
    let all = ports.is_empty().then_some(Ports::All);
    all.into_iter().chain(ports.iter().flat_map(|port| numbers(port, pod)))
}

fn numbers(port: &NetworkPolicyPort, pod: &Pod) -> Vec<Ports> {
    let Some(transport) = Transport::parse(port.protocol.as_deref()) else {
        return Vec::new();
    };
    match &port.port {
        Some(IntOrString::String(name)) => {
            let declared = pod.ports.iter().filter(|(of, by, _)| of == name && *by == transport);
            declared
                .map(|(_, _, number)| Ports::Range(transport, *number, *number))
                .collect()
        }
        _ => by_number(port).into_iter().collect(),
    }
}

/// Ports that mean the same wherever they are.
fn by_number(port: &NetworkPolicyPort) -> Option<Ports> {
    let transport = Transport::parse(port.protocol.as_deref())?;
    match &port.port {
        None => Some(Ports::Of(transport)),
        Some(IntOrString::Int(first)) => {
            let first = u16::try_from(*first).ok()?;
            let last = port.end_port.map_or(Some(first), |last| u16::try_from(last).ok())?;
            Some(Ports::Range(transport, first, last))
        }
        Some(IntOrString::String(_)) => None,
    }
}

/// The rules for connections to some peers: where a port has a name, one for each pod that is meant and declares it.
fn outgoing(world: &World, peers: &Peers, ports: Option<&[NetworkPolicyPort]>) -> Vec<Rule> {
    let ports = ports.unwrap_or_default();
    if ports.is_empty() {
        let peers = peers.clone();
        return vec![Rule {
            peers,
            ports: Ports::All,
        }];
    }
    let mut rules = Vec::new();
    for port in ports {
        if let Some(ports) = by_number(port) {
            rules.push(Rule {
                peers: peers.clone(),
                ports,
            });
            continue;
        }
        for (address, pod) in world.pods.iter().filter(|(address, _)| peers.has(**address)) {
            let peers = Peers::Pods([*address].into());
            rules.extend(numbers(port, pod).into_iter().map(|ports| Rule {
                peers: peers.clone(),
                ports,
            }));
        }
    }
    rules
}

fn compiled(selector: &LabelSelector) -> Result<Selector> {
    Selector::try_from(selector.clone()).context("a selector with an operator that nobody knows")
}
