//! What the cluster's own components are set to, as far as objects show it: the arguments of the containers that run them, and the documents that configure them.
//!
//! A component is known by the program that a container starts, not by names or labels, which anybody may give. Arguments are what the kubelet publishes of a
//! static pod or what a DaemonSet asks for; documents are what somebody means to be read. Neither proves what a process really runs with, and a flag that is not
//! there says nothing where the process also reads a file.
//!
//! Of a cluster each component is one target, whether or not anything of it can be seen (`cluster.rs`): its evidence is what objects show, and what the
//! component says itself where it may be asked ([`Observed`]).

mod account;
mod address;
mod arguments;
pub mod channel;
mod cluster;
mod corefile;
mod counters;
mod distribution;
mod duration;
pub mod encryption;
mod fields;
mod flags;
mod host_path;
mod logs;
mod observed;
mod pool;
mod program;
mod runtime;
mod scope;
#[cfg(test)]
mod tests;
mod tls;
mod version;

pub use account::account_is_bounded;
pub use address::{bound_to_loopback, is_loopback, is_unspecified};
pub use arguments::{Arguments, Asking, Flag, boolean};
pub use cluster::{is_evidence, is_home, place};
pub use corefile::{Corefile, Directive, Malformed, Server};
pub use counters::{Counters, DeprecatedApi, Remaining};
pub use distribution::Distribution;
pub use duration::seconds;
pub use fields::Fields;
pub use flags::Flags;
pub use host_path::is_sensitive;
pub use logs::{LogReaders, ReadBy, holds, holds_container_logs, may_read_logs, unread};
pub use observed::{Anonymous, Answer, Kubelets, Observed};
pub use pool::pool;
pub use program::program;
pub use runtime::{is_runtime_socket, normal, runtime_sockets};
pub use scope::{ComponentScope, OfNodes, configured};
pub use tls::{has_good_suites, is_good_version, is_strong, tls};
pub use version::Version;

use crate::model::{ContainerKind, PodSpec};

/// The components whose program some container of a pod runs, with its arguments. Init containers count only where they keep running.
pub fn processes(spec: &PodSpec) -> impl Iterator<Item = Arguments<'_>> {
    spec.all_containers()
        .filter(|(kind, _, container)| match kind {
            ContainerKind::Regular => true,
            ContainerKind::Init => container.restart_policy.as_deref() == Some("Always"),
            ContainerKind::Ephemeral => false,
        })
        .filter_map(|(kind, index, container)| Arguments::of(container, format!("/spec/{}/{index}", kind.field())))
}
