//! POD-010 Dangerous capability added

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, ContainerScope, Control, ControlId, Docs, Judgement, Severity, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-010"),
    title: "Dangerous capability added",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-09", "P-15"]),
        pss_baseline(&["capabilities_baseline"]),
        cis(&["5.2.8"]),
        kubescape(&["C-0046", "C-0200"]),
        trivy(&["KSV-0005", "KSV-0119", "KSV-0120", "KSV-0022"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "A capability outside the runtime's default set is a piece of root's power over the node: SYS_ADMIN and SYS_MODULE amount to all of it, SYS_PTRACE and BPF read other processes, NET_ADMIN and NET_RAW rewrite and forge traffic.",
        reads: "`securityContext.capabilities.add` of containers, init containers and ephemeral containers.",
        allowed: "Absent, empty, or only AUDIT_WRITE, CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, NET_BIND_SERVICE, SETFCAP, SETGID, SETPCAP, SETUID, SYS_CHROOT, in this spelling.",
        repair: "None: the author asked for it by name.",
        breaks: "What the capability was asked for.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, Capabilities",
            "CIS Kubernetes Benchmark 1.12, 5.2.8",
            "capabilities(7)",
        ],
    },
    check: Check::EachContainer(check),
    ..Control::WORKLOAD
};

/// What container runtimes grant by default, without NET_RAW (Pod Security Standards, baseline, Capabilities).
const BASELINE: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    let added = at.container.added_capabilities();
    if added.iter().all(|capability| BASELINE.contains(&capability.as_str())) {
        judgement.pass();
    } else {
        let expected = format!("only {}", BASELINE.join(", "));
        judgement.fail("securityContext.capabilities.add", Some(json!(added)), &expected);
    }
}
