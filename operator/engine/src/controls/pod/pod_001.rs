//! POD-001 Privileged container

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, trivy};
use crate::controls::{Check, Control, ControlId, Docs, Judgement, Severity, TemplateScope, Threat};

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-001"),
    title: "Privileged container",
    severity: Severity::Critical,
    threats: &[Threat::MaliciousActor],
    frameworks: &[
        nsa(&["P-09"]),
        pss_baseline(&["privileged", "windowsHostProcess"]),
        cis(&["5.2.2", "5.2.10"]),
        kubescape(&["C-0057", "C-0193", "C-0202"]),
        trivy(&["KSV-0017", "KSV-0103"]),
        mitre(&["T1611", "T1610"]),
    ],
    docs: Docs {
        why: "A privileged container has every capability, every device of the node and no seccomp or AppArmor confinement: whoever takes it over has the node. A Windows HostProcess container runs on the host itself.",
        reads: "`securityContext.privileged` and `securityContext.windowsOptions.hostProcess` of containers, init containers and ephemeral containers; `securityContext.windowsOptions.hostProcess` of the pod.",
        allowed: "`false` or absent.",
        repair: "None: what the container needs of the node cannot be seen from outside it.",
        breaks: "Node agents (network, storage, monitoring) that need the node stop working without it.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, baseline, Privileged Containers and HostProcess",
            "CIS Kubernetes Benchmark 1.12, 5.2.2 and 5.2.10",
        ],
    },
    check: Check::Template(check),
    ..Control::WORKLOAD
};

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    let pod = at.spec().security_context.as_ref();
    let host_process = pod.and_then(|context| context.windows_options.as_ref()?.host_process);
    judgement.reject(
        "spec.securityContext.windowsOptions.hostProcess",
        host_process,
        &true,
        "false or absent",
    );
    for at in at.containers() {
        judgement.enter_container(&at);
        let context = at.container.security();
        let host_process = context
            .windows_options
            .as_ref()
            .and_then(|options| options.host_process);
        judgement.reject(
            "securityContext.privileged",
            context.privileged,
            &true,
            "false or absent",
        );
        judgement.reject(
            "securityContext.windowsOptions.hostProcess",
            host_process,
            &true,
            "false or absent",
        );
    }
}
