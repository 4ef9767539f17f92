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
    // Not by the graph of all rights, which is far more than is asked for here.
    let bindings = world
        .shard("")
        .into_iter()
        .flat_map(|shard| shard.resources_of(Kind::ClusterRoleBinding));
    let to_administrators = bindings.filter_map(|(_, resource)| match &**resource {
        Resource::Binding(binding) if binding.role_ref.name == ADMINISTRATOR => Some(&binding.subjects),
        _ => None,
    });
    for subject in to_administrators.flatten() {
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

#[cfg(test)]
mod tests {
    use ironside_engine::world::Object;
    use serde_json::{Value, json};

    use super::*;

    fn world(objects: &[Value]) -> Snapshot {
        let object = |value: &Value| {
            let kind = Kind::ALL.into_iter().find(|kind| value["kind"] == kind.name()).unwrap();
            Object::decode(kind, value).unwrap()
        };
        Snapshot::of(objects.iter().map(object))
    }

    #[test]
    fn addresses_and_administrators_are_those_of_the_cluster() {
        let binding = |name: &str, role: &str, subjects: Value| json!({"kind": "ClusterRoleBinding", "metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": role}, "subjects": subjects});
        let seen = surroundings(&world(&[
            json!({"kind": "Node", "metadata": {"name": "n1"}, "spec": {"podCIDRs": ["10.244.1.0/24", "nonsense"]},
                "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.4"}, {"type": "Hostname", "address": "n1"}]}}),
            binding(
                "a",
                "cluster-admin",
                json!([{"kind": "User", "name": "olga"}, {"kind": "ServiceAccount", "namespace": "x", "name": "y"}]),
            ),
            binding("b", "cluster-admin", json!([{"kind": "Group", "name": "ops"}])),
            binding("c", "view", json!([{"kind": "User", "name": "tom"}])),
        ]));
        assert_eq!(seen.addresses.pods, ["10.244.1.0/24".parse().unwrap()]);
        assert_eq!(seen.addresses.nodes, BTreeSet::from(["192.168.0.4".parse().unwrap()]));
        assert_eq!(seen.administrators.users, ["olga"]);
        assert_eq!(seen.administrators.groups, ["ops"]);
    }
}
