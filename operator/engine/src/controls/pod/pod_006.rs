//! POD-006 Socket of the container runtime or sensitive path of the node mounted

use serde_json::json;

use crate::components::{is_runtime_socket, is_sensitive, normal};
use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-006"),
    title: "Socket of the container runtime or sensitive path of the node mounted",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-12"]),
        pss_baseline(&["hostPathVolumes"]),
        cis(&["5.2.11"]),
        kubescape(&["C-0074"]),
        trivy(&["KSV-0006", "KSV-0121"]),
        mitre(&["T1611", "T1609", "T1612"]),
    ],
    docs: Docs {
        why: "Who can write to the socket of the container runtime starts privileged containers on the node, past the API server and all admission. The paths of the kubelet, of etcd and of the node's configuration hold credentials that are worth as much.",
        reads: "`volumes[].hostPath.path` of the pod. PersistentVolumes that are backed by a host path are not looked at.",
        allowed: "No socket of Docker, containerd, CRI-O, Podman or BuildKit wherever it lies, and no path that is, lies in or holds a directory of the node's own, such as `/etc`, `/proc`, `/var/lib/kubelet` or `/`. Time zones, certificates of authorities and `os-release` are harmless.",
        repair: "None: build tools and node agents depend on these paths.",
        breaks: "Tools that build images or watch containers through the runtime; agents that configure the node.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "CIS Kubernetes Benchmark 1.12, 5.2.11",
            "Kubernetes documentation, Volumes, hostPath",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    judgement.pass(); // a pod without volumes is as it should be
    for (index, volume) in at.spec().volumes.iter().enumerate() {
        let Some(host) = &volume.host_path else { continue };
        let path = normal(&host.path);
        if is_runtime_socket(&path) || is_sensitive(&path) {
            let pointer = format!("/spec/volumes/{index}/hostPath/path");
            judgement.fail_at(
                &pointer,
                Some(json!(host.path)),
                "no socket of the runtime and no sensitive path",
            );
        }
    }
}
