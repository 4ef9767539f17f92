//! Connections that a policy adds to the inferred ones.

use ironside_crds::policy::{
    AllowPeer, AllowPort, ExtraAllow as Stated, IsolationDirection, Protocol as StatedProtocol,
};
use ironside_crds::selector::{LabelOperator, LabelSelector as StatedSelector};

use super::{From, Need, Port, Ports};
use crate::model::LabelSelector;
use crate::model::network::{IpBlock, Peer, Protocol};
use crate::model::selector::Requirement;
use crate::network::ports::PortRange;

/// An ingress allow that a policy states.
#[derive(Clone, Debug, PartialEq)]
pub struct ExtraAllow {
    name: String,
    to: LabelSelector,
    peers: Vec<Peer>,
    ports: Vec<PortRange>,
}

impl ExtraAllow {
    /// Takes over what `spec.network.extraAllows` says about ingress; `None` for egress.
    pub fn of(stated: &Stated) -> Option<Self> {
        (stated.direction == IsolationDirection::Ingress).then(|| Self {
            name: stated.name.clone(),
            to: stated.pod_selector.as_ref().map(selector).unwrap_or_default(),
            peers: stated.peers.iter().map(peer).collect(),
            ports: stated.ports.iter().copied().map(port).collect(),
        })
    }

    pub(super) fn need(&self) -> Need {
        Need {
            to: self.to.clone(),
            from: if self.peers.is_empty() {
                From::Anyone
            } else {
                From::Peers(self.peers.clone())
            },
            ports: Ports::of(self.ports.iter().copied().map(Port::Numbers)).unwrap_or(Ports::All),
            why: format!("extra allow {}", self.name),
        }
    }
}

fn peer(stated: &AllowPeer) -> Peer {
    Peer {
        // A peer that names a namespace selector only means all pods there; one with neither is refused at admission.
        pod_selector: stated.pod_selector.as_ref().map(selector),
        namespace_selector: stated.namespace_selector.as_ref().map(selector),
        ip_block: stated.cidr.as_ref().map(|cidr| IpBlock {
            cidr: cidr.clone(),
            except: Vec::new(),
        }),
    }
}

fn port(stated: AllowPort) -> PortRange {
    let protocol = match stated.protocol {
        StatedProtocol::Tcp => Protocol::Tcp,
        StatedProtocol::Udp => Protocol::Udp,
        StatedProtocol::Sctp => Protocol::Sctp,
    };
    PortRange {
        protocol: Some(protocol),
        first: stated.port,
        last: stated.end_port.unwrap_or(stated.port),
    }
}

fn selector(stated: &StatedSelector) -> LabelSelector {
    LabelSelector {
        match_labels: stated.match_labels.clone().into_iter().collect(),
        match_expressions: stated
            .match_expressions
            .iter()
            .map(|requirement| Requirement {
                key: requirement.key.clone(),
                operator: match requirement.operator {
                    LabelOperator::In => "In",
                    LabelOperator::NotIn => "NotIn",
                    LabelOperator::Exists => "Exists",
                    LabelOperator::DoesNotExist => "DoesNotExist",
                }
                .to_owned(),
                values: requirement.values.iter().cloned().collect(),
            })
            .collect(),
    }
}
