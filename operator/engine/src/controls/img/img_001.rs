//! IMG-001 Mutable image tag, or an image that is not pulled anew

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, trivy};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};
use crate::model::image::Image;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("IMG-001"),
    title: "Mutable image tag, or an image that is not pulled anew",
    severity: Severity::Medium,
    threats: &[Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-05"]),
        cis(&["1.2.11"]),
        kubescape(&["C-0075"]),
        trivy(&["KSV-0013"]),
        mitre(&["T1525", "T1204.003"]),
    ],
    docs: Docs {
        why: "A tag can be moved to another image. What runs then depends on when a node pulled it, differs between nodes, and cannot be rolled back to. An image that lies on a node is used without asking the registry whether the pod may have it.",
        reads: "`image` and `imagePullPolicy` of containers, init containers and ephemeral containers.",
        allowed: "A tag other than `latest` together with `imagePullPolicy: Always`; or a digest, beside which the policy does not matter.",
        repair: "None: which version was meant cannot be seen, and pulling each time ties each start to the registry.",
        breaks: "Pods cannot start while the registry is away.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "CIS Kubernetes Benchmark 1.12, 1.2.11",
            "Kubernetes documentation, Images",
        ],
    },
    check: Check::EachContainer(check),
    ..Control::WORKLOAD
};

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    let image = Image::parse(&at.container.image);
    if at.container.image.is_empty() || image.digest.is_some() {
        return judgement.pass();
    }
    if image.floats() {
        judgement.fail(
            "image",
            Some(json!(at.container.image)),
            "a tag that stands for one version, or a digest",
        );
    } else {
        judgement.pass();
    }
    // The API server's default: Always for `latest` and for no tag, else IfNotPresent.
    let policy = at.container.image_pull_policy.as_deref();
    let pulled = policy.unwrap_or(if image.floats() { "Always" } else { "IfNotPresent" });
    if pulled == "Always" {
        judgement.pass();
    } else {
        let expected = "Always, or an image with a digest";
        judgement.fail("imagePullPolicy", policy.map(|policy| json!(policy)), expected);
    }
}
