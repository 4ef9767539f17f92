//! NetworkPolicies that Ironside makes: one allow per selector of needed pods, and the default deny.
//!
//! Names follow from selectors alone, so that the same needs always give the same objects. Labels say who made them and why; labels of the user are never
//! copied (tools that track their own labels would take the copies for theirs) and there is no ownerReference (garbage collection knows no order).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use ironside_crds::names::{CONTROL_LABEL, MANAGED_BY, MANAGED_BY_LABEL, POLICY_LABEL};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::infer::{From, Need, Port, Ports};
use super::ports::PortRange;
use crate::model::network::{IngressTraffic, NetworkPolicySpec, Peer, PolicyPort};
use crate::model::selector::Requirement;
use crate::model::{Kind, LabelSelector, NetworkPolicy};

/// Field manager of objects that are Ironside's own.
pub const MANAGER: &str = "ironside/owned";
/// The control that the policies answer.
pub const CONTROL: &str = "NET-002";
/// Name of the default deny.
pub const DENY: &str = "ironside-default-deny-ingress";
/// Name of the policy that keeps everything open while the others are put in place or taken away.
pub const OPENING: &str = "ironside-open-during-change";

const ALLOW_PREFIX: &str = "ironside-allow-";
/// Longest label value that the API server takes.
const LONGEST_LABEL: usize = 63;
/// Readable part of an allow's name, at most.
const LONGEST_SLUG: usize = 40;
/// Labels whose value names an application best.
const NAMING_LABELS: [&str; 5] = [
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "name",
    "app.kubernetes.io/component",
];

/// What a generated policy is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Keeps needed connections.
    Allow,
    /// Closes the rest.
    Deny,
    /// Keeps everything open during a change.
    Opening,
}

impl Role {
    /// What a policy of ours with this name is for.
    pub fn of_name(name: &str) -> Self {
        match name {
            DENY => Self::Deny,
            OPENING => Self::Opening,
            _ => Self::Allow,
        }
    }
}

/// A NetworkPolicy of Ironside.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// The whole object, as it is applied.
    pub object: Value,
    /// Its spec, as the engine reads it.
    pub spec: NetworkPolicySpec,
    /// From what it is known that it is needed.
    pub why: BTreeSet<String>,
}

impl Generated {
    fn new(namespace: &str, name: &str, role: Role, policy: &str, spec: &Value) -> Self {
        let labels = json!({MANAGED_BY_LABEL: MANAGED_BY, POLICY_LABEL: label_value(policy), CONTROL_LABEL: CONTROL});
        Self {
            role,
            // Built here from fields that the view knows, so it decodes.
            spec: serde_json::from_value(spec.clone()).unwrap_or_default(),
            object: json!({
                "apiVersion": Kind::NetworkPolicy.api_version(),
                "kind": Kind::NetworkPolicy.name(),
                "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "spec": spec,
            }),
            name: name.to_owned(),
            why: BTreeSet::new(),
        }
    }

    /// A live policy of ours, as it stands.
    pub fn of(live: &NetworkPolicy) -> Self {
        let spec = json!({"podSelector": selector_json(&live.spec.pod_selector), "policyTypes": ["Ingress"]});
        let policy = live.metadata.labels.get(POLICY_LABEL).unwrap_or_default();
        let name = &live.metadata.name;
        let mut policy = Self::new(&live.metadata.namespace, name, Role::of_name(name), policy, &spec);
        policy.spec = live.spec.clone();
        policy.rewrite()
    }

    /// Labels that the object must carry.
    pub fn labels(&self) -> BTreeMap<&str, &str> {
        let labels = self.object.pointer("/metadata/labels").and_then(Value::as_object);
        labels
            .into_iter()
            .flatten()
            .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
            .collect()
    }

    /// The same policy with further ingress rules of another one; used while rules move between policies.
    #[must_use]
    pub fn with_rules_of(&self, other: &NetworkPolicySpec) -> Self {
        let mut wider = self.clone();
        for rule in &other.ingress {
            if !wider.spec.ingress.contains(rule) {
                wider.spec.ingress.push(rule.clone());
            }
        }
        wider.rewrite()
    }

    /// The same policy, letting everything in.
    #[must_use]
    pub fn opened(&self) -> Self {
        let mut open = self.clone();
        open.spec.ingress = vec![IngressTraffic::default()];
        open.rewrite()
    }

    fn rewrite(mut self) -> Self {
        let rules: Vec<Value> = self
            .spec
            .ingress
            .iter()
            .map(|rule| {
                let ports: Vec<Value> = rule.ports.iter().map(policy_port_json).collect();
                rule_json(rule.from.iter().map(peer_json).collect(), ports)
            })
            .collect();
        self.object["spec"]["ingress"] = Value::Array(rules);
        self
    }
}

