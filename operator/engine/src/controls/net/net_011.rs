//! NET-011 Dangerous setting of ingress-nginx, or the retired controller itself

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, ObjectScope, Severity, Threat, WorkloadScope};
use crate::model::image::Image;
use crate::model::literal::escape;
use crate::model::{Ingress, Kind, Resource};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("NET-011"),
    title: "Dangerous setting of ingress-nginx, or the retired controller itself",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::InsiderThreat],
    frameworks: &[
        nsa(&["U-01", "U-04"]),
        kubescape(&["C-0059", "C-0292"]),
        trivy(&["KCV-0093"]),
        mitre(&["T1190", "T1552.007"]),
    ],
    docs: Docs {
        why: "Snippets and unchecked annotations are written into the configuration of a controller that can read every Secret: whoever may create an Ingress gets them all (CVE-2021-25742, CVE-2021-25745, CVE-2025-1974). The project is retired, so that the next flaw stays.",
        reads: "Annotations and paths of Ingresses; `allow-snippet-annotations` of ConfigMaps; images of workloads.",
        allowed: "No `*-snippet` annotation, no character of the configuration language in addresses and names, no path to files of the controller, no setting that allows snippets, and no ingress-nginx controller.",
        repair: "None: routing may depend on it.",
        breaks: "Rules of routing that are written as snippets.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Upgrading and application security practices",
            "Kubernetes security advisories CVE-2021-25742, CVE-2021-25745 and CVE-2025-1974",
            "Kubernetes blog, Ingress NGINX Retirement",
        ],
    },
    check: Check::Object(workloads_and!(Kind::Ingress, Kind::ConfigMap), check),
    ..Control::WORKLOAD
};

fn check(at: &ObjectScope<'_>, judgement: &mut Judgement) {
    judgement.pass();
    if let Some(ingress) = at.ingress() {
        check_ingress(ingress, judgement);
    } else if let Some(Resource::ConfigMap(map)) = at.resource() {
        if map.allow_snippets == Some(true) {
            judgement.fail("data.allow-snippet-annotations", Some(json!("true")), "false or absent");
        }
    } else if let Some(workload) = at.workload() {
        check_controller(&workload, judgement);
    }
}

const PREFIX: &str = "nginx.ingress.kubernetes.io/";

/// Annotations whose value goes into the controller's configuration as an address or a name, and so must be one.
const PLAIN: [&str; 6] = [
    "auth-url",
    "auth-signin",
    "auth-tls-match-cn",
    "mirror-target",
    "mirror-host",
    "auth-tls-error-page",
];

fn check_ingress(ingress: &Ingress, judgement: &mut Judgement) {
    for (name, value) in &ingress.metadata.annotations {
        let Some(name) = name.strip_prefix(PREFIX) else {
            continue;
        };
        let pointer = format!("/metadata/annotations/{}", escape(&format!("{PREFIX}{name}")));
        let shown = json!(value.chars().take(200).collect::<String>());
        if name.ends_with("-snippet") {
            judgement.fail_at(
                &pointer,
                Some(shown),
                "absent: a snippet can read what the controller can",
            );
        } else if PLAIN.contains(&name) && value.contains(['|', ';', '\n', '\r', '{', '}', '#', '`', '"']) {
            judgement.fail_at(
                &pointer,
                Some(shown),
                "an address or a name without characters of the configuration",
            );
        }
    }
    let rules = ingress.spec.rules.iter().enumerate();
    for (rule, http) in rules.filter_map(|(at, rule)| Some((at, rule.http.as_ref()?))) {
        for (index, path) in http.paths.iter().enumerate() {
            let text = path.path.as_deref().unwrap_or_default();
            if FILES.iter().any(|file| text.contains(file)) || text.contains([';', '{', '}', '\n']) {
                let pointer = format!("/spec/rules/{rule}/http/paths/{index}/path");
                judgement.fail_at(&pointer, Some(json!(text)), "a path of the application");
            }
        }
    }
}

/// Files of the controller that a path must not lead to (CVE-2021-25745).
const FILES: [&str; 6] = [
    "/etc/",
    "/root",
    "/var/run/secrets",
    "/run/secrets",
    "/proc/",
    "serviceaccount",
];

fn check_controller(at: &WorkloadScope<'_>, judgement: &mut Judgement) {
    for container in at.template().containers() {
        judgement.enter_container(&container);
        let image = Image::parse(&container.container.image);
        let name = image.repository.rsplit('/').next().unwrap_or_default();
        let of_project = image.repository.contains("ingress-nginx/controller");
        if of_project
            || matches!(
                name,
                "nginx-ingress-controller" | "nginx-controller" | "ingress-nginx-controller"
            )
        {
            let expected = "a controller that is still maintained: ingress-nginx is retired since March 2026";
            judgement.fail("image", Some(json!(container.container.image)), expected);
        }
    }
}
