//! POD-002 Host PID or IPC namespace

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-002"),
    title: "Host PID or IPC namespace",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-10"]),
        pss_baseline(&["hostNamespaces"]),
        cis(&["5.2.3", "5.2.4"]),
        kubescape(&["C-0038", "C-0275", "C-0276"]),
        trivy(&["KSV-0010", "KSV-0008"]),
        mitre(&["T1611"]),
    ],
    docs: Docs {
        why: "In the node's PID namespace a container sees every process of the node with its environment, and with enough rights can signal or trace it. In the node's IPC namespace it reads and writes the shared memory of other programs.",
        reads: "`hostPID` and `hostIPC` of the pod.",
        allowed: "`false` or absent.",
        repair: "None: monitoring agents and debuggers use these namespaces on purpose.",
        breaks: "Programs that look at processes of the node see only their own pod.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, Host Namespaces",
            "CIS Kubernetes Benchmark 1.12, 5.2.3 and 5.2.4",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    judgement.reject("spec.hostPID", at.spec().host_pid, &true, "false or absent");
    judgement.reject("spec.hostIPC", at.spec().host_ipc, &true, "false or absent");
}