/// The default deny of a namespace, on behalf of a policy.
pub fn deny(namespace: &str, policy: &str) -> Generated {
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
    Generated::new(namespace, DENY, Role::Deny, policy, &spec)
}

/// The policy that lets everything in.
pub fn opening(namespace: &str, policy: &str) -> Generated {
    let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]});
    Generated::new(namespace, OPENING, Role::Opening, policy, &spec)
}

/// The allows for these needs, sorted by name.
pub fn allows(namespace: &str, policy: &str, needs: &[Need]) -> Vec<Generated> {
    let mut by_selector: BTreeMap<String, Vec<&Need>> = BTreeMap::new();
    for need in needs {
        by_selector
            .entry(selector_json(&need.to).to_string())
            .or_default()
            .push(need);
    }
    let mut allows: Vec<Generated> = by_selector
        .values()
        .filter_map(|needs| Some((&needs.first()?.to, needs)))
        .map(|(to, needs)| {
            let spec = json!({"podSelector": selector_json(to), "policyTypes": ["Ingress"], "ingress": rules(needs)});
            let mut allow = Generated::new(namespace, &allow_name(to), Role::Allow, policy, &spec);
            allow.why = needs.iter().map(|need| need.why.clone()).collect();
            allow
        })
        .collect();
    allows.sort_by(|a, b| a.name.cmp(&b.name));
    allows
}

/// Selects what both select.
pub fn both(a: &LabelSelector, b: &LabelSelector) -> LabelSelector {
    let mut both = a.clone();
    for (key, value) in b.match_labels.iter() {
        match both.match_labels.get(key) {
            Some(same) if same == value => {}
            // Contradicts: selects nothing, as it should.
            Some(_) => both.match_expressions.push(Requirement {
                key: key.to_owned(),
                operator: "In".to_owned(),
                values: vec![value.to_owned()],
            }),
            None => both.match_labels = both.match_labels.with(key, value),
        }
    }
    for requirement in &b.match_expressions {
        if !both.match_expressions.contains(requirement) {
            both.match_expressions.push(requirement.clone());
        }
    }
    both
}

