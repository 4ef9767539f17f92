//! IMG-002 Image not pinned by digest

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};
use crate::model::image::Image;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("IMG-002"),
    title: "Image not pinned by digest",
    severity: Severity::Medium,
    threats: &[Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-05"]),
        cis(&["5.5.1"]),
        kubescape(&["C-0306"]),
        mitre(&["T1525", "T1204.003"]),
    ],
    docs: Docs {
        why: "Only a digest names the bytes that run. A tag names whatever its registry serves under it now, so who can write to the registry, or pose as it, runs code in the cluster without touching a manifest.",
        reads: "`image` of containers, init containers and ephemeral containers.",
        allowed: "An image with a digest (`NAME@sha256:…`), with or without a tag.",
        repair: "None: pinning what runs would stop the next version from being taken in.",
        breaks: "Patches arrive only with a new manifest.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "CIS Kubernetes Benchmark 1.12, 5.5.1",
            "Kubernetes documentation, Images",
        ],
    },
    check: Check::EachContainer(check),
    ..Control::WORKLOAD
};

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    let image = &at.container.image;
    if image.is_empty() || Image::parse(image).digest.is_some() {
        judgement.pass();
    } else {
        judgement.fail("image", Some(json!(image)), "NAME@sha256:DIGEST");
    }
}
