//! Truth tables of other projects, read in place where they are; without them the test says so and passes.
//!
//! Their rows are ingress and egress together. The module answers for ingress; egress is the naive evaluator's, whose ingress must agree with the module's too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::naive::{self, Blocks, End};
use super::{objects, snapshot};
use crate::model::Kind;
use crate::model::network::{NetworkPolicySpec, Protocol};
use crate::network::address::Family;
use crate::network::ports::{PortRange, PortSet};
use crate::network::reach::{Edge, Reach, Reading, Source, Universe};
use crate::world::Snapshot;

/// What the tables need beyond NetworkPolicies of the networking API, which this module does not read.
const BEYOND: [&str; 4] = ["anp", "banp", "ingress", "route"];

#[test]
fn other_projects_truth_tables_agree() {
    let root = std::env::var("IRONSIDE_CORPUS").map_or_else(
        |_| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
        PathBuf::from,
    );
    let Ok(index) = std::fs::read_to_string(root.join("netpol/index.jsonl")) else {
        println!("no corpus at {}: skipped", root.display());
        return;
    };
    let (mut sets, mut rows, mut unread, mut wrong) = (0, 0, 0, Vec::new());
    for line in index.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let features = case["features"].as_array().unwrap();
        if features
            .iter()
            .any(|feature| BEYOND.contains(&feature.as_str().unwrap()))
        {
            continue;
        }
        let (read, skipped, differing) = compare(&root, &case);
        sets += 1;
        rows += read;
        unread += skipped;
        wrong.extend(differing.into_iter().map(|row| format!("{}: {row}", case["id"])));
    }
    println!(
        "{sets} sets, {rows} rows compared, {unread} rows about ends that are no workload, {} differ",
        wrong.len()
    );
    assert!(rows > 0, "the corpus is there and nothing was compared");
    assert_eq!(wrong, Vec::<String>::new());
}

/// Rows compared, rows passed over, rows that differ.
fn compare(root: &Path, case: &Value) -> (usize, usize, Vec<String>) {
    let folder = root.join(case["path"].as_str().unwrap());
    let mut all = read_tree(&folder);
    for topology in case["topology"].as_array().into_iter().flatten() {
        all.extend(read_file(&root.join(topology.as_str().unwrap())));
    }
    if let Ok(probe) = std::fs::read_to_string(folder.join("probe.json")) {
        all.extend(probed(&serde_json::from_str(&probe).unwrap()));
    }
    for object in &mut all {
        if object["kind"] != "Namespace" && object["metadata"]["namespace"].is_null() {
            object["metadata"]["namespace"] = json!("default");
        }
    }
    let policies: Vec<Value> = all
        .iter()
        .filter(|object| object["kind"] == "NetworkPolicy")
        .cloned()
        .collect();
    let ends = ends(&all);
    let world = snapshot(&all);
    let mut answers: BTreeMap<String, Answers> = BTreeMap::new();
    let (mut compared, mut skipped, mut wrong) = (0, 0, Vec::new());
    let table = std::fs::read_to_string(folder.join("expected.csv")).unwrap();
    for row in table.lines().skip(1) {
        let (pair, allowed) = row.rsplit_once(',').unwrap();
        let mut fields = pair.splitn(3, ',');
        let (from, to) = (fields.next().unwrap(), fields.next().unwrap());
        let ports = fields.next().unwrap_or_default().trim_matches('"');
        let (Some(from), Some(to)) = (&end_of(from, &ends), &end_of(to, &ends)) else {
            skipped += 1;
            continue;
        };
        let expected = if allowed == "true" {
            port_set(ports)
        } else {
            PortSet::default()
        };
        // Some tables were probed on a few ports only and say nothing of others.
        let probed_only =
            folder.join("probe.json").exists() || case["note"].as_str().is_some_and(|n| n.contains("recipe"));
        let probes = if probed_only {
            probes_of(ports)
        } else {
            probes(&policies, &expected)
        };
        compared += 1;
        let namespace = match to {
            End::Pod { namespace, .. } => namespace.as_str(),
            _ => "",
        };
        let answers = answers
            .entry(namespace.to_owned())
            .or_insert_with(|| Answers::of(&world, namespace, &policies));
        for (protocol, port) in probes {
            let wire = (protocol.as_str(), port);
            let egress = naive::allows(&policies, false, from, to, wire, Blocks::OutsideOnly);
            let ingress = naive::allows(&policies, true, from, to, wire, Blocks::OutsideOnly);
            assert_eq!(ingress, answers.permits(from, to, (protocol, port)), "{row} {wire:?}");
            let probe = PortRange::one(protocol, port);
            let expected = if probed_only {
                allowed == "true"
            } else {
                expected.ranges().any(|range| range.contains(&probe))
            };
            if (ingress && egress) != expected {
                wrong.push(format!("{row}: {wire:?} is {}", ingress && egress));
                break;
            }
        }
    }
    (compared, skipped, wrong)
}

