//! NET-012 Ingress for every host, or to a Service that is not there

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat};
use crate::model::Kind;
use crate::model::network::IngressBackend;
use crate::world::Reading;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-012"),
    title: "Ingress for every host, or to a Service that is not there",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[nsa(&["N-06", "N-17"]), kubescape(&["C-0266"]), mitre(&["T1190"])],
    docs: Docs {
        why: "A rule without a host, or for all hosts below a name, takes traffic that was meant for others in the cluster. A Service that does not exist can be created by whoever may create one in the namespace, who then gets the traffic.",
        reads: "`spec.defaultBackend`, hosts and backends of Ingresses; Services of the namespace.",
        allowed: "One host for each rule, no default backend, and backends that are Services that exist. Where only some manifests are given, a Service is missed only if others of its namespace are there.",
        repair: "None: which host was meant cannot be seen.",
        breaks: "Hosts that nobody listed.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Ingress",
        ],
    },
    check: Check::Object(&[Kind::Ingress], check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    let Some(ingress) = at.ingress() else { return };
    let spec = &ingress.spec;
    judgement.pass();
    if let Some(backend) = &spec.default_backend {
        let name = backend.service.as_ref().map(|service| json!(service.name));
        judgement.fail(
            "spec.defaultBackend",
            name.or(Some(json!("a resource"))),
            "rules for named hosts",
        );
    }
    for (index, rule) in spec.rules.iter().enumerate() {
        let host = rule.host.as_deref().unwrap_or_default();
        if host.is_empty() || host.starts_with('*') {
            let found = rule.host.as_ref().map(|host| json!(host));
            judgement.fail(&format!("spec.rules.{index}.host"), found, "one host");
        }
        for (path, entry) in rule.http.iter().flat_map(|http| &http.paths).enumerate() {
            check_backend(
                at,
                &format!("spec.rules.{index}.http.paths.{path}.backend"),
                &entry.backend,
                judgement,
            );
        }
    }
}

/// A backend must name a Service; where the Services of the namespace were read, or some of them given, it must be among them.
fn check_backend(at: &ObjectScope<'_>, path: &str, backend: &IngressBackend, judgement: &mut Judgement) {
    let Some(service) = &backend.service else {
        if !backend.is_resource() {
            judgement.fail(path, None, "a Service");
        }
        return;
    };
    let shard = at.world.shard(&at.target.namespace);
    let seen = shard.is_some_and(|shard| shard.services.contains_key(service.name.as_str()));
    let complete = *at.world.reading(Kind::Service, &at.target.namespace) == Reading::Complete;
    let given = shard.is_some_and(|shard| !shard.services.is_empty());
    if !seen && (complete || given) {
        judgement.fail(
            &format!("{path}.service.name"),
            Some(json!(service.name)),
            "a Service that exists",
        );
    }
}