fn allow_name(to: &LabelSelector) -> String {
    let naming = NAMING_LABELS.iter().find_map(|label| to.match_labels.get(label));
    // A label that is only set or not says more by its key.
    let telling = |(key, value): (&'_ str, &'_ str)| match value {
        "" | "true" => key.rsplit('/').next().unwrap_or(key).to_owned(),
        value => value.to_owned(),
    };
    let readable = naming
        .map(str::to_owned)
        .or_else(|| to.match_labels.iter().next().map(telling));
    let slug: String = match readable {
        Some(value) => value
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .take(LONGEST_SLUG)
            .collect(),
        None if to.is_empty() => "all-pods".to_owned(),
        None => "pods".to_owned(),
    };
    let slug = slug.trim_matches('-');
    let hash = hex(&Sha256::digest(selector_json(to).to_string().as_bytes())[..4]);
    if slug.is_empty() {
        format!("{ALLOW_PREFIX}{hash}")
    } else {
        format!("{ALLOW_PREFIX}{slug}-{hash}")
    }
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A label value: policies may have longer names than that.
fn label_value(text: &str) -> &str {
    let end = text.len().min(LONGEST_LABEL);
    text.get(..end)
        .unwrap_or_default()
        .trim_end_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// Ingress rules for needs of the same pods: one per set of sources, without ports that a wider rule already has.
fn rules(needs: &[&Need]) -> Vec<Value> {
    let mut by_source: BTreeMap<(u8, String), (Vec<Value>, Ports)> = BTreeMap::new();
    for need in needs {
        let (rank, peers) = peers(&need.from);
        let key = (rank, Value::Array(peers.clone()).to_string());
        let (_, ports) = by_source
            .entry(key)
            .or_insert_with(|| (peers, Ports::These(BTreeSet::new())));
        *ports = union(ports, &need.ports);
    }
    let ports_at = |rank: u8| {
        let mut found = by_source
            .iter()
            .filter(|((r, _), _)| *r == rank)
            .map(|(_, (_, ports))| ports.clone());
        found.next().unwrap_or(Ports::These(BTreeSet::new()))
    };
    let (of_anyone, of_namespace) = (ports_at(ANYONE), ports_at(NAMESPACE));
    by_source
        .iter()
        .filter_map(|((rank, _), (peers, ports))| {
            let left = match *rank {
                ANYONE => ports.clone(),
                PODS => without(&without(ports, &of_anyone)?, &of_namespace)?,
                _ => without(ports, &of_anyone)?,
            };
            Some(rule_json(peers.clone(), ports_json(&left)))
        })
        .collect()
}

// Ranks sort rules from the widest to the narrowest source.
const ANYONE: u8 = 0;
const NAMESPACE: u8 = 1;
const PODS: u8 = 2;
const ELSEWHERE: u8 = 3;
const STATED: u8 = 4;

fn peers(from: &From) -> (u8, Vec<Value>) {
    match from {
        From::Anyone => (ANYONE, Vec::new()),
        From::Namespace => (NAMESPACE, vec![json!({"podSelector": {}})]),
        From::Pods(selector) => (PODS, vec![json!({"podSelector": selector_json(selector)})]),
        From::Elsewhere { namespace, pods } => {
            let mut peer = json!({"namespaceSelector": {"matchLabels": {super::endpoints::NAMESPACE_NAME: namespace}}});
            if !pods.is_empty() {
                peer["podSelector"] = selector_json(pods);
            }
            (ELSEWHERE, vec![peer])
        }
        From::Peers(peers) => (STATED, peers.iter().map(peer_json).collect()),
    }
}

fn union(a: &Ports, b: &Ports) -> Ports {
    match (a, b) {
        (Ports::These(a), Ports::These(b)) => Ports::These(a | b),
        _ => Ports::All,
    }
}

/// Ports of `a` that `b` does not name; `None` if nothing is left.
fn without(a: &Ports, b: &Ports) -> Option<Ports> {
    match (a, b) {
        (_, Ports::All) => None,
        (Ports::All, Ports::These(_)) => Some(Ports::All),
        (Ports::These(a), Ports::These(b)) => Ports::of(a - b),
    }
}

fn ports_json(ports: &Ports) -> Vec<Value> {
    match ports {
        Ports::All => Vec::new(),
        Ports::These(ports) => ports.iter().filter_map(port_json).collect(),
    }
}

fn port_json(port: &Port) -> Option<Value> {
    Some(match port {
        Port::Named(protocol, name) => json!({"protocol": protocol.as_str(), "port": name}),
        Port::Numbers(range) => {
            let protocol = range.protocol?.as_str();
            if *range == PortRange::whole(range.protocol) {
                json!({"protocol": protocol})
            } else if range.first == range.last {
                json!({"protocol": protocol, "port": range.first})
            } else {
                json!({"protocol": protocol, "port": range.first, "endPort": range.last})
            }
        }
    })
}

/// No peers mean everyone, no ports mean all of them: the keys are left out then.
fn rule_json(peers: Vec<Value>, ports: Vec<Value>) -> Value {
    let mut rule = Map::new();
    if !peers.is_empty() {
        rule.insert("from".to_owned(), Value::Array(peers));
    }
    if !ports.is_empty() {
        rule.insert("ports".to_owned(), Value::Array(ports));
    }
    Value::Object(rule)
}

fn policy_port_json(port: &PolicyPort) -> Value {
    let fields = [
        ("protocol", port.protocol.as_ref().map(|protocol| json!(protocol))),
        ("port", port.port.clone()),
        ("endPort", port.end_port.map(|port| json!(port))),
    ];
    present(fields)
}

fn peer_json(peer: &Peer) -> Value {
    let block = peer.ip_block.as_ref().map(|block| {
        let except = (!block.except.is_empty()).then(|| json!(block.except));
        present([("cidr", Some(json!(block.cidr))), ("except", except)])
    });
    present([
        ("podSelector", peer.pod_selector.as_ref().map(selector_json)),
        ("namespaceSelector", peer.namespace_selector.as_ref().map(selector_json)),
        ("ipBlock", block),
    ])
}

/// A selector in its JSON form, with requirements in a fixed order.
fn selector_json(selector: &LabelSelector) -> Value {
    let mut requirements: Vec<&Requirement> = selector.match_expressions.iter().collect();
    requirements.sort();
    let requirements: Vec<Value> = requirements
        .into_iter()
        .map(|requirement| {
            let values = (!requirement.values.is_empty()).then(|| json!(requirement.values));
            present([
                ("key", Some(json!(requirement.key))),
                ("operator", Some(json!(requirement.operator))),
                ("values", values),
            ])
        })
        .collect();
    present([
        (
            "matchLabels",
            (!selector.match_labels.is_empty()).then(|| json!(selector.match_labels)),
        ),
        (
            "matchExpressions",
            (!requirements.is_empty()).then_some(Value::Array(requirements)),
        ),
    ])
}

fn present<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let present = fields
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?)));
    Value::Object(present.collect())
}
