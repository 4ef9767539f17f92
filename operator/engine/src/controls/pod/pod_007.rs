//! POD-007 May run as root

use serde_json::json;

use crate::controls::catalogue::{cis, kubescape, mitre, nsa, pss_restricted, trivy};
use crate::controls::live::Identity;
use crate::controls::{
    Check, ContainerScope, Control, ControlId, Docs, Judgement, Parameter, Repair, RepairBy, Risk, Severity,
    TemplateEdit, TemplateScope, Threat, WorkloadScope,
};
use crate::plan::Held;

/// The control.
pub const CONTROL: Control = Control {
    id: ControlId::new("POD-007"),
    title: "May run as root",
    severity: Severity::High,
    threats: &[Threat::MaliciousActor, Threat::SupplyChain],
    frameworks: &[
        nsa(&["P-01", "P-02", "P-14"]),
        pss_restricted(&["runAsNonRoot", "runAsUser"]),
        cis(&["5.2.7"]),
        kubescape(&["C-0013", "C-0198"]),
        trivy(&["KSV-0012", "KSV-0105", "KSV-0020"]),
        mitre(&["T1611", "T1068"]),
    ],
    docs: Docs {
        why: "Root in a container is root on the node once it gets out, and most ways out need it. Unless `runAsNonRoot` is true the image alone decides, and most images say root.",
        reads: "`securityContext.runAsNonRoot` and `.runAsUser` of the pod, and of containers, init containers and ephemeral containers; `hostUsers` of the pod.",
        allowed: "`runAsNonRoot: true` on the container, or on the pod where the container says nothing; no `runAsUser: 0` and no `runAsNonRoot: false` anywhere. Any value in a pod with `hostUsers: false`, whose root is nobody on the node (since Kubernetes 1.35).",
        repair: "Sets `runAsNonRoot: true` on declared containers, never on the pod, so that injected containers keep what they have. Low where the template states a user other than 0, else Medium. Held where the template or a live pod says that the container runs as root.",
        breaks: "Images that start as root, and images whose user is a name: the kubelet cannot tell that it is not root, and does not start the container. Parameter `runAsUser: Observed` states the number for those.",
        sources: &[
            "NSA/CISA Kubernetes Hardening Guide 1.2, Kubernetes Pod security",
            "Pod Security Standards, restricted, Running as Non-root and Running as Non-root user",
            "CIS Kubernetes Benchmark 1.12, 5.2.7",
            "Kubernetes documentation, Configure a Security Context for a Pod or Container",
        ],
    },
    parameters: &[Parameter {
        name: "runAsUser",
        help: "`Keep` leaves the user to the image; `Observed` also states the user and group that every live pod reports, which fixes them against later images.",
        default: &["Keep"],
        accepts: |value| match value {
            "Keep" | "Observed" => Ok(()),
            _ => Err(format!("`{value}` is not known; write Keep or Observed")),
        },
    }],
    check: Check::Template(check),
    repair: Some(Repair {
        risk: Risk::Low,
        by: RepairBy::Template(repair),
    }),
    writes: &[
        "containers[].securityContext.runAsNonRoot",
        "containers[].securityContext.runAsUser",
        "containers[].securityContext.runAsGroup",
    ],
    ..Control::WORKLOAD
};

const NON_ROOT: &str = "securityContext.runAsNonRoot";
const USER: &str = "securityContext.runAsUser";

fn check(at: &TemplateScope<'_>, judgement: &mut Judgement) {
    if at.spec().host_users == Some(false) && at.at_least(35) {
        return judgement.pass();
    }
    let pod = PodWide::of(at);
    judgement.reject(&format!("spec.{NON_ROOT}"), pod.non_root, &false, "true or absent");
    judgement.reject(&format!("spec.{USER}"), pod.user, &0, "not 0");
    for at in at.containers() {
        judgement.enter_container(&at);
        let own = at.container.security();
        if own.run_as_non_root.or(pod.non_root) == Some(true) {
            judgement.pass();
        } else {
            judgement.fail(NON_ROOT, own.run_as_non_root.map(|value| json!(value)), "true");
        }
        judgement.reject(USER, own.run_as_user, &0, "not 0");
    }
}

