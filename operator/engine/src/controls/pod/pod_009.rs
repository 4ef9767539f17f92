//! POD-009 Privilege escalation allowed

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_restricted, trivy};
use crate::controls::{
    Check, ContainerScope, Control, ControlId, Docs, Judgement, Repair, RepairBy, Risk, Severity, TemplateEdit, Threat,
    WorkloadScope,
};
use crate::plan::Held;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-009"),
    title: "Privilege escalation allowed",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-15"]),
        pss_restricted(&["allowPrivilegeEscalation"]),
        cis(&["5.2.6"]),
        kubescape(&["C-0016", "C-0197"]),
        trivy(&["KSV-0001"]),
        mitre(&["T1068"]),
    ],
    docs: Docs {
        why: "A process may gain more rights than its parent through setuid binaries or file capabilities unless `allowPrivilegeEscalation` is false.",
        reads: "`securityContext.allowPrivilegeEscalation` of containers, init containers and ephemeral containers.",
        allowed: "`false`. Not applicable to Windows pods.",
        repair: "Sets `false` on declared containers. Held beside `privileged: true` and SYS_ADMIN: the API server refuses the combination, or it contradicts itself.",
        breaks: "sudo, setuid and file-capability binaries.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, restricted, Privilege Escalation",
            "CIS Kubernetes Benchmark 5.2.6",
            "Kubernetes documentation, Configure a Security Context for a Pod or Container",
        ],
    },
    check: Check::EachContainer(check),
    repair: Some(Repair {
        risk: Risk::Low,
        by: RepairBy::EachContainer(repair),
    }),
    writes: &["containers[].securityContext.allowPrivilegeEscalation"],
    ..Control::WORKLOAD
};

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    if at.pod.spec().is_windows() {
        return judgement.not_applicable("Windows pods have no such field");
    }
    judgement.expect(
        "securityContext.allowPrivilegeEscalation",
        at.container.security().allow_privilege_escalation,
        false,
    );
}

fn repair(at: &ContainerScope<'_>, _: &WorkloadScope<'_>, edit: &mut TemplateEdit<'_>) -> Result<(), Held> {
    let (container, name) = (at.container, &at.container.name);
    // Validation looks for this spelling only, although the documentation says the same of the capability by any name.
    if container.is_privileged()
        || container
            .added_capabilities()
            .iter()
            .any(|added| added == "CAP_SYS_ADMIN")
    {
        return Err(Held::RefusedByApiServer {
            container: name.clone(),
            rule: "allowPrivilegeEscalation cannot be false beside privileged or CAP_SYS_ADMIN".to_owned(),
        });
    }
    if container.adds("SYS_ADMIN") || container.adds("ALL") {
        return Err(Held::WouldBreak {
            evidence: format!(
                "container {name} asks for SYS_ADMIN, beside which allowPrivilegeEscalation is always true"
            ),
        });
    }
    edit.set(at, "securityContext.allowPrivilegeEscalation", false);
    Ok(())
}
