//! Which ingress connections of a namespace are known to be needed, and from what that is known.
//!
//! What is known: Services and who names them, Ingresses, ports of nodes, scrape annotations and metrics ports, what the API server calls, pods of one workload
//! among each other, and what the policy adds. What is not known is cut, so the rules here err on the open side: a port that may be reached by nodes,
//! load balancers or something that cannot be seen is left open to every source. `safety.md` stories 40 and 44 to 46 are the reasons.
//!
//! Knows nothing of existing policies: whether a need adds anything is decided by who generates policies from it.

mod extra;
mod pods;
mod references;
mod services;

use std::collections::BTreeSet;
use std::fmt;

use super::endpoints::{self, Endpoint};
use super::ports::PortRange;
use crate::model::LabelSelector;
use crate::model::network::{Peer, Protocol};
use crate::world::{Shard, Snapshot};

pub use extra::ExtraAllow;
pub(super) use pods::lasting_selector;

/// One needed connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    /// Pods that are reached.
    pub to: LabelSelector,
    /// Sources.
    pub from: From,
    /// Their ports.
    pub ports: Ports,
    /// From what it is known, such as `Service web`, for people.
    pub why: String,
}

/// Sources of a needed connection.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// Everything: pods, nodes, both address families. A rule without peers says so on every CNI; address ranges would not: some CNIs match them neither with pods
    /// nor with nodes (`safety.md`, stories 39 and 40).
    Anyone,
    /// Every pod of the namespace.
    Namespace,
    /// Pods of the namespace.
    Pods(LabelSelector),
    /// Pods of another namespace; an empty selector means all of them.
    Elsewhere {
        /// The namespace.
        namespace: String,
        /// Its pods.
        pods: LabelSelector,
    },
    /// What a policy says.
    Peers(Vec<Peer>),
}

/// Ports of a needed connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ports {
    /// All ports of all protocols.
    All,
    /// These, at least one.
    These(BTreeSet<Port>),
}

/// A port by number or by the name that a container gives it. Names are used beside the numbers they mean today, so that a rollout that moves the port
/// cuts nothing even while Ironside is down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Port {
    /// By number.
    Numbers(PortRange),
    /// By name.
    Named(Protocol, String),
}

impl Ports {
    /// These ports; `None` if there is none.
    pub fn of(ports: impl IntoIterator<Item = Port>) -> Option<Self> {
        let ports: BTreeSet<Port> = ports.into_iter().collect();
        (!ports.is_empty()).then_some(Self::These(ports))
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("everyone"),
            Self::Namespace => f.write_str("pods of the namespace"),
            Self::Pods(_) => f.write_str("its own pods"),
            Self::Elsewhere { namespace, .. } => write!(f, "pods of {namespace}"),
            Self::Peers(_) => f.write_str("peers that the policy names"),
        }
    }
}

/// A namespace and what inference reads around it.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) world: &'a Snapshot,
    pub(super) name: &'a str,
    pub(super) shard: &'a Shard,
    /// Endpoints of the namespace.
    pub(super) endpoints: &'a [Endpoint],
}

impl Around<'_> {
    /// Every pod of the namespace as a source. Pods with the node's network cannot be named by a policy, so with one of them it is everyone.
    fn whole_namespace(&self) -> From {
        if self.endpoints.iter().any(|endpoint| endpoint.host_network) {
            From::Anyone
        } else {
            From::Namespace
        }
    }
}

/// Every needed connection of a namespace, in a stable order.
pub fn needs(world: &Snapshot, namespace: &str, extra: &[ExtraAllow]) -> Vec<Need> {
    let Some(shard) = world.shard(namespace) else {
        return Vec::new();
    };
    let endpoints = endpoints::of_namespace(world, shard);
    let around = Around {
        world,
        name: namespace,
        shard,
        endpoints: &endpoints,
    };
    let mut needs = services::needs(&around);
    needs.extend(references::needs(&around));
    needs.extend(pods::needs(&around));
    needs.extend(extra.iter().map(ExtraAllow::need));
    needs
}
