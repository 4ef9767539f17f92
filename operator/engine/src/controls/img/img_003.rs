//! IMG-003 Image from a registry that is not allowed

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Parameter, Severity, Threat};
use crate::model::image::Image;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("IMG-003"),
    title: "Image from a registry that is not allowed",
    severity: Severity::High,
    threats: &[Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-05", "P-07"]),
        cis(&["5.5.1"]),
        kubescape(&["C-0001", "C-0078"]),
        trivy(&["KSV-0125"]),
        mitre(&["T1204.003"]),
    ],
    docs: Docs {
        why: "An image from a registry that nobody vouches for brings in whatever its publisher, or who took over the publisher, wants to run.",
        reads: "`image` of containers, init containers and ephemeral containers.",
        allowed: "Images of the registries, or parts of registries, that parameter `registries` lists. Docker Hub is `docker.io`, its official images `docker.io/library`. Not applicable without a list.",
        repair: "None: the same image may not exist elsewhere.",
        breaks: "Workloads whose images lie elsewhere.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "CIS Kubernetes Benchmark 1.12, 5.5.1",
        ],
    },
    parameters: &[Parameter {
        name: "registries",
        help: "Registries, with or without a path below them, whose images are allowed: `registry.example.com/shop`.",
        default: DEFAULT,
        accepts: |value| {
            let is_host = value
                .split('/')
                .next()
                .is_some_and(|host| host.contains('.') || host == "localhost");
            if is_host && !value.contains([' ', '*', '@']) && !value.contains("//") {
                Ok(())
            } else {
                Err(format!(
                    "`{value}` is not a registry; write a host, or a host with a path"
                ))
            }
        },
    }],
    check: Check::EachContainer(check),
    ..Control::WORKLOAD
};

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    let allowed = at.pod.parameters.values("registries", DEFAULT);
    if allowed.is_empty() || at.container.image.is_empty() {
        return judgement.not_applicable("no policy says which registries are allowed");
    }
    let image = Image::parse(&at.container.image);
    let name = format!("{}/{}", image.registry, image.repository);
    if allowed.iter().any(|allowed| is_below(&name, allowed)) {
        judgement.pass();
    } else {
        let expected = format!("an image of {}", allowed.join(", "));
        judgement.fail("image", Some(json!(at.container.image)), &expected);
    }
}

/// No list by default: which registries are trusted only their users know.
const DEFAULT: &[&str] = &[];

/// Whether an image lies in a registry or in a part of it. The part ends at a slash: `registry.example.com` does not allow `registry.example.com.evil.org`.
fn is_below(name: &str, allowed: &str) -> bool {
    name.strip_prefix(allowed.trim_end_matches('/'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
