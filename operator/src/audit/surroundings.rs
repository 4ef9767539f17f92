//! What is known of the cluster beside its audit events: addresses of nodes and pods, and who may do everything.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ironside_engine::model::{Kind, Resource};
use ironside_engine::world::Snapshot;

use super::detect::{Addresses, Administrators, Range, Surroundings};

/// The role that may do everything.
const ADMINISTRATOR: &str = "cluster-admin";

/// Looks at what is known now.
pub(super) fn surroundings(world: &Snapshot) -> Surroundings {
    Surroundings {
        addresses: addresses(world),
        administrators: administrators(world),
        own: None,
    }
}

fn addresses(world: &Snapshot) -> Addresses {
    let mut addresses = Addresses::default();
    let nodes = world
        .shard("")
        .into_iter()
        .flat_map(|shard| shard.resources_of(Kind::Node));
    for (_, node) in nodes {
        if let Resource::Node(node) = &**node {
            let ranges = node
                .spec
                .pod_cidrs
                .iter()
                .filter_map(|range| range.parse::<Range>().ok());
            addresses.pods.extend(ranges);
            let own = node
                .status
                .addresses
                .iter()
                .filter_map(|it| it.address.parse::<IpAddr>().ok());
            addresses.nodes.extend(own);
        }
    }
    addresses
}

fn administrators(world: &Snapshot) -> Administrators {
    let (mut users, mut groups) = (BTreeSet::new(), BTreeSet::new());
    let grants = world.rights().grants().filter(|grant| {
        grant.namespace.is_none() && grant.role.kind == Kind::ClusterRole && *grant.role.name == *ADMINISTRATOR
    });
    for subject in grants.flat_map(|grant| grant.subjects()) {
        match subject.kind.as_str() {
            "User" => users.insert(subject.name.clone()),
            "Group" => groups.insert(subject.name.clone()),
            _ => false,
        };
    }
    Administrators {
        users: users.into_iter().collect(),
        groups: groups.into_iter().collect(),
    }
}
