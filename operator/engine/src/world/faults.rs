//! What in a NetworkPolicy does not do what it says: parts that the API server refuses, keys that it drops, and rules of a direction that the policy does not
//! restrict. A live object has only the last kind; a manifest can have all, and each leaves traffic open or closed against its author's intent.
//!
//! Source: Kubernetes, `pkg/apis/networking/validation`, and the API reference of NetworkPolicy.

use std::net::IpAddr;

use serde_json::{Map, Value};

use crate::model::literal::escape;
use crate::model::network::PolicyFault;

/// The faults of a policy in its JSON form.
pub(super) fn of(policy: &Value) -> Vec<PolicyFault> {
    let mut faults = Faults(Vec::new());
    faults.name(policy);
    match policy.get("spec") {
        Some(Value::Object(spec)) => faults.spec(spec),
        Some(_) => faults.add("/spec", "a NetworkPolicy spec"),
        None => {}
    }
    faults.0
}

struct Faults(Vec<PolicyFault>);

impl Faults {
    fn add(&mut self, pointer: &str, expected: &str) {
        self.0.push(PolicyFault {
            pointer: pointer.to_owned(),
            expected: expected.to_owned(),
        });
    }

    fn name(&mut self, policy: &Value) {
        let generated = policy.pointer("/metadata/generateName").is_some_and(Value::is_string);
        match policy.pointer("/metadata/name") {
            Some(Value::String(name)) if is_subdomain(name) => {}
            None | Some(Value::Null) if generated => {}
            _ => self.add("/metadata/name", "a DNS name of at most 253 characters"),
        }
    }

    fn spec(&mut self, spec: &Map<String, Value>) {
        self.keys("/spec", spec, &["podSelector", "policyTypes", "ingress", "egress"]);
        match spec.get("podSelector") {
            None | Some(Value::Null) => self.add("/spec/podSelector", "a selector; {} selects every pod"),
            Some(selector) => self.selector("/spec/podSelector", selector),
        }
        let types = self.types(spec.get("policyTypes"));
        self.rules("ingress", "from", spec.get("ingress"));
        self.rules("egress", "to", spec.get("egress"));
        for (direction, name) in [("ingress", "Ingress"), ("egress", "Egress")] {
            let has_rules = spec
                .get(direction)
                .and_then(Value::as_array)
                .is_some_and(|rules| !rules.is_empty());
            if has_rules && types.as_ref().is_some_and(|types| !types.contains(&name)) {
                let expected = format!("policyTypes with {name}; without it these rules have no effect");
                self.add(&format!("/spec/{direction}"), &expected);
            }
        }
    }

