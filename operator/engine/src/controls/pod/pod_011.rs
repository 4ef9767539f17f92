//! POD-011 Capabilities not dropped

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_restricted, trivy};
use crate::controls::live::Identity;
use crate::controls::{
    Check, ContainerScope, Control, ControlId, Docs, Judgement, Repair, RepairBy, Risk, Severity, TemplateEdit, Threat,
    WorkloadScope,
};
use crate::model::Container;
use crate::plan::Held;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-011"),
    title: "Capabilities not dropped",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-15"]),
        pss_restricted(&["capabilities_restricted"]),
        cis(&["5.2.9", "5.2.8"]),
        kubescape(&["C-0201", "C-0199"]),
        trivy(&["KSV-0003", "KSV-0004", "KSV-0106"]),
        mitre(&["T1068", "T1611"]),
    ],
    docs: Docs {
        why: "Container runtimes grant more than a dozen capabilities by default. Root in the container has them at once, a setuid program gives them to others, and each widens what a kernel flaw can be reached with.",
        reads: "`securityContext.capabilities.drop` and `.add` of containers, init containers and ephemeral containers.",
        allowed: "`drop` holds `ALL`; `add` is absent, empty or holds NET_BIND_SERVICE only. Not applicable to Windows pods.",
        repair: "Sets `drop: [ALL]` on declared containers, and adds NET_BIND_SERVICE where a declared port is below 1024. Low where every pod reports that the container does not run as root and it cannot gain privileges (POD-009), else Medium. Held where other capabilities are added, or the container is privileged: the author asked for them.",
        breaks: "Programs that run as root and change owners or users or bind low ports, such as entrypoints that chown a volume and step down with gosu; file capabilities and setuid programs.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, restricted, Capabilities",
            "CIS Kubernetes Benchmark 1.12, 5.2.9",
            "capabilities(7)",
        ],
    },
    check: Check::EachContainer(check),
    repair: Some(Repair {
        risk: Risk::Low,
        by: RepairBy::EachContainer(repair),
    }),
    writes: &[
        "containers[].securityContext.capabilities.drop",
        "containers[].securityContext.capabilities.add",
    ],
    ..Control::WORKLOAD
};

/// The one capability that may be added (Pod Security Standards, restricted).
const BIND: &str = "NET_BIND_SERVICE";

fn check(at: &ContainerScope<'_>, judgement: &mut Judgement) {
    if at.pod.spec().is_windows() {
        return judgement.not_applicable("Windows containers have no capabilities");
    }
    let dropped = at.container.dropped_capabilities();
    if dropped.iter().any(|capability| capability == "ALL") {
        judgement.pass();
    } else {
        let observed = at.container.capabilities().and_then(|c| c.drop.as_ref());
        judgement.fail(
            "securityContext.capabilities.drop",
            observed.map(|drop| json!(drop)),
            "[ALL]",
        );
    }
    if others_added(at.container).is_empty() {
        judgement.pass();
    } else {
        let added = at.container.added_capabilities();
        let expected = format!("only {BIND}");
        judgement.fail("securityContext.capabilities.add", Some(json!(added)), &expected);
    }
}

fn repair(at: &ContainerScope<'_>, workload: &WorkloadScope<'_>, edit: &mut TemplateEdit<'_>) -> Result<(), Held> {
    let name = &at.container.name;
    if at.container.is_privileged() {
        return Err(Held::WouldBreak {
            evidence: format!("container {name} asks for all capabilities by being privileged"),
        });
    }
    let others = others_added(at.container);
    if !others.is_empty() {
        let others = others.join(", ");
        return Err(Held::WouldBreak {
            evidence: format!("container {name} asks for {others}; only {BIND} may be added"),
        });
    }
    edit.set(at, "securityContext.capabilities.drop", json!(["ALL"]));
    if binds_low_port(at.container) && at.container.added_capabilities().is_empty() {
        edit.set(at, "securityContext.capabilities.add", json!([BIND]));
    }
    match Identity::of(at, workload) {
        Identity::NonRoot(_) if cannot_gain_privileges(at.container) || edit.is_beside("POD-009") => {}
        Identity::NonRoot(_) => edit.raise(
            Risk::Medium,
            format!("container {name} may gain privileges: its setuid programs lose the capabilities they gain"),
        ),
        Identity::Root(pod) => edit.raise(
            Risk::Medium,
            format!("container {name} runs as root (pod {pod}): chown, changing users and binding low ports may fail"),
        ),
        Identity::Unreported(why) => edit.raise(
            Risk::Medium,
            format!("it is not known whether container {name} runs as root: {why}"),
        ),
    }
    Ok(())
}

fn others_added(container: &Container) -> Vec<&str> {
    let added = container.added_capabilities().iter().map(String::as_str);
    added.filter(|capability| *capability != BIND).collect()
}

fn binds_low_port(container: &Container) -> bool {
    container
        .ports
        .iter()
        .any(|port| (1..1024).contains(&port.container_port))
}

fn cannot_gain_privileges(container: &Container) -> bool {
    container.security().allow_privilege_escalation == Some(false)
}
