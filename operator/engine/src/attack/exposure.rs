//! What lets people in from outside.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::model::{Ingress, Kind, Labels, ObjectRef, Service, Workload};
use crate::world::Shard;

/// What exposes a Service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exposed {
    /// A load balancer.
    LoadBalancer,
    /// A port of every node.
    NodePort,
    /// Addresses that somebody gave it.
    ExternalIps,
    /// An Ingress of this name.
    Ingress(Arc<str>),
}

impl fmt::Display for Exposed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadBalancer => f.write_str("a load balancer"),
            Self::NodePort => f.write_str("a port of every node"),
            Self::ExternalIps => f.write_str("external addresses"),
            Self::Ingress(name) => write!(f, "Ingress {name}"),
        }
    }
}

/// The Services of a namespace that people outside reach, with what they select.
pub(super) fn exposed<'a>(namespace: &Arc<str>, shard: &'a Shard) -> BTreeMap<ObjectRef, (Exposed, &'a Labels)> {
    let mut exposed = BTreeMap::new();
    for service in shard.services.values() {
        let by = by_itself(service).or_else(|| by_ingress(shard, &service.metadata.name));
        if let Some(by) = by {
            let reference = ObjectRef::new(Kind::Service, namespace, &service.metadata.name);
            exposed.insert(reference, (by, &service.spec.selector));
        }
    }
    exposed
}

fn by_itself(service: &Service) -> Option<Exposed> {
    match service.spec.kind.as_deref() {
        Some("LoadBalancer") => Some(Exposed::LoadBalancer),
        Some("NodePort") => Some(Exposed::NodePort),
        Some("ExternalName") => None,
        _ => (!service.spec.external_ips.is_empty()).then_some(Exposed::ExternalIps),
    }
}

fn by_ingress(shard: &Shard, service: &str) -> Option<Exposed> {
    let sends = |ingress: &Ingress| {
        let paths = ingress.spec.rules.iter().filter_map(|rule| rule.http.as_ref());
        let backends = paths.flat_map(|http| &http.paths).map(|path| &path.backend);
        backends
            .chain(&ingress.spec.default_backend)
            .filter_map(|backend| backend.service.as_ref())
            .any(|backend| backend.name == service)
    };
    let found = shard.ingresses.iter().find(|(_, ingress)| sends(ingress));
    found.map(|(name, _)| Exposed::Ingress(Arc::clone(name)))
}

/// Whether a Service sends its traffic to the pods of a workload. One without a selector sends it where somebody else says.
pub(super) fn is_selected(workload: &Workload, selector: &Labels) -> bool {
    !selector.is_empty() && workload.template.labels.contain(selector)
}
