//! The objects of a set, from manifests, lists, and descriptions of probes; and the ends that the tables name.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::super::naive::End;
use super::super::objects;
use crate::model::Kind;
use crate::model::network::Protocol;
use crate::model::pod::DeclaredPort;
use crate::network::connectivity;
use crate::network::reach::Source;

/// Everything in a set that the tables rest on, with the namespace that objects without one get.
pub(super) fn all(root: &Path, case: &Value) -> Vec<Value> {
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
    all
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
        "Service",
        "Ingress",
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
/// Several pods of one owner are one end of the tables.
pub(super) fn ends(all: &[Value]) -> BTreeMap<String, Vec<End>> {
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
    let mut found: BTreeMap<String, Vec<End>> = BTreeMap::new();
    for object in all {
        let kind = object["kind"].as_str().unwrap();
        let pod = match kind {
            "Namespace" | "NetworkPolicy" | "Service" | "Ingress" => continue,
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
        // An owner of no kind that the tables know is named as a pod.
        let (kind, name) = match (kind, owner["kind"].as_str(), owner["name"].as_str()) {
            ("Pod", of, Some(name)) => (of.unwrap_or("Pod"), name),
            _ => (kind, object["metadata"]["name"].as_str().unwrap_or_default()),
        };
        found
            .entry(format!("{namespace}/{name}[{kind}]"))
            .or_default()
            .push(end);
    }
    found
}

/// The same end as the module knows it.
pub(super) fn known(end: &End) -> connectivity::End {
    let End::Pod {
        namespace,
        namespace_labels,
        labels,
        ports,
        host_network: false,
    } = end
    else {
        return connectivity::End::node();
    };
    let ports = ports.iter().map(|(name, protocol, port)| DeclaredPort {
        name: (!name.is_empty()).then(|| name.as_str().into()),
        protocol: Protocol::parse(Some(protocol)).unwrap(),
        port: *port,
        on_host: false,
    });
    connectivity::End {
        is: Source::Pods {
            namespace: namespace.as_str().into(),
            labels: serde_json::from_value(labels.clone()).unwrap(),
        },
        namespace_labels: serde_json::from_value(namespace_labels.clone()).unwrap(),
        ports: ports.collect::<BTreeSet<_>>(),
    }
}
