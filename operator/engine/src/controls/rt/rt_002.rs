//! RT-002 Container runtime takes orders from pods

use crate::components::{ComponentScope, place, runtime_sockets};
use crate::controls::catalogue::{kubescape, mitre, nsa, trivy};
use crate::controls::{Check, Component, Control, ControlId, Docs, Judgement, Severity, Threat};
use crate::model::Workload;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("RT-002"),
    title: "Container runtime takes orders from pods",
    severity: Severity::Critical,
    component: Component::ContainerRuntime,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-12", "P-21"]),
        kubescape(&["C-0074"]),
        trivy(&["KSV-0006"]),
        mitre(&["T1609", "T1610", "T1612"]),
    ],
    docs: Docs {
        why: "Whoever writes to the socket of the container runtime starts privileged containers on the node and looks into every other, past the API server, its admission and its audit log.",
        reads: "Volumes of all workloads of the cluster that are a host path to the socket of Docker, containerd, CRI-O, Podman or BuildKit. What a runtime listens on beside its socket, and how it is configured, no object shows.",
        allowed: "No workload with such a volume. It never passes: what is not on the API server stays unknown.",
        repair: "None: take the volume out of the workloads that are named (POD-006 judges each of them); build images with tools that need no runtime of the node.",
        breaks: "Tools that build images or watch containers through the runtime.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Kubernetes documentation, Security Checklist; Volumes, hostPath",
        ],
    },
    check: Check::Component(&[Component::ContainerRuntime], check),
    ..Control::COMPONENT
};

/// Places that are named; one is enough to fail.
const NAMED: usize = 20;

fn check(at: &ComponentScope<'_>, judgement: &mut Judgement) {
    if !at.is_cluster() {
        return;
    }
    let mounted = at.world.workloads().flat_map(|workload| {
        runtime_sockets(&workload.template.spec).map(move |(index, path)| (workload, index, path))
    });
    for (workload, index, path) in mounted.take(NAMED) {
        let object = place(&workload.reference());
        let template = Workload::template_pointer(workload.kind);
        let pointer = format!("{object}{template}/spec/volumes/{index}/hostPath/path");
        judgement.fail_at(&pointer, Some(path.into()), "no socket of the runtime");
    }
}
