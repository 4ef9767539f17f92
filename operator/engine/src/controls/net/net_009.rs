//! NET-009 Sensitive interface exposed

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat, WorkloadScope};
use crate::model::Kind;
use crate::model::image::Image;
use crate::model::literal::escape;
use crate::model::network::IngressBackend;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-009"),
    title: "Sensitive interface exposed",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["N-11", "U-04"]),
        kubescape(&["C-0021", "C-0014", "C-0274"]),
        mitre(&["T1133", "T1190"]),
    ],
    docs: Docs {
        why: "Dashboards and job runners execute code or show secrets for whoever reaches them. Exposed without a login they are found by scanners within hours.",
        reads: "Images and names of workloads; type, names and selectors of Services; backends of Ingresses.",
        allowed: "No Tiller, not even its Service, and no Kubernetes Dashboard at all. Jenkins, Jupyter, Argo, Kubeflow, Prometheus and the like only inside the cluster: a Service that neither has a port of the node, a load balancer nor an Ingress.",
        repair: "None: whether the interface asks for a login cannot be seen from outside it.",
        breaks: "People who use the interface by that address.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Security Checklist",
        ],
    },
    check: Check::Object(workloads_and!(Kind::Service), check),
    ..Control::WORKLOAD
};

const TILLER: (&str, &str) = (
    "tiller",
    "no Tiller: Helm 3 needs none, and whoever reaches its port is cluster-admin",
);

/// Programs that give whoever reaches them the cluster, and that nobody should run any more.
const RETIRED: [(&str, &str); 2] = [
    TILLER,
    (
        "kubernetes-dashboard",
        "no Kubernetes Dashboard: it acts with its own rights for whoever reaches it, and is archived",
    ),
];

/// Programs that run code, or show secrets, for whoever reaches them.
const SENSITIVE: [&str; 22] = [
    "adminer",
    "airflow",
    "alertmanager",
    "argocd",
    "argo-server",
    "argo-workflows",
    "etcd",
    "jenkins",
    "jupyter",
    "jupyterhub",
    "kibana",
    "kubeflow",
    "mlflow",
    "phpmyadmin",
    "polyaxon",
    "portainer",
    "prometheus",
    "ray-head",
    "selenium",
    "traefik-dashboard",
    "weave-scope",
    "weave-scope-app",
];

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    judgement.pass();
    if let Some(workload) = at.workload() {
        return check_workload(&workload, judgement);
    }
    let Some(service) = at.service() else { return };
    let is_exposed = || service.spec.is_exposed() || is_behind_ingress(at);
    let labels = service.metadata.labels.values().chain(service.spec.selector.values());
    let names = || labels.clone().chain([&*at.target.name]);
    if let Some(name) = names().find(|name| has(name, TILLER.0)) {
        judgement.fail_at("/spec", Some(json!(name)), TILLER.1);
    } else if is_exposed()
        && let Some(name) = names().find_map(sensitive)
    {
        let expected = "inside the cluster only, or behind a login of its own";
        judgement.fail_at(
            "/spec",
            Some(json!(format!("{name} can be reached from outside"))),
            expected,
        );
    }
}

fn check_workload(at: &WorkloadScope<'_>, judgement: &mut Judgement) {
    let template = &at.workload.template;
    for container in at.template().containers() {
        judgement.enter_container(&container);
        let image = Image::parse(&container.container.image);
        if let Some((_, expected)) = RETIRED.iter().find(|(name, _)| has(image.repository, name)) {
            judgement.fail("image", Some(json!(container.container.image)), expected);
        }
    }
    judgement.enter(String::new(), None);
    let labels = template.labels.iter().chain(at.workload.meta.labels.iter());
    let named = labels.filter(|(key, _)| matches!(*key, "app" | "k8s-app" | "app.kubernetes.io/name"));
    for (key, value) in named {
        if let Some((_, expected)) = RETIRED.iter().find(|(name, _)| has(value, name)) {
            let pointer = format!("/metadata/labels/{}", escape(key));
            judgement.fail_at(&pointer, Some(json!(value)), expected);
            break;
        }
    }
}

/// Whether some Ingress of the namespace sends traffic to the Service.
fn is_behind_ingress(at: &ObjectScope<'_>) -> bool {
    let ingresses = at
        .world
        .shard(&at.target.namespace)
        .into_iter()
        .flat_map(|shard| shard.ingresses.values());
    let is_it = |backend: &IngressBackend| {
        backend
            .service
            .as_ref()
            .is_some_and(|service| *service.name == *at.target.name)
    };
    ingresses.map(|ingress| &ingress.spec).any(|spec| {
        let paths = spec
            .rules
            .iter()
            .filter_map(|rule| rule.http.as_ref())
            .flat_map(|http| &http.paths);
        spec.default_backend.as_ref().is_some_and(is_it) || paths.map(|path| &path.backend).any(is_it)
    })
}

fn sensitive(text: &str) -> Option<&'static str> {
    SENSITIVE.into_iter().find(|name| has(text, name))
}

/// Whether a name holds another as whole words: `shop-jenkins-1` holds `jenkins`, `tillering` does not hold `tiller`.
fn has(text: &str, name: &str) -> bool {
    let beginnings = memchr::memchr_iter(name.as_bytes()[0], text.as_bytes());
    let mut places = beginnings.filter(|at| text.as_bytes()[*at..].starts_with(name.as_bytes()));
    places.any(|at| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
        edge(text[..at].chars().next_back()) && edge(text[at + name.len()..].chars().next())
    })
}