/// What the module says about ingress of one namespace.
struct Answers {
    universe: Universe,
    reach: Reach,
}

impl Answers {
    fn of(world: &Snapshot, namespace: &str, policies: &[Value]) -> Self {
        let specs: Vec<NetworkPolicySpec> = policies
            .iter()
            .filter(|policy| policy["metadata"]["namespace"] == *namespace)
            .map(|policy| serde_json::from_value(policy["spec"].clone()).unwrap())
            .collect();
        let specs: Vec<&NetworkPolicySpec> = specs.iter().collect();
        let universe = Universe::new(world, namespace, &specs);
        let reach = universe.reach((0..specs.len()).map(|i| (i, Reading::Least)));
        Self { universe, reach }
    }

    fn permits(&self, from: &End, to: &End, (protocol, port): (Protocol, u16)) -> bool {
        let End::Pod { labels, .. } = to else {
            return true;
        };
        let universe = &self.universe;
        let labels: BTreeMap<String, String> = serde_json::from_value(labels.clone()).unwrap();
        let target = universe
            .targets
            .iter()
            .position(|target| target.labels == labels)
            .unwrap();
        let is_from = |source: &Source| match (source, from) {
            (
                Source::Pods { namespace: of, labels },
                End::Pod {
                    namespace,
                    labels: wanted,
                    ..
                },
            ) => **of == **namespace && json!(labels) == *wanted,
            (Source::AllPods { namespace: of }, End::Pod { namespace, .. }) => **of == **namespace,
            (Source::Addresses(range), End::V4(address)) => {
                range.family == Family::V4
                    && (range.first..=range.last).contains(&u128::from(u32::from_be_bytes(*address)))
            }
            _ => false,
        };
        let class = universe
            .classes
            .iter()
            .position(|class| class.sources.iter().any(is_from))
            .unwrap();
        let probe = PortRange::one(protocol, port);
        let port = universe.ports.iter().position(|piece| piece.contains(&probe)).unwrap();
        universe.permits(&self.reach, Edge { target, class, port })
    }
}

fn read_tree(folder: &Path) -> Vec<Value> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(read_tree(&path));
        } else if path.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.extend(read_file(&path));
        }
    }
    found
}

fn read_file(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let known = [
        "Namespace",
        "Pod",
        "NetworkPolicy",
        "Deployment",
        "ReplicaSet",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
    ];
    let mut found = Vec::new();
    for object in objects(&text) {
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        let items = match object {
            Value::Array(items) => items,
            object if object["items"].is_array() => object["items"].as_array().unwrap().clone(),
            object => vec![object],
        };
        for mut item in items {
            if item["kind"].is_null() {
                item["kind"] = json!(kind.trim_end_matches("List"));
                item["apiVersion"] = json!("v1");
            }
            found.push(item);
        }
    }
    found.retain(|object| object["kind"].as_str().is_some_and(|kind| known.contains(&kind)));
    // Old versions of these APIs had the same fields.
    for object in &mut found {
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| object["kind"] == kind.name())
            .unwrap();
        object["apiVersion"] = json!(kind.api_version());
    }
    found
}

