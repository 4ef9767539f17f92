//! IMG-006 Image of a frozen registry, or replicas that run different images

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{
    Check, ContainerScope, Control, ControlId, Docs, Judgement, Need, Severity, Threat, WorkloadScope,
};
use std::collections::BTreeSet;

use crate::model::image::Image;
use crate::model::{ContainerKind, Kind, Pod};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("IMG-006"),
    title: "Image of a frozen registry, or replicas that run different images",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[nsa(&["L-16"]), kubescape(&["C-0253"]), mitre(&["T1036.005", "T1525"])],
    docs: Docs {
        why: "Replicas of one template that run different bytes mean that a tag was moved between two pulls, by a release or by an intruder. Images of a frozen registry get no more patches.",
        reads: "`image` of containers, init containers and ephemeral containers; `status.containerStatuses[].imageID` of the pods.",
        allowed: "One digest for all pods of the present template, and no image of k8s.gcr.io. Pods that do not report a digest are not compared.",
        repair: "None: a new rollout of a pinned image is the owner's to start.",
        breaks: "Nothing.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Audit logging and threat detection",
            "Kubernetes blog, k8s.gcr.io Image Registry Will Be Frozen (2023)",
        ],
    },
    needs: &[Need { kind: Kind::Pod }],
    check: Check::Workload(check),
    ..Control::WORKLOAD
};

fn check(at: &WorkloadScope<'_>, judgement: &mut Judgement) {
    for container in at.template().containers() {
        judgement.enter_container(&container);
        let image = Image::parse(&container.container.image);
        if image.registry == FROZEN {
            let found = json!(container.container.image);
            judgement.fail("image", Some(found), "an image of registry.k8s.io or of its publisher");
        } else if let Some(other) = differing(at, &container) {
            let expected = "one image for all replicas";
            judgement.fail("image", Some(json!(other)), expected);
        } else {
            judgement.pass();
        }
    }
}

/// A registry that takes no more images, so that what it holds gets no more patches.
const FROZEN: &str = "k8s.gcr.io";

/// The digests that pods of the present template report for a container, where they are not one and the same.
fn differing(at: &WorkloadScope<'_>, container: &ContainerScope<'_>) -> Option<String> {
    if container.kind != ContainerKind::Regular {
        return None;
    }
    let current = at.world.new_replica_set(at.workload);
    let of_current = |pod: &Pod| {
        let owner = pod.metadata.controller().map(|owner| owner.uid.as_str());
        current.is_none_or(|current| owner == Some(current.meta.uid.as_str()))
    };
    let digests: BTreeSet<&str> = at
        .world
        .pods_of(at.workload)
        .into_iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none() && of_current(pod))
        .flat_map(|pod| &pod.status.container_statuses)
        .filter(|status| status.name == container.container.name)
        .filter_map(|status| status.image_id.split_once('@').map(|(_, digest)| digest))
        .collect();
    (digests.len() > 1).then(|| digests.into_iter().collect::<Vec<_>>().join(", "))
}
