//! Needs that Services and Ingresses state.

use super::{Around, From, Need, Port, Ports};
use crate::model::LabelSelector;
use crate::model::network::{IngressBackend, IngressServicePort, Protocol, Service, ServicePort};
use crate::network::ports::PortRange;

/// Names of ports that are scraped, as ServiceMonitors and PodMonitors of common charts refer to them. Who scrapes is not known.
const METRICS: [&str; 2] = ["metrics", "monitoring"];

pub(super) fn needs(around: &Around<'_>) -> Vec<Need> {
    let services = around
        .shard
        .services
        .values()
        .filter(|service| service.spec.selects_pods());
    let mut needs: Vec<Need> = services.flat_map(|service| of_service(service, around)).collect();
    needs.extend(around.shard.ingresses.values().flat_map(|ingress| {
        let backends = ingress.spec.default_backend.iter().chain(
            ingress
                .spec
                .rules
                .iter()
                .filter_map(|rule| rule.http.as_ref())
                .flat_map(|http| http.paths.iter().map(|path| &path.backend)),
        );
        let why = format!("Ingress {}", ingress.metadata.name);
        backends.filter_map(move |backend| of_backend(backend, &why, around))
    }));
    needs
}

/// Whether a port with this name is meant for scraping.
pub(super) fn is_metrics(name: &str) -> bool {
    METRICS.contains(&name) || name.ends_with("-metrics") || name.starts_with("metrics-") || name.starts_with("prom")
}

/// The ports of its pods that a port of a Service leads to: the target port by number, or by name together with the numbers that the name means today.
pub(super) fn target(service: &Service, port: &ServicePort, around: &Around<'_>) -> Vec<Port> {
    let Some(protocol) = Protocol::parse(port.protocol.as_deref()) else {
        return Vec::new();
    };
    let number = |number: u64| u16::try_from(number).ok().filter(|number| *number != 0);
    match &port.target_port {
        Some(serde_json::Value::String(name)) if !name.is_empty() => {
            let declared = around
                .endpoints
                .iter()
                .filter(|endpoint| endpoint.labels.contain(&service.spec.selector))
                .flat_map(|endpoint| &endpoint.ports)
                .filter(|declared| declared.protocol == protocol && declared.name.as_deref() == Some(name))
                .map(|declared| Port::Numbers(PortRange::one(protocol, declared.port)));
            std::iter::once(Port::Named(protocol, name.clone()))
                .chain(declared)
                .collect()
        }
        // The API server fills in the port where the target is absent; 0 and "" count as absent.
        target => target
            .as_ref()
            .and_then(serde_json::Value::as_u64)
            .and_then(number)
            .or_else(|| u64::try_from(port.port).ok().and_then(number))
            .map(|port| Port::Numbers(PortRange::one(protocol, port)))
            .into_iter()
            .collect(),
    }
}

/// All target ports of a Service.
pub(super) fn targets(service: &Service, around: &Around<'_>) -> Option<Ports> {
    Ports::of(service.spec.ports.iter().flat_map(|port| target(service, port, around)))
}

pub(super) fn selector(service: &Service) -> LabelSelector {
    LabelSelector::of_labels(&service.spec.selector)
}

fn of_service(service: &Service, around: &Around<'_>) -> Vec<Need> {
    let name = &service.metadata.name;
    let need = |from, ports, why| Need {
        to: selector(service),
        from,
        ports,
        why,
    };
    let mut needs = Vec::new();
    // A headless Service hands out the addresses of pods: its list of ports limits nobody.
    let inside = if service.spec.is_headless() {
        Some(Ports::All)
    } else {
        targets(service, around)
    };
    needs.extend(inside.map(|ports| need(around.whole_namespace(), ports, format!("Service {name}"))));
    let Some(ports) = targets(service, around) else {
        return needs;
    };
    if service.spec.is_exposed() {
        let kind = service.spec.kind.as_deref().unwrap_or("ClusterIP");
        needs.push(need(From::Anyone, ports.clone(), format!("{kind} Service {name}")));
    }
    for caller in callers(service, around) {
        needs.push(need(
            From::Anyone,
            ports.clone(),
            format!("{caller} through Service {name}"),
        ));
    }
    let annotation = |key: &str| service.metadata.annotations.get(key).map(String::as_str);
    if annotation("prometheus.io/scrape") == Some("true") {
        let port = annotation("prometheus.io/port").and_then(|port| port.parse().ok());
        let scraped = port.map_or(ports, scraped);
        needs.push(need(
            From::Anyone,
            scraped,
            format!("scrape annotation of Service {name}"),
        ));
    }
    let metrics = service
        .spec
        .ports
        .iter()
        .filter(|port| port.name.as_deref().is_some_and(is_metrics))
        .flat_map(|port| target(service, port, around));
    needs.extend(Ports::of(metrics).map(|ports| need(From::Anyone, ports, format!("metrics port of Service {name}"))));
    needs
}

/// What makes the API server call a Service. The source of such a call is a node, a tunnel, or an address outside: not known.
pub(super) fn callers<'a>(service: &'a Service, around: &Around<'a>) -> impl Iterator<Item = &'a str> {
    let namespace = around.name;
    around
        .world
        .api_server_backends
        .iter()
        .filter(move |backend| backend.namespace == namespace && backend.service == service.metadata.name)
        .map(|backend| backend.caller.as_str())
}

/// Prometheus scrapes over TCP.
pub(super) fn scraped(port: u16) -> Ports {
    Ports::These([Port::Numbers(PortRange::one(Protocol::Tcp, port))].into())
}

/// Where an ingress controller runs is not known: in some namespace, on the nodes' network, or as the cloud's load balancer.
fn of_backend(backend: &IngressBackend, why: &str, around: &Around<'_>) -> Option<Need> {
    let backend = backend.service.as_ref()?;
    let service = around.shard.services.get(backend.name.as_str())?;
    if !service.spec.selects_pods() {
        return None;
    }
    let is_meant = |port: &&ServicePort| match &backend.port {
        IngressServicePort {
            number: Some(number), ..
        } => port.port == *number,
        IngressServicePort { name: Some(name), .. } => port.name.as_ref() == Some(name),
        IngressServicePort { .. } => true,
    };
    let ports = service.spec.ports.iter().filter(is_meant);
    let ports = Ports::of(ports.flat_map(|port| target(service, port, around))).or_else(|| targets(service, around))?;
    Some(Need {
        to: selector(service),
        from: From::Anyone,
        ports,
        why: why.to_owned(),
    })
}