    fn types<'a>(&mut self, types: Option<&'a Value>) -> Option<Vec<&'a str>> {
        let list = match types {
            None | Some(Value::Null) => return None,
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.add("/spec/policyTypes", "a list of Ingress and Egress");
                return None;
            }
        };
        for (index, entry) in list.iter().enumerate() {
            if !matches!(entry.as_str(), Some("Ingress" | "Egress")) {
                self.add(&format!("/spec/policyTypes/{index}"), "Ingress or Egress");
            }
        }
        Some(list.iter().filter_map(Value::as_str).collect())
    }

    fn rules(&mut self, direction: &str, peers: &str, rules: Option<&Value>) {
        let at = format!("/spec/{direction}");
        for (index, rule) in self.list(&at, rules).iter().enumerate() {
            let at = format!("{at}/{index}");
            let Value::Object(rule) = rule else {
                self.add(&at, "a rule");
                continue;
            };
            self.keys(&at, rule, &[peers, "ports"]);
            let peers_at = format!("{at}/{peers}");
            for (index, peer) in self.list(&peers_at, rule.get(peers)).iter().enumerate() {
                self.peer(&format!("{peers_at}/{index}"), peer);
            }
            let ports_at = format!("{at}/ports");
            for (index, port) in self.list(&ports_at, rule.get("ports")).iter().enumerate() {
                self.port(&format!("{ports_at}/{index}"), port);
            }
        }
    }

    fn peer(&mut self, at: &str, peer: &Value) {
        let Value::Object(peer) = peer else {
            return self.add(at, "a peer");
        };
        self.keys(at, peer, &["podSelector", "namespaceSelector", "ipBlock"]);
        for key in ["podSelector", "namespaceSelector"] {
            if let Some(selector) = peer.get(key).filter(|selector| !selector.is_null()) {
                self.selector(&format!("{at}/{key}"), selector);
            }
        }
        let has = |key| peer.get(key).is_some_and(|value: &Value| !value.is_null());
        let block_at = format!("{at}/ipBlock");
        match peer.get("ipBlock") {
            None | Some(Value::Null) if !has("podSelector") && !has("namespaceSelector") => {
                self.add(at, "podSelector, namespaceSelector or ipBlock");
            }
            None | Some(Value::Null) => {}
            Some(_) if has("podSelector") || has("namespaceSelector") => {
                self.add(&block_at, "nothing beside a selector");
            }
            Some(Value::Object(block)) => self.block(&block_at, block),
            Some(_) => self.add(&block_at, "cidr and except"),
        }
    }

    fn block(&mut self, at: &str, block: &Map<String, Value>) {
        self.keys(at, block, &["cidr", "except"]);
        let whole = block.get("cidr").and_then(Value::as_str).and_then(cidr);
        if whole.is_none() {
            self.add(&format!("{at}/cidr"), "an address range such as 10.0.0.0/8");
        }
        let except_at = format!("{at}/except");
        for (index, hole) in self.list(&except_at, block.get("except")).iter().enumerate() {
            let hole = hole.as_str().and_then(cidr);
            let inside = matches!((whole, hole), (Some(whole), Some(hole)) if is_within(hole, whole));
            if !inside && whole.is_some() {
                self.add(&format!("{except_at}/{index}"), "an address range inside cidr");
            }
        }
    }

    fn port(&mut self, at: &str, port: &Value) {
        let Value::Object(port) = port else {
            return self.add(at, "a port");
        };
        self.keys(at, port, &["protocol", "port", "endPort"]);
        if !matches!(port.get("protocol"), None | Some(Value::Null))
            && !matches!(
                port.get("protocol").and_then(Value::as_str),
                Some("TCP" | "UDP" | "SCTP")
            )
        {
            self.add(&format!("{at}/protocol"), "TCP, UDP or SCTP");
        }
        let first = match port.get("port") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) if is_port_name(name) => None,
            Some(number) if number.as_i64().is_some_and(is_port) => number.as_i64(),
            Some(_) => return self.add(&format!("{at}/port"), "1 to 65535, or the name of a port"),
        };
        match port.get("endPort") {
            None | Some(Value::Null) => {}
            Some(end)
                if end
                    .as_i64()
                    .is_some_and(|end| is_port(end) && first.is_some_and(|first| first <= end)) => {}
            Some(_) => self.add(&format!("{at}/endPort"), "a number that is not below port"),
        }
    }

    fn selector(&mut self, at: &str, selector: &Value) {
        let Value::Object(selector) = selector else {
            return self.add(at, "a label selector");
        };
        self.keys(at, selector, &["matchLabels", "matchExpressions"]);
        match selector.get("matchLabels") {
            None | Some(Value::Null) => {}
            Some(Value::Object(labels)) => {
                for (key, value) in labels {
                    let is_value = matches!(value, Value::String(text) if is_label_value(text));
                    if !is_label_key(key) || !is_value {
                        self.add(
                            &format!("{at}/matchLabels/{}", escape(key)),
                            "a label key with a label value",
                        );
                    }
                }
            }
            Some(_) => self.add(&format!("{at}/matchLabels"), "labels"),
        }
        let expressions_at = format!("{at}/matchExpressions");
        for (index, expression) in self
            .list(&expressions_at, selector.get("matchExpressions"))
            .iter()
            .enumerate()
        {
            self.expression(&format!("{expressions_at}/{index}"), expression);
        }
    }

    fn expression(&mut self, at: &str, expression: &Value) {
        let text = |key| expression.get(key).and_then(Value::as_str);
        if !text("key").is_some_and(is_label_key) {
            self.add(&format!("{at}/key"), "a label key");
        }
        let values = expression.get("values").filter(|values| !values.is_null());
        let count = values.and_then(Value::as_array).map(Vec::len);
        let values_at = format!("{at}/values");
        match (text("operator"), values, count) {
            (Some("In" | "NotIn"), Some(_), Some(1..)) => {
                let list = values.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
                if !list.iter().all(|value| value.as_str().is_some_and(is_label_value)) {
                    self.add(&values_at, "label values");
                }
            }
            (Some("In" | "NotIn"), ..) => self.add(&values_at, "at least one value"),
            (Some("Exists" | "DoesNotExist"), Some(_), Some(1..) | None) => self.add(&values_at, "no values"),
            (Some("Exists" | "DoesNotExist"), ..) => {}
            _ => self.add(&format!("{at}/operator"), "In, NotIn, Exists or DoesNotExist"),
        }
    }

    fn list<'a>(&mut self, at: &str, value: Option<&'a Value>) -> &'a [Value] {
        match value {
            None | Some(Value::Null) => &[],
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.add(at, "a list");
                &[]
            }
        }
    }

    fn keys(&mut self, at: &str, fields: &Map<String, Value>, known: &[&str]) {
        for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
            self.add(&format!("{at}/{}", escape(key)), "no field of this name");
        }
    }
}

