//! D-23: something can be reached from outside that could not before.

use std::collections::BTreeSet;

use super::Detection;
use super::change::Change;
use crate::model::{Ingress, Service};

pub(super) fn service_put(change: &mut Change<'_>, new: &Service) {
    let (namespace, name) = (&change.reference.namespace, &change.reference.name);
    let shard = change.before.shard(namespace);
    let old = shard.and_then(|shard| shard.services.get(name)).cloned();
    let kind = |service: &Service| service.spec.kind.clone().unwrap_or_else(|| "ClusterIP".to_owned());
    let is = kind(new);
    let opens = matches!(is.as_str(), "NodePort" | "LoadBalancer");
    let mut news = Vec::new();
    match old.as_deref().map(kind) {
        Some(was) if opens && was != is && was != "LoadBalancer" => {
            news.push(format!("type changed from {was} to {is}"));
        }
        None if opens => news.push(format!("is new, of type {is}")),
        _ => {}
    }
    let known: BTreeSet<&String> = old.iter().flat_map(|old| &old.spec.external_ips).collect();
    let added = new.spec.external_ips.iter().filter(|ip| !known.contains(ip));
    let added: Vec<&str> = added.map(String::as_str).collect();
    if !added.is_empty() {
        news.push(format!("gained the external IP {}", added.join(", ")));
    }
    if !news.is_empty() {
        change.saw(Detection::D23, news.join(", "));
    }
}

pub(super) fn ingress_put(change: &mut Change<'_>, new: &Ingress) {
    let (namespace, name) = (&change.reference.namespace, &change.reference.name);
    let shard = change.before.shard(namespace);
    let old = shard.and_then(|shard| shard.ingresses.get(name)).cloned();
    let known = old.as_deref().map(in_the_clear).unwrap_or_default();
    let opened: Vec<String> = in_the_clear(new).difference(&known).cloned().collect();
    if !opened.is_empty() {
        change.saw(Detection::D23, format!("serves {} without TLS", opened.join(", ")));
    }
}

/// Hosts without TLS. An entry of `tls` without hosts covers all of them (controllers take the certificate for the default one).
fn in_the_clear(ingress: &Ingress) -> BTreeSet<String> {
    let tls = &ingress.spec.tls;
    if tls.iter().any(|entry| entry.hosts.is_empty()) {
        return BTreeSet::new();
    }
    let covered = |host: &str| {
        tls.iter()
            .flat_map(|entry| &entry.hosts)
            .any(|pattern| covers(pattern, host))
    };
    let any = || "any host".to_owned();
    let hosts = ingress.spec.rules.iter().map(|rule| rule.host.clone());
    let mut open: BTreeSet<String> = hosts
        .filter(|host| !host.as_deref().is_some_and(covered))
        .map(|host| host.filter(|host| !host.is_empty()).unwrap_or_else(any))
        .collect();
    if ingress.spec.default_backend.is_some() {
        open.insert(any());
    }
    open
}

/// A wildcard stands for one label (RFC 6125, section 6.4.3).
fn covers(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        Some(domain) => host.split_once('.').is_some_and(|(_, rest)| rest == domain),
        None => pattern == host,
    }
}
