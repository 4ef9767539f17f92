//! POD-013 Seccomp profile missing or unconfined

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_baseline, pss_restricted, trivy};
use crate::controls::{
    Check, ContainerScope, Control, ControlId, Docs, Judgement, Parameter, Parameters, Repair, RepairBy, Risk,
    Severity, TemplateEdit, TemplateScope, Threat, WorkloadScope,
};
use crate::model::template::Profile;
use crate::plan::Held;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-013"),
    title: "Seccomp profile missing or unconfined",
    severity: Severity::Medium,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-18", "L-08"]),
        pss_baseline(&["seccompProfile_baseline"]),
        pss_restricted(&["seccompProfile_restricted"]),
        cis(&["5.6.2"]),
        kubescape(&["C-0055", "C-0210"]),
        trivy(&["KSV-0030", "KSV-0104"]),
        mitre(&["T1068", "T1611"]),
    ],
    docs: Docs {
        why: "Without a seccomp profile a process may make every system call. The runtime's default profile closes off several dozen that ordinary programs never make and that kernel exploits often need.",
        reads: "`securityContext.seccompProfile.type` of the pod, and of containers, init containers and ephemeral containers. The annotations of Kubernetes before 1.27 have no effect and are not read.",
        allowed: "`RuntimeDefault` or `Localhost`, on the container, or on the pod where the container says nothing. `Unconfined` fails wherever it stands. Saying nothing fails too, unless parameter `unset` allows it, as the profile PssBaseline does. Not applicable to Windows pods, nor to privileged containers that say nothing: those always run unconfined, which is POD-001.",
        repair: "Sets `RuntimeDefault` on declared containers, never on the pod, so that injected containers keep what they have. Low by experience and not by evidence: hardly any program makes a call that the profile denies, but nothing that Ironside reads tells which calls a program makes. Medium where a container says `Unconfined`; held where the pod does.",
        breaks: "Programs that use keyctl, io_uring, userfaultfd or user namespaces: debuggers, nested containers, some databases and build tools. The call fails with an error, and what becomes of that is up to the program: it ends at its start, which undoes the repair, or at its first use, or it goes on without. A failure that shows only after the probation is not seen as one of the repair. Which calls are denied depends on the runtime: containerd 1.6 lets io_uring through, 2.4 does not.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, restricted, Seccomp",
            "CIS Kubernetes Benchmark 1.12, 5.6.2",
            "Kubernetes documentation, Restrict a Container's Syscalls with seccomp",
        ],
    },
    parameters: &[Parameter {
        name: "unset",
        help: "`Refuse` asks for a profile, as the restricted standard does; `Allow` only forbids `Unconfined`, as the baseline one does.",
        default: &["Refuse"],
        accepts: |value| match value {
            "Allow" | "Refuse" => Ok(()),
            _ => Err(format!("`{value}` is not known; write Allow or Refuse")),
        },
    }],
    check: Check::Template(check),
    repair: Some(Repair {
        risk: Risk::Low,
        by: RepairBy::Template(repair),
    }),
    writes: &["containers[].securityContext.seccompProfile.type"],
    ..Control::WORKLOAD
};

const TYPE: &str = "securityContext.seccompProfile.type";
const EXPECTED: &str = "RuntimeDefault or Localhost";

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    if at.spec().is_windows() {
        return judgement.not_applicable("Windows pods have no such field");
    }
    if let Some(profile) = pod_profile(at).filter(|profile| !confines(profile)) {
        judgement.fail(
            "spec.securityContext.seccompProfile.type",
            Some(json!(profile.kind)),
            EXPECTED,
        );
    }
    let unset_passes = unset_passes(at.parameters);
    for at in at.containers() {
        judgement.enter_container(&at);
        match (own_profile(&at), effective_profile(&at)) {
            (_, Some(profile)) if confines(profile) => judgement.pass(),
            (None, None) if unset_passes => judgement.pass(),
            (None, _) if at.container.is_privileged() => {
                judgement.not_applicable("privileged containers always run unconfined (POD-001)");
            }
            (own, _) => judgement.fail(TYPE, own.map(|profile| json!(profile.kind)), EXPECTED),
        }
    }
}

fn repair(scope: &WorkloadScope<'_>, edit: &mut TemplateEdit<'_>) -> Result<(), Held> {
    if pod_profile(&scope.template()).is_some_and(|profile| !confines(profile)) {
        return Err(Held::WouldBreak {
            evidence: "the pod asks for Unconfined, for injected containers too: change it in its source".to_owned(),
        });
    }
    for at in scope.template().declared_containers() {
        match own_profile(&at) {
            None if effective_profile(&at).is_some()
                || at.container.is_privileged()
                || unset_passes(scope.parameters) => {}
            None => edit.set(&at, TYPE, "RuntimeDefault"),
            Some(profile) if confines(profile) => {}
            Some(profile) => {
                let (name, kind) = (&at.container.name, &profile.kind);
                edit.raise(Risk::Medium, format!("container {name} asks for {kind}"));
                edit.set(&at, TYPE, "RuntimeDefault");
            }
        }
    }
    Ok(())
}

fn unset_passes(parameters: &Parameters) -> bool {
    parameters
        .values("unset", &["Refuse"])
        .iter()
        .all(|value| *value == "Allow")
}

fn confines(profile: &Profile) -> bool {
    matches!(profile.kind.as_str(), "RuntimeDefault" | "Localhost")
}

fn pod_profile<'a>(at: &TemplateScope<'a>) -> Option<&'a Profile> {
    at.spec().security_context.as_ref()?.seccomp_profile.as_ref()
}

fn own_profile<'a>(at: &ContainerScope<'a>) -> Option<&'a Profile> {
    at.container.security().seccomp_profile.as_ref()
}

/// The container's own profile, else the pod's (kubelet, `getSeccompProfile`).
fn effective_profile<'a>(at: &ContainerScope<'a>) -> Option<&'a Profile> {
    own_profile(at).or_else(|| pod_profile(&at.pod))
}
