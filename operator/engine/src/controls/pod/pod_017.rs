//! POD-017 Volume type outside the restricted set

use serde_json::json;

use crate::controls::catalogue::{mitre, nsa, pss_restricted, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-017"),
    title: "Volume type outside the restricted set",
    severity: Severity::Low,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-12"]),
        pss_restricted(&["restrictedVolumes"]),
        trivy(&["KSV-0028"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "Volumes that name a server or a disk directly make the node connect or attach for whoever may create pods; the drivers behind them run as root on the node, and several have been removed for flaws of theirs.",
        reads: "`volumes[]` of the pod.",
        allowed: "configMap, csi, downwardAPI, emptyDir, ephemeral, image, persistentVolumeClaim, projected and secret. hostPath is judged by POD-005.",
        repair: "None: the data lies where the volume says.",
        breaks: "Pods lose the data on such volumes until they are claimed through a PersistentVolume.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, restricted, Volume Types",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

/// Sources that bind a pod to nothing outside the API (Pod Security Standards, restricted, Volume Types). `hostPath` is POD-005's.
const ALLOWED: [&str; 10] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "hostPath",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    judgement.pass(); // a pod without volumes is as it should be
    for (index, volume) in at.spec().volumes.iter().enumerate() {
        for source in volume.others.iter().filter(|source| !ALLOWED.contains(source)) {
            let pointer = format!("/spec/volumes/{index}/{source}");
            judgement.fail_at(
                &pointer,
                Some(json!(source)),
                "a PersistentVolumeClaim or another restricted type",
            );
        }
    }
}
