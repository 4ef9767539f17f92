//! POD-005 Host path mounted

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-005"),
    title: "Host path mounted",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-12"]),
        pss_baseline(&["hostPathVolumes"]),
        cis(&["5.2.11"]),
        kubescape(&["C-0048", "C-0045", "C-0203"]),
        trivy(&["KSV-0023"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "A path of the node inside a container is a way out of it: credentials and logs can be read through it, and with write access programs of the node replaced. A read-only mount still leaks, and a symbolic link can lead elsewhere.",
        reads: "`volumes[].hostPath` of the pod, and `volumeMounts[].readOnly` where one is mounted. PersistentVolumes that are backed by a host path are not looked at.",
        allowed: "No hostPath volume, mounted or not.",
        repair: "None: whether the container only reads the path cannot be seen from outside it.",
        breaks: "Log shippers, storage and network plugins, and other node agents lose the files they work on.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, HostPath Volumes",
            "CIS Kubernetes Benchmark 1.12, 5.2.11",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    judgement.pass(); // a pod without volumes is as it should be
    for (index, volume) in at.spec().volumes.iter().enumerate() {
        if let Some(host) = &volume.host_path {
            let pointer = format!("/spec/volumes/{index}/hostPath/path");
            judgement.fail_at(&pointer, Some(json!(host.path)), "a volume of another type");
        }
    }
    let of_node = |name: &str| {
        at.spec()
            .volumes
            .iter()
            .any(|volume| volume.name == name && volume.host_path.is_some())
    };
    for at in at.containers() {
        judgement.enter_container(&at);
        for (index, mount) in at.container.volume_mounts.iter().enumerate() {
            if of_node(&mount.name) && mount.read_only != Some(true) {
                let found = mount.read_only.map(|read_only| json!(read_only));
                judgement.fail(
                    &format!("volumeMounts.{index}.readOnly"),
                    found,
                    "true, where the path is needed at all",
                );
            }
        }
    }
}
