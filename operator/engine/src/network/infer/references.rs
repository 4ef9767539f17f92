//! Needs that other namespaces state: Services named in the pod templates of workloads elsewhere, and ExternalName aliases.

use std::collections::BTreeMap;

use super::pods::lasting_selector;
use super::services;
use super::{Around, From, Need};
use crate::model::{LabelSelector, Workload};

/// A consumer of a Service in another namespace: where, which pods (`None` where no policy can name them), and in words.
type Consumer = (String, Option<LabelSelector>, String);

pub(super) fn needs(around: &Around<'_>) -> Vec<Need> {
    let mut consumers: BTreeMap<&str, Vec<Consumer>> = BTreeMap::new();
    let elsewhere = around
        .world
        .shards
        .iter()
        .filter(|(name, _)| name.as_ref() != around.name);
    for (namespace, shard) in elsewhere {
        for alias in shard.services.values() {
            let target = alias.spec.external_name.as_deref().unwrap_or_default();
            for service in named_in(target, around) {
                let why = format!("ExternalName Service {namespace}/{}", alias.metadata.name);
                let all = Some(LabelSelector::default());
                consumers
                    .entry(service)
                    .or_default()
                    .push((namespace.to_string(), all, why));
            }
        }
        for workload in shard.workloads.values() {
            for service in named_in(&workload.template.text, around) {
                let why = format!("{} names it", workload.reference());
                consumers
                    .entry(service)
                    .or_default()
                    .push((namespace.to_string(), consumer_pods(workload), why));
            }
        }
    }
    consumers
        .into_iter()
        .flat_map(|(name, consumers)| {
            let service = around.shard.services.get(name);
            let needed = service.and_then(|service| Some((service, services::targets(service, around)?)));
            consumers.into_iter().filter_map(move |(namespace, pods, why)| {
                let (service, ports) = needed.clone()?;
                Some(Need {
                    to: services::selector(service),
                    from: pods.map_or(From::Anyone, |pods| From::Elsewhere { namespace, pods }),
                    ports,
                    why: format!("Service {name}: {why}"),
                })
            })
        })
        .collect()
}

/// Pods of the consumer: by its own selector; all of its namespace where it has none that lasts; nothing that a policy could name on the node's network.
fn consumer_pods(workload: &Workload) -> Option<LabelSelector> {
    (workload.template.spec.host_network != Some(true)).then(|| lasting_selector(workload).unwrap_or_default())
}

/// Services of this namespace that a text names by their DNS name: `web.shop`, `web.shop.svc`, `db-0.db.shop.svc.cluster.local`. A longer name such as
/// `web.shop.example.com` is somebody else's.
fn named_in<'a>(text: &str, around: &Around<'a>) -> Vec<&'a str> {
    let suffix = format!(".{}", around.name);
    let mut found: Vec<&str> = text
        .match_indices(&suffix)
        .filter(|(at, _)| ends_name(&text[at + suffix.len()..]))
        .filter_map(|(at, _)| {
            let start = text[..at].rfind(|c: char| !is_label(c)).map_or(0, |i| i + 1);
            let (name, service) = around.shard.services.get_key_value(&text[start..at])?;
            service.spec.selects_pods().then_some(name.as_ref())
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether the name of a namespace ends here: nothing of a DNS name follows, or `.svc` does.
fn ends_name(rest: &str) -> bool {
    let mut following = rest.chars();
    match following.next() {
        Some('.') => match rest.strip_prefix(".svc") {
            Some(rest) => !rest.starts_with(is_label),
            // A full stop at the end of a sentence, or of an absolute name.
            None => !following.next().is_some_and(is_label),
        },
        Some(c) => !is_label(c),
        None => true,
    }
}

fn is_label(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

#[cfg(test)]
mod tests {
    use super::ends_name;

    #[test]
    fn a_name_ends_where_dns_says() {
        for rest in [
            "",
            ":8080/",
            ".svc",
            ".svc:80",
            ".svc.cluster.local",
            "/path",
            "\"",
            ". Next sentence",
        ] {
            assert!(ends_name(rest), "{rest:?}");
        }
        for rest in ["ping", "-b", ".example.com", ".svcs", "_x"] {
            assert!(!ends_name(rest), "{rest:?}");
        }
    }
}