fn repair(at: &WorkloadScope<'_>, edit: &mut TemplateEdit<'_>) -> Result<(), Held> {
    let template = at.template();
    if at.spec().is_windows() {
        return Err(Held::Unclear {
            what: "Windows nodes do not report the user of a container".to_owned(),
        });
    }
    let pod = PodWide::of(&template);
    if pod.non_root == Some(false) || pod.user == Some(0) {
        return Err(Held::WouldBreak {
            evidence: "the pod asks for root for every container, injected ones too: change it in its source"
                .to_owned(),
        });
    }
    for container in template.declared_containers() {
        let own = container.container.security();
        if own.run_as_user == Some(0) {
            return Err(Held::WouldBreak {
                evidence: format!("container {} is told to run as uid 0", container.container.name),
            });
        }
        if own.run_as_non_root.or(pod.non_root) != Some(true) {
            repair_container(&container, at, own.run_as_user.or(pod.user), edit)?;
        }
    }
    Ok(())
}

/// `user` is the one that the template states, if it does: the kubelet then checks that number and never looks at the image's user.
fn repair_container(
    at: &ContainerScope<'_>,
    workload: &WorkloadScope<'_>,
    user: Option<i64>,
    edit: &mut TemplateEdit<'_>,
) -> Result<(), Held> {
    let name = &at.container.name;
    edit.set(at, NON_ROOT, true);
    if at.container.security().run_as_non_root == Some(false) {
        edit.raise(Risk::Medium, format!("container {name} states runAsNonRoot: false"));
    }
    if user.is_some() {
        return Ok(());
    }
    match Identity::of(at, workload) {
        Identity::Root(pod) => Err(Held::WouldBreak {
            evidence: format!("container {name} runs as root (pod {pod})"),
        }),
        Identity::Unreported(why) => {
            let reason = format!("it is not known whether container {name} runs as root: {why}");
            edit.raise(Risk::Medium, reason);
            Ok(())
        }
        Identity::NonRoot(users) => {
            let observed = users.iter().next().filter(|_| users.len() == 1);
            match observed.filter(|_| states_observed_user(workload)) {
                Some((uid, gid)) => state_user(at, (*uid, *gid), edit),
                None => edit.raise(
                    Risk::Medium,
                    format!("container {name} does not start if its image names its user instead of numbering it"),
                ),
            }
            Ok(())
        }
    }
}

/// States what the container already runs as. The group goes with the user: with a user and no group the runtime takes the group from the image's passwd
/// file, or 0, whatever group the image itself names. Group 0 is never stated.
fn state_user(at: &ContainerScope<'_>, (uid, gid): (i64, i64), edit: &mut TemplateEdit<'_>) {
    let name = &at.container.name;
    edit.raise(
        Risk::Medium,
        format!("container {name} keeps uid {uid} whatever a later image says"),
    );
    edit.set(at, USER, uid);
    if gid != 0 && at.container.security().run_as_group.is_none() && pod_group(&at.pod).is_none() {
        edit.set(at, "securityContext.runAsGroup", gid);
    }
}

fn states_observed_user(at: &WorkloadScope<'_>) -> bool {
    at.parameters.values("runAsUser", &["Keep"]).contains(&"Observed")
}

fn pod_group(at: &TemplateScope<'_>) -> Option<i64> {
    at.spec().security_context.as_ref()?.run_as_group
}

/// What the pod says for all its containers.
struct PodWide {
    non_root: Option<bool>,
    user: Option<i64>,
}

impl PodWide {
    fn of(at: &TemplateScope<'_>) -> Self {
        let context = at.spec().security_context.as_ref();
        Self {
            non_root: context.and_then(|context| context.run_as_non_root),
            user: context.and_then(|context| context.run_as_user),
        }
    }
}
