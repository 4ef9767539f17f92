//! SA-005 Credentials of the cloud on the node mounted

use serde_json::json;

use crate::controls::catalogue::{kubescape, mitre, nsa};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("SA-005"),
    title: "Credentials of the cloud on the node mounted",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["N-23"]),
        kubescape(&["C-0020"]),
        mitre(&["T1552.001", "T1552.005"]),
    ],
    docs: Docs {
        why: "The node's configuration for its cloud holds credentials that can start and delete machines, disks and networks.",
        reads: "`volumes[].hostPath.path` of the pod.",
        allowed: "No path under which AWS, Azure or Google clouds keep credentials.",
        repair: "None: the program needs another identity first.",
        breaks: "Programs that use the node's credentials; use workload identity instead.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Network separation and hardening",
            "Kubernetes documentation, Security Checklist",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

/// Parts of paths under which clouds keep credentials of the node.
const PLACES: [&str; 12] = [
    "/.aws",
    "/.azure",
    "/.config/gcloud",
    "/.kube",
    "azure.json",
    "/etc/aws",
    "/etc/gce",
    "cloud-config",
    "cloud.conf",
    "cloud.json",
    "gce.conf",
    "gcloud",
];

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    judgement.pass(); // a pod without volumes is as it should be
    for (index, volume) in at.spec().volumes.iter().enumerate() {
        let Some(host) = &volume.host_path else { continue };
        if PLACES.iter().any(|place| host.path.contains(place)) {
            let pointer = format!("/spec/volumes/{index}/hostPath/path");
            judgement.fail_at(&pointer, Some(json!(host.path)), "an identity of the workload's own");
        }
    }
}
