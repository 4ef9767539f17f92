//! POD-003 Host network

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-003"),
    title: "Host network",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-11"]),
        pss_baseline(&["hostNamespaces"]),
        cis(&["5.2.5"]),
        kubescape(&["C-0041"]),
        trivy(&["KSV-0009"]),
        mitre(&["T1611", "T1046"]),
    ],
    docs: Docs {
        why: "On the node's network a container reaches services that listen on the node's loopback address, can watch the node's traffic, and is not held by NetworkPolicies on most network plugins.",
        reads: "`hostNetwork` of the pod.",
        allowed: "`false` or absent.",
        repair: "None: it would change the pod's address, its ports and who reaches it.",
        breaks: "Clients that use the node's address, and agents that manage the node's network.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, Host Namespaces",
            "CIS Kubernetes Benchmark 1.12, 5.2.5",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    judgement.reject("spec.hostNetwork", at.spec().host_network, &true, "false or absent");
}