/// Pods and namespaces of a probe description.
fn probed(probe: &Value) -> Vec<Value> {
    let resources = &probe["Resources"];
    let namespaces = resources["Namespaces"].as_object().unwrap();
    let namespaces = namespaces.iter().map(
        |(name, labels)| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
    );
    let pods = resources["Pods"].as_array().unwrap().iter().map(|pod| {
        let ports = pod["Containers"].as_array().unwrap().iter().map(|container| {
            let protocol = container["Protocol"].as_str().unwrap().to_uppercase();
            json!({"name": container["PortName"], "containerPort": container["Port"], "protocol": protocol})
        });
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": pod["Name"], "namespace": pod["Namespace"], "labels": pod["Labels"]},
            "spec": {"containers": [{"name": "c", "ports": ports.collect::<Vec<_>>()}]},
        })
    });
    namespaces.chain(pods).collect()
}

/// Pods of all workloads by `namespace/name[Kind]`, as the tables name them.
fn ends(all: &[Value]) -> BTreeMap<String, End> {
    let labels_of = |name: &str| {
        let object = all
            .iter()
            .find(|object| object["kind"] == "Namespace" && object["metadata"]["name"] == name);
        let mut labels = object.map_or(json!({}), |object| object["metadata"]["labels"].clone());
        if labels.is_null() {
            labels = json!({});
        }
        labels["kubernetes.io/metadata.name"] = json!(name);
        labels
    };
    let mut found = BTreeMap::new();
    for object in all {
        let kind = object["kind"].as_str().unwrap();
        let pod = match kind {
            "Namespace" | "NetworkPolicy" => continue,
            "Pod" => object.clone(),
            "CronJob" => object["spec"]["jobTemplate"]["spec"]["template"].clone(),
            _ => object["spec"]["template"].clone(),
        };
        let namespace = object["metadata"]["namespace"].as_str().unwrap();
        let ports = pod["spec"]["containers"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|container| container["ports"].as_array().cloned().unwrap_or_default());
        let ports = ports.filter_map(|port| {
            let text = |key: &str, default: &str| port[key].as_str().unwrap_or(default).to_owned();
            Some((
                text("name", ""),
                text("protocol", "TCP"),
                u16::try_from(port["containerPort"].as_u64()?).ok()?,
            ))
        });
        let labels = pod["metadata"]["labels"].clone();
        let end = End::Pod {
            namespace: namespace.to_owned(),
            namespace_labels: labels_of(namespace),
            labels: if labels.is_null() { json!({}) } else { labels },
            ports: ports.collect(),
            host_network: pod["spec"]["hostNetwork"] == true,
        };
        let owner = &object["metadata"]["ownerReferences"][0];
        let (kind, name) = match (kind, owner["kind"].as_str(), owner["name"].as_str()) {
            ("Pod", Some(kind), Some(name)) => (kind, name),
            _ => (kind, object["metadata"]["name"].as_str().unwrap_or_default()),
        };
        found.insert(format!("{namespace}/{name}[{kind}]"), end);
    }
    found
}

fn end_of(name: &str, ends: &BTreeMap<String, End>) -> Option<End> {
    if let Some(addresses) = name.strip_suffix("[External]") {
        let first = addresses.split(['-', '/']).next()?;
        // The whole of IPv4 stands for addresses that no block of the tables names.
        let address = if addresses.starts_with("0.0.0.0-255") {
            "203.0.113.77"
        } else {
            first
        };
        return address.parse::<std::net::Ipv4Addr>().ok().map(|a| End::V4(a.octets()));
    }
    // One table applies policies to pods on the node's network. Kubernetes leaves open what happens to those, so nothing can be compared.
    let on_node = |end: &&End| matches!(end, End::Pod { host_network: true, .. });
    ends.get(name).filter(|end| !on_node(end)).cloned()
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

fn probes_of(text: &str) -> BTreeSet<(Protocol, u16)> {
    port_set(text)
        .ranges()
        .filter_map(|range| Some((range.protocol?, range.first)))
        .collect()
}

/// Every port at which the answer can change.
fn probes(policies: &[Value], expected: &PortSet) -> BTreeSet<(Protocol, u16)> {
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