fn cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let length: u8 = length.parse().ok()?;
    (length <= if address.is_ipv4() { 32 } else { 128 }).then_some((address, length))
}

fn is_within((inner, inner_length): (IpAddr, u8), (outer, length): (IpAddr, u8)) -> bool {
    let bits = |address| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 4),
        IpAddr::V6(address) => (u128::from(address), 6),
    };
    let ((inner, inner_family), (outer, outer_family)) = (bits(inner), bits(outer));
    let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or_default();
    inner_family == outer_family && inner_length > length && inner & mask == outer & mask
}

const fn is_port(number: i64) -> bool {
    matches!(number, 1..=65535)
}

fn is_port_name(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name.contains(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_subdomain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            ends(label.chars().next())
                && ends(label.chars().next_back())
                && label
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        })
}

fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_name(name),
        None => is_label_name(key),
    }
}

fn is_label_name(name: &str) -> bool {
    !name.is_empty() && is_label_value(name)
}

fn is_label_value(value: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= 63
        && ends(value.chars().next())
        && ends(value.chars().next_back())
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pointers(spec: &Value) -> Vec<String> {
        let policy = json!({"metadata": {"name": "p"}, "spec": spec});
        of(&policy).into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn a_sound_policy_has_no_faults() {
        let spec = json!({
            "podSelector": {"matchExpressions": [{"key": "example.com/app", "operator": "In", "values": ["a", ""]}]},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}}], "ports": [{"port": "http"}]}],
            "egress": [{}, {"ports": [{"protocol": "UDP", "port": 53, "endPort": 54}]}],
        });
        assert_eq!(pointers(&spec), [""; 0]);
    }

    #[test]
    fn each_part_that_does_nothing_is_found() {
        let rule = |rule: Value| json!({"podSelector": {}, "ingress": [rule]});
        for (spec, pointer) in [
            (json!({"policyTypes": ["Ingress"]}), "/spec/podSelector"),
            (json!({"podSelector": {}, "policyType": []}), "/spec/policyType"),
            (
                json!({"podSelector": {}, "policyTypes": ["ingress"]}),
                "/spec/policyTypes/0",
            ),
            (
                json!({"podSelector": {}, "policyTypes": ["Ingress"], "egress": [{}]}),
                "/spec/egress",
            ),
            (rule(json!({"to": []})), "/spec/ingress/0/to"),
            (rule(json!({"from": [{}]})), "/spec/ingress/0/from/0"),
            (
                rule(json!({"from": [{"ipBlock": {"cidr": "10.0.0.0"}}]})),
                "/spec/ingress/0/from/0/ipBlock/cidr",
            ),
            (
                rule(json!({"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}}]})),
                "/spec/ingress/0/from/0/ipBlock/except/0",
            ),
            (rule(json!({"ports": [{"port": 0}]})), "/spec/ingress/0/ports/0/port"),
            (
                rule(json!({"ports": [{"port": 53, "endPort": 50}]})),
                "/spec/ingress/0/ports/0/endPort",
            ),
        ] {
            assert_eq!(pointers(&spec), [pointer], "{spec}");
        }
    }
}
